"""One nucleus cut into several, where a user sees that it is not one."""

from __future__ import annotations

from itertools import chain

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.depth import depths
from napari_unet.nuclei.seeds import label_pieces, split_necks

NECKS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # width of a neck over that of the smaller part
LEAST_PART = 0.1  # of the nucleus
LEAST_ELONGATION = 1.2  # of a nucleus that is cut across its long axis

_Bools = npt.NDArray[np.bool_]
_Parts = npt.NDArray[np.int32]


def parts_of(pixels: npt.NDArray[np.integer], anisotropy: float = 1.0) -> _Parts:
    """Return which part of a nucleus each of its pixels belongs to, when it is cut.

    It is cut at its narrowest neck; where it has none, in two halves across its long axis.
    `benchmarks/splitting.py` says how often that is right.

    Parameters
    ----------
    pixels : (2 or 3, n) int
        Where its pixels are along [z,] y and x, as `numpy.nonzero` tells them.
    anisotropy : float
        Voxel size along z over the voxel size along y and x.

    Returns
    -------
    (n,) int32
        Part of each pixel: 1 is the largest one, then 2 and so on. Each is one piece of face
        neighbours if the nucleus is.

    Raises
    ------
    ValueError
        If it has no neck and is nearly round, or too small.

    Examples
    --------
    >>> bow_tie = np.array([[1, 1, 1, 0, 1, 1], [1] * 6, [1, 1, 1, 0, 1, 1]])
    >>> parts_of(np.array(np.nonzero(bow_tie)))
    array([1, 1, 1, 2, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2], dtype=int32)
    """
    # Along an axis on which it has one plane its depth would be the same everywhere.
    flat = pixels[-2:] if len(pixels) == 3 and np.ptp(pixels[0]) == 0 else pixels
    places = tuple(flat - flat.min(axis=1, keepdims=True) + 1)
    inside = np.zeros([int(at.max()) + 2 for at in places], bool)
    inside[places] = True
    depth = depths(inside, anisotropy)
    at_necks = (split_necks(inside.astype(np.int32), neck, depth) for neck in NECKS)
    for parts in chain(at_necks, _halves(inside, anisotropy)):
        sizes = np.bincount(parts[inside], minlength=2)[1:]
        if len(sizes) > 1 and sizes.min() >= LEAST_PART * len(places[0]):
            rank = np.argsort(np.argsort(-sizes, kind="stable"))
            numbers: _Parts = (rank[parts[places] - 1] + 1).astype(np.int32)
            return numbers
    raise ValueError(
        "Expected a nucleus with a neck or a long axis, got a round or tiny one; paint the line "
        "between its parts with 0, and give one of them another label."
    )


def _halves(inside: _Bools, anisotropy: float) -> list[_Parts]:
    """Return a nucleus in two halves across its long axis, if it has one."""
    pixels = np.argwhere(inside).astype(float)
    centred = pixels - pixels.mean(axis=0)
    centred[:, :-2] *= anisotropy
    spreads, axes = np.linalg.eigh(centred.T @ centred)
    if len(pixels) < 2 or spreads[-1] < LEAST_ELONGATION**2 * spreads[-2]:
        return []
    parts = np.zeros(inside.shape, np.int32)
    parts[inside] = np.where(centred @ axes[:, -1] > 0, 2, 1)
    return [_in_two_pieces(parts)]


def _in_two_pieces(parts: _Parts) -> _Parts:
    """Return halves of one piece each: what a cut through a bay leaves over goes to the other."""
    tidy = parts.copy()
    for half in (1, 2):
        pieces, _ = label_pieces(parts == half)
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        tidy[(pieces > 0) & (pieces != np.argmax(sizes))] = 3 - half
    return tidy
