"""Labels made tidy: holes filled, unwanted nuclei dropped, ids in reading order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.nuclei.tables import counted, first_pixels, looked_up

_LARGEST_TABLE = 1 << 20


def has_table(labels: npt.NDArray[np.integer]) -> bool:
    """Tell whether ids are low enough for a table of all: far quicker than sorting the pixels."""
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    return lowest == 0 and highest <= max(_LARGEST_TABLE, labels.size)


def distinct(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Return the different ids, in rising order, 0 among them where there is background.

    Examples
    --------
    >>> distinct(np.array([[7, 0, 7], [0, 2, 2]]))
    array([0, 2, 7])
    """
    if has_table(labels):
        flat = labels.reshape(-1).astype(np.intp, copy=False)
        return np.flatnonzero(np.bincount(flat)).astype(labels.dtype)
    return np.unique(labels)


def fill_holes(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the labels with every hole that lies inside a single nucleus filled.

    A gap between several nuclei is background and stays; so does one that reaches the rim of
    the image. Works in any number of dimensions; axes of length 1 have no rim.

    Parameters
    ----------
    labels : array of int32
        0 is background.

    Returns
    -------
    array of int32, shape of ``labels``

    Examples
    --------
    >>> fill_holes(np.array([[3, 3, 3, 4], [3, 0, 3, 0], [3, 3, 3, 4]], dtype=np.int32))
    array([[3, 3, 3, 4],
           [3, 3, 3, 0],
           [3, 3, 3, 4]], dtype=int32)
    """
    filled = np.ascontiguousarray(labels).copy()
    places, owners = holes(filled)
    filled.reshape(-1)[places] = owners
    return filled


def holes(labels: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]:
    """Return the pixels of all holes, counted in reading order, and the nucleus of each.

    Parameters
    ----------
    labels : array of int32
        0 is background.

    Examples
    --------
    >>> holes(np.array([[3, 3, 3, 4], [3, 0, 3, 0], [3, 3, 3, 4]], dtype=np.int32))
    (array([5]), array([3], dtype=int32))
    """
    everywhere = ndimage.generate_binary_structure(labels.ndim, labels.ndim)
    gaps, n_gaps = ndimage.label(labels == 0, everywhere)
    closed = np.ones(n_gaps + 1, bool)
    closed[0] = False
    closed[rim_ids(gaps, range(labels.ndim))] = False
    places = np.flatnonzero(looked_up(closed, gaps))
    gap = gaps.reshape(-1)[places]
    owners = _only_neighbour(labels, places, gap, n_gaps)[gap]
    filled = owners > 0
    return places[filled], owners[filled]


def _only_neighbour(
    labels: npt.NDArray[np.int32],
    holes: npt.NDArray[np.intp],
    owners: npt.NDArray[np.int32],
    n_gaps: int,
) -> npt.NDArray[np.int32]:
    """Return for every gap the one label that its hole pixels touch, or 0 if there are more."""
    none = np.iinfo(np.int32).max
    lowest = np.full(n_gaps + 1, none, np.int32)
    highest = np.zeros(n_gaps + 1, np.int32)
    flat = labels.reshape(-1)
    steps = [np.prod(labels.shape[axis + 1 :], dtype=np.intp) for axis in range(labels.ndim)]
    for step, length in zip(steps, labels.shape, strict=True):
        for shift in (step, -step) if length > 1 else ():
            neighbours = flat[holes + shift]
            np.maximum.at(highest, owners, neighbours)
            np.minimum.at(lowest, owners, np.where(neighbours, neighbours, none))
    return np.where(lowest == highest, highest, 0).astype(np.int32)


def rim_ids(labels: npt.NDArray[np.integer], axes: range) -> npt.NDArray[np.integer]:
    """Return the ids on the first and last pixels of ``axes``, leaving out axes of length 1."""
    faces = [labels.take([0, -1], axis=axis).reshape(-1) for axis in axes if labels.shape[axis] > 1]
    return np.unique(np.concatenate(faces)) if faces else np.zeros(0, labels.dtype)


def drop(
    labels: npt.NDArray[np.int32], min_size: int, max_size: int | None, rim: bool
) -> npt.NDArray[np.int32]:
    """Return the labels without the nuclei that are too small, too large or cut by the rim.

    Parameters
    ----------
    labels : array of int32
        0 is background.
    min_size, max_size : int
        Limits that are kept, in pixels or voxels; ``max_size`` None is no limit.
    rim : bool
        Drop what touches the rim of y or x as well; the first and last z are no rim.

    Returns
    -------
    array of int32, shape of ``labels``

    Examples
    --------
    >>> drop(np.array([[1, 0, 2, 2]], dtype=np.int32), min_size=2, max_size=None, rim=False)
    array([[0, 0, 2, 2]], dtype=int32)
    """
    sizes = counted(labels)
    at_rim = rim_ids(labels, range(labels.ndim - 2, labels.ndim)) if rim else None
    return looked_up(selection(sizes, min_size, max_size, at_rim), labels)


def selection(
    sizes: npt.NDArray[np.intp],
    min_size: int,
    max_size: int | None,
    at_rim: npt.NDArray[np.integer] | None,
) -> npt.NDArray[np.int32]:
    """Return a table from ids to themselves, or to 0 for the nuclei that `drop` drops.

    Parameters
    ----------
    sizes : array of int
        Of every id, that of the background first.
    min_size, max_size
        See `drop`.
    at_rim : array of int, optional
        Ids to drop because they are cut by the rim.
    """
    keep = sizes >= min_size
    if max_size is not None:
        keep &= sizes <= max_size
    if at_rim is not None:
        keep[at_rim] = False
    keep[0] = False
    return np.where(keep, np.arange(len(keep), dtype=np.int32), np.int32(0))


def number_in_reading_order(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the labels renumbered 1..n by the place of their first pixel.

    Parameters
    ----------
    labels : array of int32
        0 is background.

    Returns
    -------
    array of int32, shape of ``labels``
        Read plane by plane, row by row, left to right.

    Examples
    --------
    >>> number_in_reading_order(np.array([[0, 9, 9], [4, 4, 0]], dtype=np.int32))
    array([[0, 1, 1],
           [2, 2, 0]], dtype=int32)
    """
    ids, first = first_pixels(labels)
    numbers = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    numbers[ids[np.argsort(first)]] = np.arange(1, len(ids) + 1)
    return looked_up(numbers, labels)
