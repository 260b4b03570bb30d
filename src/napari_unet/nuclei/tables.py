"""Tables by label, and the labels of whole planes that go through them.

NumPy takes indices as int64, and holds those of a whole plane at once; here they go through in
parts, which takes less time as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

PART = 1 << 18  # pixels or voxels at a time
Value = TypeVar("Value", bound=np.generic)


def parts(size: int) -> Iterator[slice]:
    """Yield the stretches that so many pixels are taken in, in rising order.

    Examples
    --------
    >>> list(parts(300_000))
    [slice(0, 262144, None), slice(262144, 300000, None)]
    """
    for start in range(0, size, PART):
        yield slice(start, min(start + PART, size))


def looked_up(table: npt.NDArray[Value], labels: npt.NDArray[np.integer]) -> npt.NDArray[Value]:
    """Return ``table[labels]``; there are no labels below 0 or beyond the table."""
    flat = labels.reshape(-1)
    found = np.empty(flat.shape, table.dtype)
    for part in parts(flat.size):
        np.take(table, flat[part], out=found[part], mode="clip")  # not checked: half the time
    return found.reshape(labels.shape)


def counted(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """Return how many pixels each label has, the background first.

    Examples
    --------
    >>> counted(np.array([[3, 3], [0, 1]]))
    array([1, 1, 0, 2])
    """
    flat = labels.reshape(-1)
    counts = np.zeros(int(flat.max(initial=0)) + 1, np.intp)
    for part in parts(flat.size):
        starts = _starts_of_runs(flat[part])
        lengths = np.diff(starts, append=part.stop - part.start)
        counts += np.bincount(flat[part][starts], lengths, len(counts)).astype(np.intp)
    return counts


def weighted_median(values: npt.NDArray[np.number], weights: npt.NDArray[np.number]) -> float:
    """Return the least value at or below which half of all weight lies.

    With sizes as weights it is the median over pixels and not over nuclei, so that fragments, which
    are many but small, hardly count.

    Examples
    --------
    >>> weighted_median(np.array([9, 1, 1, 8]), np.array([90, 2, 3, 80]))
    9.0
    """
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])


def first_pixels(
    labels: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the ids in rising order, and the place of each one's first pixel in reading order.

    Examples
    --------
    >>> first_pixels(np.array([[0, 9, 9], [4, 4, 0]], dtype=np.int32))
    (array([4, 9]), array([3, 1]))
    """
    flat = labels.reshape(-1)
    first = np.full(int(flat.max(initial=0)) + 1, -1, np.intp)
    for part in reversed(list(parts(flat.size))):
        own = flat[part]
        starts = _starts_of_runs(own)[::-1]
        first[own[starts]] = starts + part.start  # of repeated ids the last, first pixel stays
    ids = np.flatnonzero(first[1:] >= 0) + 1
    return ids, first[ids]


def _starts_of_runs(flat: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """Return where each run of one label starts; there is one pixel at least."""
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.concatenate([np.zeros(1, np.intp), starts])
