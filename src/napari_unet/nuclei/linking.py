"""Ids that follow their nuclei from frame to frame, or from plane to plane."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from napari_unet.nuclei.cleaning import distinct, has_table
from napari_unet.nuclei.metrics import overlaps


def link_over_time(
    labels: npt.NDArray[np.integer], min_overlap: float = 0.1
) -> npt.NDArray[np.int32]:
    """Return the labels with one id for each nucleus through all frames.

    A nucleus keeps its id while it overlaps itself in the next frame. One that divides hands
    its id to the daughter that overlaps it more, the other daughter gets a new id; one that
    is missing in a frame comes back with a new id.

    Parameters
    ----------
    labels : array of int, shape (t, [z,] y, x)
        Each frame labelled for itself; 0 is background.
    min_overlap : float
        Least intersection over union of a nucleus with itself in the next frame, above 0, at
        most 1.

    Returns
    -------
    array of int32, shape of ``labels``
        Ids 1..n in order of their first frame, then of their ids in that frame.

    Raises
    ------
    ValueError
        If there is no first axis to link along, or the overlap is out of range.

    Examples
    --------
    >>> link_over_time(np.array([[1, 1, 0, 2, 2], [0, 0, 0, 1, 1], [7, 0, 0, 9, 9]]))
    array([[1, 1, 0, 2, 2],
           [0, 0, 0, 2, 2],
           [3, 0, 0, 2, 2]], dtype=int32)
    """
    linked = np.zeros(labels.shape, np.int32)
    for out, frame in zip(linked, linked_frames(labels, min_overlap), strict=True):
        out[...] = frame
    return linked


def linked_frames(
    labels: npt.NDArray[np.integer], min_overlap: float = 0.1
) -> Iterator[npt.NDArray[np.int32]]:
    """Yield the frames of `link_over_time` one by one.

    A frame of ``labels`` may be written over once its linked version is there.
    """
    if labels.ndim < 2:
        raise ValueError(
            f"Expected labels of shape (t, y, x) or (t, z, y, x), got {labels.shape}; "
            "a single frame needs no linking."
        )
    previous, n_ids = np.zeros(labels.shape[1:], np.int32), 0
    for frame in labels:
        ids = _nuclei(frame)
        partners = match(previous, frame, min_overlap)
        new = partners == 0
        partners[new] = np.arange(n_ids + 1, n_ids + 1 + np.count_nonzero(new))
        previous, n_ids = _replace(frame, ids, partners), n_ids + int(np.count_nonzero(new))
        yield previous


def match(
    previous: npt.NDArray[np.integer], current: npt.NDArray[np.integer], min_overlap: float = 0.1
) -> npt.NDArray[np.int32]:
    """Return for every current nucleus the previous one it continues.

    Pairs are one to one and share the largest total intersection over union (linear
    assignment, as in Jaqaman et al. 2008, solved on the overlapping pairs only).

    Parameters
    ----------
    previous, current : array of int, same shape
        0 is background.
    min_overlap : float
        Least intersection over union of a pair, above 0, at most 1.

    Returns
    -------
    array of int32, shape (n_current,)
        Previous ids for the current ids in ascending order; 0 for a nucleus that is new.

    Raises
    ------
    ValueError
        If the shapes differ or the overlap is out of range.

    Examples
    --------
    >>> match(np.array([5, 5, 5, 0, 0]), np.array([0, 1, 1, 2, 2]))
    array([5, 0], dtype=int32)
    """
    if not 0 < min_overlap <= 1:
        raise ValueError(
            f"Expected a least overlap above 0 and at most 1, got {min_overlap}; 0.1 suits most."
        )
    iou = overlaps(current, previous).tocoo()
    n_current, n_previous = iou.shape
    good = iou.data >= min_overlap
    alone = np.arange(n_current)  # an own column for each row, so that it may stay unmatched
    weights = np.concatenate([iou.data[good], np.full(n_current, 1e-9)])
    rows = np.concatenate([iou.row[good], alone])
    columns = np.concatenate([iou.col[good], n_previous + alone])
    pairs = sparse.csr_array((weights, (rows, columns)), shape=(n_current, n_previous + n_current))
    _, partners = min_weight_full_bipartite_matching(pairs, maximize=True)
    ids = np.concatenate([_nuclei(previous), np.zeros(n_current)])
    return np.asarray(ids[partners], dtype=np.int32)


def following(
    previous: npt.NDArray[np.integer],
    current: npt.NDArray[np.integer],
    highest: int,
    min_overlap: float = 0.1,
) -> npt.NDArray[np.int32]:
    """Return the current labels with the ids of the previous nuclei that they continue.

    Parameters
    ----------
    previous, current : array of int, same shape
        0 is background.
    highest : int
        Nuclei that are new get the ids after this one.
    min_overlap : float
        See `match`.

    Returns
    -------
    array of int32, shape of ``current``

    Examples
    --------
    >>> following(np.array([5, 5, 5, 0, 0]), np.array([0, 1, 1, 2, 2]), highest=7)
    array([0, 5, 5, 8, 8], dtype=int32)
    """
    partners = match(previous, current, min_overlap)
    new = partners == 0
    partners[new] = np.arange(1, np.count_nonzero(new) + 1) + highest
    return _replace(current, _nuclei(current), partners)


def _nuclei(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    ids = distinct(labels)
    return ids[ids > 0]


def _replace(
    labels: npt.NDArray[np.integer], ids: npt.NDArray[np.integer], new_ids: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Return the labels with each of the sorted ``ids`` replaced; background stays 0."""
    if has_table(labels):
        table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
        table[ids] = new_ids
        return np.asarray(table[labels])
    replaced = np.zeros(labels.shape, np.int32)
    inside = labels > 0
    replaced[inside] = new_ids[np.searchsorted(ids, labels[inside])]
    return replaced
