"""Stacks as they are seen from the side: planes along Z and X, and along Z and Y."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FEWEST_PLANES = 8
LEAST_HEIGHT = 2.0  # of a stack in diameters of a nucleus: in a slice there is nothing to see
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
    """Give all planes of a stack along Z and X, then all along Z and Y.

    They are smoothed along y and x by half the distance between planes: noise of single pixels
    would become columns when the planes along Z are stretched.

    Parameters
    ----------
    stack : array of float32, (c, z, y, x)
        Normalised intensities.
    distance : float
        Between planes along Z, in pixels.
    """
    width = SMOOTHING * distance
    smooth = ndimage.gaussian_filter(stack, (0, 0, width, width))
    everything = slice(None)
    for y in range(stack.shape[2]):
        yield Side((everything, everything, y), smooth[:, :, y])
    for x in range(stack.shape[3]):
        yield Side((everything, everything, everything, x), smooth[:, :, :, x])
