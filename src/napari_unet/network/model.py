"""A trained network with its card: predict, save, load."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from napari_unet.images.atomic import overwriting
from napari_unet.images.tiling import pad_to_multiple
from napari_unet.network import PRECISIONS
from napari_unet.network.card import Card, card_to_json
from napari_unet.network.config import UNetConfig
from napari_unet.network.device import choose_device, fetched, half_precision, place, sent
from napari_unet.network.device import precision as floating_type
from napari_unet.network.files import HEADER, check_name, check_new, file_hash, opened
from napari_unet.network.folding import Folding
from napari_unet.network.memory import LARGEST_PIECE, in_pieces, is_out_of_memory, notify
from napari_unet.network.unet import UNet
from napari_unet.network.variants import build_network

MINIMUM_INPUT = 64  # px; smaller planes are padded, as the network pools to 1/16


@dataclass
class Model:
    """A network that turns pixels into maps.

    Parameters
    ----------
    network : UNet
        In evaluation mode, on the device where it runs.
    card : Card
        What it was trained on and how it wants its input.
    sha256 : str
        Of the file it came from; empty if it was never saved.
    path : Path, optional
        That file.
    precision : {"auto", "float32", "bfloat16", "float16"}
        What it predicts in; training does not ask for it.
    """

    network: UNet
    card: Card
    sha256: str = ""
    path: Path | None = None
    precision: str = PRECISIONS[0]
    # What there was memory for, so that the next tile need not find out again.
    _piece: int = field(default=LARGEST_PIECE, init=False, repr=False, compare=False)
    _half: bool = field(default=False, init=False, repr=False, compare=False)
    _folding: Folding = field(default_factory=Folding, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What it is called now: its file can be renamed, the card says how it was made."""
        return self.card.name if self.path is None else self.path.stem

    @property
    def config(self) -> UNetConfig:
        """Shape of its network."""
        return self.network.config

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return next(self.network.parameters()).device

    def to(self, device: str | None = None, precision: str | None = None) -> Model:
        """Move the network to a device by name and let it predict at a precision.

        "auto" is the fastest device and what that is fast at; what is not given stays.
        """
        where = self.device if device is None else choose_device(device)
        how = self.precision if precision is None else precision
        floating_type(where, how)  # refuses what the device does not compute in
        if device is not None:
            place(self.network, where)
        self.precision = how
        return self

    def predict(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the maps of one plane or tile.

        Where there is not enough memory, the network sees it in pieces, then computes at half
        precision, then on the CPU; a warning says so.

        Parameters
        ----------
        pixels : (3, y, x) float32
            Normalised intensities; any size of at least one pixel.

        Returns
        -------
        (maps, y, x) float32
            In 0..1.

        Raises
        ------
        ValueError
            If the pixels have another shape.
        MemoryError
            If there is no memory for the smallest piece on the CPU.
        """
        config = self.network.config
        check_pixels(pixels, config.in_channels)
        while True:
            try:
                maps, self._piece = in_pieces(pixels, self._maps, config.multiple, self._piece)
                return maps
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if not self._step_down():
                    raise MemoryError(" ".join(str(error).split())[:200]) from error

    def _step_down(self) -> bool:
        """Compute at half precision, or else on the CPU; tell whether there was a step left."""
        if not self._half and floating_type(self.device, self.precision) == torch.float32:
            self._half = True
            notify("at half precision")
        elif self.device.type != "cpu":
            place(self.network, torch.device("cpu"))
            self.precision = PRECISIONS[0]  # the CPU may not have the one of the card
            self._piece, self._half = LARGEST_PIECE, False
            notify("on the CPU")
        else:
            return False
        return True

    def _maps(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the maps of pixels for which there may be too little memory."""
        padded, crop = pad_to_multiple(pixels, self.network.config.multiple, MINIMUM_INPUT)
        # Torch takes no array that is read-only or runs backwards.
        image = torch.from_numpy(np.require(padded, np.float32, ["C", "W"]))[None]
        dtype = floating_type(self.device, self.precision)
        if self._half:
            dtype = half_precision(self.device)
        image = sent(image, self.device, dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            logits = self._folding.of(self.network, dtype)(image)
            # One map after the other, as whoever takes them reads them.
            maps = logits[0].contiguous().float().sigmoid_()
            found: NDArray[np.float32] = fetched(maps).numpy()
        return found[:, *crop]

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a ``.safetensors`` file; an interrupted write leaves an earlier file as it was.

        Weights are written as float16, those too large for it as float32.

        Raises
        ------
        FileExistsError
            If the file is there and `overwrite` is not set.
        FileNotFoundError, PermissionError
            If its folder is not there or cannot be written.
        ValueError
            If the name has another ending, or a weight is not finite.
        """
        path = Path(path)
        check_name(path)
        check_new(path, overwrite=overwrite)
        weights = self.network.state_dict()
        _check_finite(weights)
        small = {name: _as_small(weight.detach().cpu()) for name, weight in weights.items()}
        with overwriting(path, is_new=not overwrite) as temporary:
            save_file(small, temporary, {HEADER: card_to_json(self.card)})
        self.sha256, self.path = file_hash(path), path
        return path


def check_pixels(pixels: NDArray[np.float32], n_channels: int) -> None:
    """Refuse what is not one plane of so many channels, (n_channels, y, x)."""
    if pixels.ndim != 3 or len(pixels) != n_channels:
        raise ValueError(
            f"Expected pixels of the shape ({n_channels}, y, x), got {pixels.shape}; give one "
            "plane with its colours first."
        )


def load_model_file(
    path: str | Path,
    device: str = "auto",
    precision: str = PRECISIONS[0],
    shown: str | None = None,
) -> Model:
    """Return the model in a file, which is checked first; nothing in it is ever run.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors`` file that `Model.save` wrote.
    device : str
        "auto" (the fastest that works), "cuda", "mps" or "cpu".
    precision : str
        As for `Model`.
    shown : str, optional
        What errors call it; its path if not given.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a model file of this plugin, or damaged; if there is no such device, or no such
        precision on it.
    """
    path = Path(path)
    with opened(path, "pt", shown) as (card, file):
        if not isinstance(card.config, UNetConfig):
            raise ValueError("its network is one of another program")
        network = _network_of(card.config, file)
    return Model(network.eval(), card, file_hash(path), path).to(device, precision)


def _network_of(config: UNetConfig, file: Any) -> UNet:
    """Return a network with the weights of an open file, once they are known to fit it."""
    seen = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    _check_shapes(seen, _unallocated(config))
    return fitted(config, {key: file.get_tensor(key) for key in seen})


def fitted(config: UNetConfig, weights: dict[str, Tensor]) -> UNet:
    """Return a network with copies of these weights.

    Raises
    ------
    ValueError
        If they do not fit it, or one is not finite.
    """
    network = _unallocated(config)
    _check_shapes({key: tuple(weight.shape) for key, weight in weights.items()}, network)
    expected = network.state_dict()
    full = {key: _as_full(weight, expected[key]) for key, weight in weights.items()}
    _check_finite(full)
    network.load_state_dict(full, assign=True)
    return network


def _unallocated(config: UNetConfig) -> UNet:
    """Return a network without memory for its weights: it may be claimed larger than any."""
    with torch.device("meta"):
        return build_network(config)


def _check_shapes(seen: dict[str, tuple[int, ...]], network: UNet) -> None:
    shapes = {key: tuple(weight.shape) for key, weight in network.state_dict().items()}
    if wrong := {key for key, _ in seen.items() ^ shapes.items()}:
        raise ValueError(f"its weights do not fit its network, first {min(map(str, wrong))}")


def _check_finite(weights: dict[str, Tensor]) -> None:
    for name, weight in weights.items():
        if not torch.isfinite(weight).all():
            raise ValueError(
                f"Expected finite weights, got others in {name}; the network is damaged, train "
                "or fetch it again."
            )


def _as_small(weight: Tensor) -> Tensor:
    """Return a weight as float16, where that can hold it."""
    if not weight.is_floating_point() or weight.abs().max() > torch.finfo(torch.float16).max:
        return weight.contiguous()
    return weight.half().contiguous()


def _as_full(weight: Tensor, like: Tensor) -> Tensor:
    """Return a copy of a file's tensor in the type that the network computes with."""
    if weight.is_floating_point() != like.is_floating_point():
        raise ValueError(f"it holds {weight.dtype} for {like.dtype}")
    # A tensor that shares its memory with the file would keep that from being replaced.
    return weight.to(like.dtype, copy=True)
