"""Maps averaged over the eight ways in which a plane can be turned and mirrored."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.planes import Predict
from napari_unet.images.tiling import pad_to_multiple

TURNS = tuple(product(range(4), (False, True)))
"""Quarter turns, and whether the plane is mirrored first."""


def averaged_over_turns(predict: Predict, grid: int = 1) -> Predict:
    """Return a network that sees each plane turned and mirrored, and gives the mean of its maps.

    A nucleus has no right way up, but a network's answer depends a little on how it lies;
    the mean of all eight is steadier (test-time augmentation; Moshkov et al., 2020,
    doi:10.1038/s41598-020-61808-3), and takes eight times as long.

    Parameters
    ----------
    predict : callable
        The network: pixels (c, y, x) to maps (maps, y, x), both float32.
    grid : int
        What the network's poolings add up to, in pixels. Planes are padded to its multiples
        before they are turned: a turned plane is pooled over the same pixels then, and so
        are the neighbouring tiles of an image.

    Returns
    -------
    callable
        Takes and gives the same shapes as `predict`.

    Examples
    --------
    >>> rows_above = averaged_over_turns(lambda pixels: np.roll(pixels, 1, axis=1))
    >>> rows_above(np.array([[[0, 0, 0], [0, 4, 0], [0, 0, 0]]], np.float32))[0]
    array([[0., 1., 0.],
           [1., 0., 1.],
           [0., 1., 0.]], dtype=float32)
    """

    def averaged(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        padded, crop = pad_to_multiple(pixels, grid)
        total = np.zeros(1, np.float32)  # it takes the maps' shape from the first of them
        for quarters, mirrored in TURNS:
            maps = predict(_turned(padded, quarters, mirrored))
            total = total + _turned_back(maps, quarters, mirrored)
        return total[:, *crop] / np.float32(len(TURNS))

    return averaged


def _turned(planes: NDArray[np.float32], quarters: int, mirrored: bool) -> NDArray[np.float32]:
    """Return planes (c, y, x) mirrored along x or not, then turned by quarters."""
    return np.rot90(planes[..., ::-1] if mirrored else planes, quarters, axes=(1, 2))


def _turned_back(planes: NDArray[np.float32], quarters: int, mirrored: bool) -> NDArray[np.float32]:
    """Return planes as they were before :func:`_turned`."""
    back = np.rot90(planes, -quarters, axes=(1, 2))
    return back[..., ::-1] if mirrored else back
