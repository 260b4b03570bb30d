"""A trained network with its card: predict, save, load."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from napari_unet.images.atomic import overwriting
from napari_unet.images.tiling import pad_to_multiple
from napari_unet.network.card import Card, card_from_json, card_to_json
from napari_unet.network.device import choose_device, place, precision
from napari_unet.network.unet import UNet

__all__ = ["Model", "load_model_file"]

HEADER = "napari_unet"
LARGEST_FILE = 2**30  # bytes; the shipped model has 4 MB
MINIMUM_INPUT = 64  # px; smaller planes are padded, as the network pools to 1/16


@dataclass
class Model:
    """A network that turns pixels into maps.

    Parameters
    ----------
    network : UNet
        In evaluation mode, on ``device``.
    card : Card
        What it was trained on and how it wants its input.
    sha256 : str
        Of the file it came from; empty if it was never saved.
    """

    network: UNet
    card: Card
    sha256: str = ""

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return next(self.network.parameters()).device

    def to(self, device: str) -> Model:
        """Move the network to a device by name; "auto" is the fastest one."""
        place(self.network, choose_device(device))
        return self

    def predict(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the maps of one plane or tile.

        Parameters
        ----------
        pixels : (3, y, x) float32
            Normalised intensities; any size of at least one pixel.

        Returns
        -------
        (maps, y, x) float32
            In 0..1.
        """
        config = self.network.config
        padded, crop = pad_to_multiple(pixels, config.multiple, MINIMUM_INPUT)
        image = torch.from_numpy(padded)[None].to(self.device)
        dtype = precision(self.device)
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32),
        ):
            logits = self.network(image.contiguous(memory_format=torch.channels_last))
        maps: NDArray[np.float32] = logits.float().sigmoid()[0].cpu().numpy()
        return maps[(slice(None), *crop[-2:])]

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a ``.safetensors`` file, weights as float16; an interrupted write leaves nothing.

        Raises
        ------
        FileExistsError
            If the file is there and ``overwrite`` is not set.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} is there already; choose another name.")
        weights = {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
        with overwriting(path) as temporary:
            save_file(weights, temporary, {HEADER: card_to_json(self.card)})
        self.sha256 = file_hash(path)
        return path

    def renamed(self, name: str) -> Model:
        """Give the same model under another name."""
        return Model(self.network, replace(self.card, name=name), self.sha256)


def load_model_file(path: str | Path, device: str = "auto") -> Model:
    """Read a model file and check it; nothing in it is ever run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a model file of this plugin, or damaged.
    """
    path = Path(path)
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            card = card_from_json((file.metadata() or {}).get(HEADER, "null"))
            names = list(file.keys())
            network = empty_network(card, {name: file.get_slice(name) for name in names})
            network.load_state_dict({name: file.get_tensor(name).float() for name in names})
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path.name} is not a model of napari-unet ({error}); choose a .safetensors file "
            "that this plugin has written."
        ) from error
    if not all(bool(torch.isfinite(weight).all()) for weight in network.state_dict().values()):
        raise ValueError(f"{path.name} is damaged, its weights are not finite; fetch it again.")
    return Model(network.eval(), card, file_hash(path)).to(device)


def check_file(path: Path) -> None:
    """Refuse what cannot be a model file before anything of it is read."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}; check the name.")
    if path.suffix != ".safetensors":
        raise ValueError(
            f"a model is a .safetensors file, got {path.name}; other formats can run code when "
            "opened and are not read."
        )
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path.name} is larger than any model (1 GiB); choose another file.")


def empty_network(card: Card, slices: dict[str, Any]) -> UNet:
    """Build the network of a card, once the file's tensors are known to fit it."""
    with torch.device("meta"):
        expected = UNet(card.config).state_dict()
    seen = {key: tuple(part.get_shape()) for key, part in slices.items()}
    wanted = {key: tuple(weight.shape) for key, weight in expected.items()}
    if wrong := {key for key, _ in seen.items() ^ wanted.items()}:
        raise ValueError(f"its weights do not fit its network, first {min(wrong)}")
    return UNet(card.config)


def file_hash(path: Path) -> str:
    """Give a file's SHA-256 as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
