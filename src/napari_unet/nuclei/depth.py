"""How deep pixels lie in what they are part of: the distance to its surface."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.images.threads import in_threads

VOXELS = 1 << 20  # of the rows through all planes that are taken at once
LEAST_ROWS = 16  # of them; with fewer, most of the time would go into those seen on each side
FARTHEST = 64  # pixels; where the surface is farther away, SciPy finds it sooner
_SMOOTHING = 1.0  # pixels of y and x; the plain distance has a maximum at every corner
_REACH = 4  # rows: how far SciPy's Gaussian looks, for that smoothing

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
Squares = npt.NDArray[np.float64]


def depths(inside: npt.NDArray[np.bool_], anisotropy: float = 1.0) -> Floats:
    """Return the distance to the surface, slightly smoothed.

    It is that of SciPy to the last bit. SciPy looks from every voxel; here it is looked from those
    inside alone, from a few rows through all planes at a time, in threads.

    Parameters
    ----------
    inside : array of bool, shape ([z,] y, x)
        Beyond the rim there is no surface.
    anisotropy : float
        Voxel size along z over the voxel size along y and x.

    Returns
    -------
    array of float32, shape of ``inside``
        In pixels of y and x; 0 outside.

    Examples
    --------
    >>> inside = np.ones((5, 9, 9), bool)
    >>> inside[:, :, [0, 8]] = False
    >>> depths(inside)[2, 4].round(1)
    array([0. , 1.1, 2. , 2.9, 3.3, 2.9, 2. , 1.1, 0. ], dtype=float32)
    """
    volume = inside.reshape(-1, *inside.shape[-2:])
    sigmas = (_SMOOTHING / anisotropy if inside.ndim == 3 else 0.0, _SMOOTHING, _SMOOTHING)
    planes, squares = _planes_away(volume), _squares(len(volume), anisotropy)
    height = max(LEAST_ROWS, VOXELS // max(1, volume[:, 0].size))
    every = [slice(start, start + height) for start in range(0, volume.shape[1], height)]

    def smoothed(rows: slice) -> Floats | None:
        first = max(0, rows.start - _REACH)
        distances = _distances(planes, squares, slice(first, rows.stop + _REACH))
        if distances is None:
            return None
        smooth = ndimage.gaussian_filter(distances, sigmas)
        return np.asarray(smooth[:, rows.start - first :][:, :height] * volume[:, rows])

    found = np.empty(volume.shape, np.float32)
    for rows, part in zip(every, in_threads(smoothed, every), strict=True):
        if part is None:
            return _by_scipy(volume, anisotropy, sigmas).reshape(inside.shape)
        found[:, rows] = part
    return found.reshape(inside.shape)


def _by_scipy(
    volume: npt.NDArray[np.bool_], anisotropy: float, sigmas: tuple[float, ...]
) -> Floats:
    spacing = (anisotropy, 1.0, 1.0)
    distances = ndimage.distance_transform_edt(volume, sampling=spacing).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(distances, sigmas) * volume)


def _planes_away(volume: npt.NDArray[np.bool_]) -> npt.NDArray[np.unsignedinteger]:
    """Return how many planes off the surface is along z, the number of planes if nowhere."""
    none = len(volume)
    away: npt.NDArray[np.unsignedinteger] = volume * np.array(none, np.min_scalar_type(none + 1))
    for ordered in (away, away[::-1]):
        for before, plane in pairwise(ordered):
            np.minimum(plane, before + 1, out=plane)
    return away


def _squares(n_planes: int, anisotropy: float) -> Squares:
    """Return the squared distance of so many planes; of all there are, it is infinite."""
    return np.append(np.square(np.arange(n_planes) * np.float64(anisotropy)), np.inf)


def _distances(
    planes: npt.NDArray[np.unsignedinteger], squares: Squares, rows: slice
) -> Floats | None:
    """Return the distance to the surface in some rows, or None if it is far or nowhere.

    Its square is found one axis after the other: along z, then y, then x.
    """
    n_rows, width = planes.shape[1:]
    seen = planes[:, rows]
    distances, flat = np.zeros(seen.shape), planes.reshape(-1)
    found = distances.reshape(-1)
    inside = np.flatnonzero(seen)
    x, lines = inside % width, inside // width
    y, z = lines % seen.shape[1] + rows.start, lines // seen.shape[1]
    places = (z * n_rows + y) * width + x

    def along_z(at: Places) -> Squares:
        return squares.take(flat.take(at, mode="clip"))

    def along_y(at: Places) -> Squares:
        return found.take(at, mode="clip")

    least = _least(along_z, places, y, n_rows, width)
    if least is None:
        return None
    found[inside] = least
    least = _least(along_y, inside, x, width, 1)
    if least is None or np.isinf(least).any():
        return None
    found[inside] = np.sqrt(least)
    return distances.astype(np.float32)


def _least(
    square_at: Callable[[Places], Squares],
    places: Places,
    along: Places,
    length: int,
    step: int,
) -> Squares | None:
    """Return the least sum of a square along an axis and what is there, or None if it is far.

    Parameters
    ----------
    square_at : callable
        Gives what is at places; what it gives for those beyond the ends is not looked at.
    places : array of int, shape (n,)
        Where, in the flat array.
    along : array of int, shape (n,)
        Where along the axis.
    length, step : int
        Of the axis, and what one along it adds to a place.
    """
    least, left = square_at(places), np.arange(len(places))
    for away in range(1, length):
        still = np.flatnonzero(least[left] > away * away)
        left, places, along = left[still], places[still], along[still]
        if not len(left):
            break
        if away > FARTHEST:
            return None
        before = np.where(along >= away, square_at(places - away * step), np.inf)
        after = np.where(along < length - away, square_at(places + away * step), np.inf)
        least[left] = np.minimum(least[left], np.minimum(before, after) + away * away)
    return least
