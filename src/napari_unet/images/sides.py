"""Stacks as they are seen from the side: planes along Z and X, and along Z and Y."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FEWEST_PLANES = 8
LEAST_HEIGHT = 2.0  # of a stack in diameters of a nucleus: in a slice there is nothing to see
FILTER_WIDTH = 4.0  # sigmas
SMOOTHING = 0.5  # of the distance between planes: within it nothing is resolved along Z either


@dataclass(frozen=True)
class Side:
    """One plane along Z, of a stack (c, z, y, x).

    Attributes
    ----------
    place : tuple
        Where its maps (maps, z, length) are in the maps (maps, z, y, x) of the stack.
    pixels : array of float32, (c, z, length)
    """

    place: tuple[slice | int, ...]
    pixels: NDArray[np.float32]


def is_deep(n_planes: int, height: float, diameter: float) -> bool:
    """Tell whether a stack is worth a look from the side.

    Parameters
    ----------
    n_planes : int
        Along Z.
    height, diameter : float
        Of the stack and of a nucleus, in pixels as the network sees them.
    """
    return n_planes >= FEWEST_PLANES and height >= LEAST_HEIGHT * diameter


def sides(stack: NDArray[np.float32], distance: float) -> Iterator[Side]:
    """Give all planes of a stack along Z and X, then all along Z and Y; they are `smoothed`.

    Parameters
    ----------
    stack : array of float32, (c, z, y, x)
        Normalised intensities.
    distance : float
        Between planes along Z, in pixels.
    """
    smooth = smoothed(stack, distance)
    everything = slice(None)
    for y in range(stack.shape[2]):
        yield Side((everything, everything, y), smooth[:, :, y])
    for x in range(stack.shape[3]):
        yield Side((everything, everything, everything, x), smooth[:, :, :, x])


def smoothed(stack: NDArray[np.float32], distance: float) -> NDArray[np.float32]:
    """Return a stack that is smoothed along y and x by half the distance between planes.

    Noise of single pixels would become columns when planes along Z are stretched. Takes the same
    as `sides`.
    """
    width = SMOOTHING * distance
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(
        stack, (0, 0, width, width), truncate=FILTER_WIDTH
    )
    return smooth


def reach(distance: float) -> int:
    """Return how many pixels far `smoothed` looks along y and x."""
    return int(FILTER_WIDTH * SMOOTHING * distance + 0.5)
