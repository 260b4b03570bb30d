"""A model's network in files that other programs run: TorchScript and ONNX."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_unet.images.atomic import overwriting
from napari_unet.network.model import Model

INPUT, OUTPUT = "pixels", "maps"
EXTRA = 'pip install "napari-unet-nuclei[zoo]"'


class MapsNetwork(nn.Module):
    """A network with the sigmoid at its end, so that maps in 0..1 come out.

    Parameters
    ----------
    network : Module
        Gives logits.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Map normalised pixels (n, 3, y, x) to maps (n, maps, y, x)."""
        maps: Tensor = self.network(pixels).sigmoid()
        return maps


def write_torchscript(model: Model, path: Path) -> None:
    """Write a network as TorchScript.

    It takes float32 pixels (n, 3, y, x), normalised as the card says, y and x multiples of what
    the network pools to, and gives float32 maps (n, maps, y, x) in 0..1.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    network, pixels = _ready(model)
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(network, pixels)
        with overwriting(path) as temporary:
            torch.jit.save(traced, temporary)


def write_onnx(model: Model, path: Path) -> None:
    """Write a network as ONNX, with the input and output of `write_torchscript`.

    Raises
    ------
    ImportError
        If the libraries for it are not installed.
    OSError
        If the file cannot be written.
    """
    check_installed("onnx", "onnxscript")
    network, pixels = _ready(model)
    multiple = model.network.config.multiple
    rows, columns = (multiple * torch.export.Dim(name) for name in ("rows", "columns"))
    dynamic = {0: torch.export.Dim("n"), 2: rows, 3: columns}
    with _quiet(), torch.no_grad(), overwriting(path) as temporary:
        program = torch.export.export(network, (pixels,), dynamic_shapes=(dynamic,), strict=False)
        torch.onnx.export(
            program,
            f=temporary,
            dynamo=True,
            external_data=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )


def check_installed(*libraries: str) -> None:
    """Refuse to go on without libraries that not everybody has.

    Raises
    ------
    ImportError
        If one is not installed, with how to install it.
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"Expected {' and '.join(missing)} to be installed, which this format needs; "
            f"install with {EXTRA}."
        )


def _ready(model: Model) -> tuple[MapsNetwork, Tensor]:
    """Return the network and an example of its input, on which it is followed."""
    config = model.network.config
    # Sizes of 1 and equal ones would be taken for fixed.
    size = (2, config.in_channels, 6 * config.multiple, 7 * config.multiple)
    return MapsNetwork(model.to("cpu").network).eval(), torch.rand(size)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporters tell those who develop them."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Of TorchScript, which goes on to be read, and of what they call themselves.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
