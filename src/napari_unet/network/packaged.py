"""What a network of another program takes and gives: axes, sizes, halo, steps (no torch)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.tiling import OVERLAP_OF_HALO, TILE
from napari_unet.network.config import NUCLEUS_BORDER_DISTANCE

ONNX = "onnx"
"""What `PackagedConfig.variant` is, by which a card tells it from a network of this plugin."""
AXES = "bcyx"
LARGEST_SIDE = 4096  # px
LARGEST_NUMBER = float(np.finfo(np.float32).max)
STEPS: Mapping[str, int] = {"linear": 2, "clip": 2, "binarize": 1, "sigmoid": 0}
"""How many numbers each kind of step has."""

Step = tuple[Any, ...]
"""A name of `STEPS` and its numbers: gain and offset, least and largest, threshold."""
Pair = tuple[int, int]


@dataclass(frozen=True)
class PackagedConfig:
    """What a network of another program takes and gives.

    Parameters
    ----------
    variant : str
        The kind of its weights.
    maps : tuple of str
        What it makes of `channels`: the nucleus map, and the border map if it has one.
    channels : tuple of int
        Which of its channels these are.
    in_channels : {1, 3}
        Channels of its input; colours are averaged for one.
    axes, output_axes : str
        Of its input and output, each of b, c, y and x once; without c it has one channel.
    least, step : (int, int)
        Smallest size (y, x), and by what it grows; 0 where it is the only one. In pixels.
    halo : (int, int)
        Rim (y, x) of its output that is no good, in pixels.
    before, after : tuple of tuple
        What is done with each pixel of input and output, see `Step`.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    variant: str = ONNX
    maps: tuple[str, ...] = NUCLEUS_BORDER_DISTANCE[:2]
    channels: tuple[int, ...] = (0, 1)
    in_channels: int = 1
    axes: str = AXES
    output_axes: str = AXES
    least: Pair = (64, 64)
    step: Pair = (16, 16)
    halo: Pair = (0, 0)
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        self._check_maps()
        for axes, n in ((self.axes, self.in_channels), (self.output_axes, len(self.channels))):
            if not {"y", "x"} <= set(axes) <= set(AXES) or len(set(axes)) != len(axes):
                raise ValueError(f"its axes are {axes!r} instead of b, c, y and x")
            if "c" not in axes and n > 1:
                raise ValueError(f"its axes {axes!r} have no place for {n} channels")
        for least, step, halo in zip(self.least, self.step, self.halo, strict=True):
            sizes = (least, step, halo)
            if not all(type(n) is int and 0 <= n <= LARGEST_SIDE for n in sizes) or least < 1:
                raise ValueError(f"its sizes are not whole numbers from 1 to {LARGEST_SIDE} pixels")
            if not step and 2 * halo >= least:
                raise ValueError(f"its halo of {halo} leaves nothing of {least} pixels")
        self._check_tiles()
        for kind, *numbers in (*self.before, *self.after):
            if not _are_numbers_of(kind, numbers):
                raise ValueError(f"it has the step {kind!r} with numbers that this does not take")

    def _check_tiles(self) -> None:
        """Refuse a halo of which tiles would be hardly more than overlap, and too large steps."""
        if OVERLAP_OF_HALO * max(self.halo) > TILE // 2:
            most = int(TILE // 2 / OVERLAP_OF_HALO)
            raise ValueError(f"its halo is {max(self.halo)} instead of at most {most} pixels")
        if self.multiple > TILE:
            raise ValueError(f"its sizes grow by {self.multiple} pixels instead of at most {TILE}")

    def _check_maps(self) -> None:
        if self.variant != ONNX:
            raise ValueError(f"its weights are of the kind {self.variant!r}")
        if self.maps not in (NUCLEUS_BORDER_DISTANCE[:1], NUCLEUS_BORDER_DISTANCE[:2]):
            raise ValueError(f"its maps are {self.maps}")
        if sorted(self.channels) != list(range(len(self.maps))) or self.in_channels not in (1, 3):
            raise ValueError(f"it maps {self.in_channels} channels to those of {self.channels}")

    @property
    def width(self) -> int:
        """Filters of the first level: those of the U-Net of 2015, since a package does not say."""
        return 64

    @property
    def multiple(self) -> int:
        """What tiles had better start at multiples of, in pixels."""
        return math.lcm(*(step or 1 for step in self.step))

    def size_for(self, size: Pair) -> Pair:
        """Return the smallest size (y, x) that it takes which holds another, or its only one.

        Examples
        --------
        >>> PackagedConfig(least=(64, 32), step=(16, 0)).size_for((70, 70))
        (80, 32)
        """
        rows, columns = (
            least + step * max(0, -(-(n - least) // step)) if step else least
            for n, least, step in zip(size, self.least, self.step, strict=True)
        )
        return rows, columns


def stepped(pixels: NDArray[np.float32], steps: tuple[Step, ...]) -> NDArray[np.float32]:
    """Return pixels of any shape after some steps, each of them done with each pixel.

    Examples
    --------
    >>> stepped(np.array([1, 2, 3], np.float32), (("linear", 2, -1), ("clip", None, 4)))
    array([1., 3., 4.], dtype=float32)
    """
    with np.errstate(over="ignore", invalid="ignore"):  # who runs a network looks at its maps
        for kind, *numbers in steps:
            pixels = np.asarray(DONE[kind](pixels, *numbers), np.float32)
    return pixels


def _sigmoid(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-pixels)), np.float32)  # 0 of what is far below 0


DONE: Mapping[str, Callable[..., NDArray[Any]]] = {
    "linear": lambda pixels, gain, offset: pixels * np.float32(gain) + np.float32(offset),
    "clip": lambda pixels, least, largest: np.clip(pixels, least, largest),
    "binarize": lambda pixels, threshold: pixels > threshold,
    "sigmoid": _sigmoid,
}


def _are_numbers_of(kind: str, numbers: list[Any]) -> bool:
    """Tell whether a step has its numbers; of those to clip at, one may be None."""
    given = [n for n in numbers if n is not None] if kind == "clip" else numbers
    are_numbers = all(type(n) in (int, float) and abs(n) <= LARGEST_NUMBER for n in given)
    return len(numbers) == STEPS.get(kind) and are_numbers and bool(given) == bool(numbers)
