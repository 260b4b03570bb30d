"""Ids that follow their nuclei from frame to frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from napari_unet.nuclei.cleaning import has_table
from napari_unet.nuclei.dividing import MIN_OVERLAP, divisions
from napari_unet.nuclei.shared import Shared, share
from napari_unet.nuclei.tables import looked_up

LEAST_SWALLOWED = 0.5  # of a nucleus, that lies in one of the next frame with another such one


def link_over_time(
    labels: npt.NDArray[np.integer], min_overlap: float = MIN_OVERLAP
) -> npt.NDArray[np.int32]:
    """Return the labels with one id for each nucleus through all frames.

    A nucleus keeps its id while it overlaps itself in the next frame. Where one divides, both
    daughters get new ids (`napari_unet.nuclei.tracks.track_table` tells whose they are); one
    that is missing in a frame comes back with a new id. Where two become one, by a mistake of
    the segmentation, that is the one that overlaps it more, and no mother when they part.

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
    labels: npt.NDArray[np.integer],
    min_overlap: float = MIN_OVERLAP,
) -> Iterator[npt.NDArray[np.int32]]:
    """Yield the frames of `link_over_time` one by one.

    A frame of ``labels`` may be written over once its linked version is there.
    """
    if labels.ndim < 2:
        raise ValueError(
            f"Expected labels of shape (t, y, x) or (t, z, y, x), got {labels.shape}; "
            "a single frame needs no linking."
        )
    previous, known = np.zeros(labels.shape[1:], np.int32), Known()
    for frame in labels:
        common = share(frame, previous)
        partners, known = linked_ids(common, known, min_overlap)
        previous = _replace(frame, common.predicted, partners)
        yield previous


@dataclass(frozen=True, eq=False)
class Known:
    """What linking one frame needs to know of those before it.

    Parameters
    ----------
    n_ids : int
        How many ids there are so far.
    merged : array of int
        Ids that have swallowed others by a mistake, and are no mothers when these part.
    """

    n_ids: int = 0
    merged: npt.NDArray[np.integer] = field(default_factory=lambda: np.zeros(0, np.int32))


def linked_ids(
    common: Shared, known: Known, min_overlap: float = MIN_OVERLAP
) -> tuple[npt.NDArray[np.int32], Known]:
    """Return the id of each nucleus of a frame, and what the next frame needs to know.

    Parameters
    ----------
    common : Shared
        What the nuclei of the frame (``predicted``) share with those of the frame before it, by
        the ids that these were given (``truth``).
    known : Known
        Of the frames before it.
    min_overlap
        See `linked_frames`.

    Returns
    -------
    ids : array of int32
        For ``common.predicted``.
    known : Known
    """
    parted = divisions(common, min_overlap)
    mothers = common.truth[parted[:, 0]]
    ids = partners(common, min_overlap, parted[~np.isin(mothers, known.merged)])
    new = ids == 0
    ids[new] = np.arange(known.n_ids + 1, known.n_ids + 1 + np.count_nonzero(new))
    merged = np.union1d(np.setdiff1d(known.merged, mothers), ids[_swallowers(common)])
    return ids, Known(known.n_ids + int(new.sum()), merged)


def _swallowers(common: Shared) -> npt.NDArray[np.intp]:
    """Return which current nuclei hold most of two previous ones or more."""
    pairs = common.pixels.tocoo()
    inside = pairs.data >= LEAST_SWALLOWED * common.truth_sizes[pairs.col]
    return np.flatnonzero(np.bincount(pairs.row[inside]) > 1)


def match(
    previous: npt.NDArray[np.integer],
    current: npt.NDArray[np.integer],
    min_overlap: float = MIN_OVERLAP,
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
    return partners(share(current, previous), min_overlap)


def partners(
    common: Shared, min_overlap: float, parted: npt.NDArray[np.intp] | None = None
) -> npt.NDArray[np.int32]:
    """Return what `match` does, of what current (``predicted``) and previous nuclei share.

    Parameters
    ----------
    common : Shared
        What they share.
    min_overlap : float
        See `match`.
    parted : array of int, shape (n, 3), optional
        Mothers and daughters as `napari_unet.nuclei.dividing.divisions` returns them, which
        continue nothing.
    """
    if not 0 < min_overlap <= 1:
        raise ValueError(
            f"Expected a least overlap above 0 and at most 1, got {min_overlap}; 0.1 suits most."
        )
    iou = common.iou().tocoo()
    good = iou.data >= min_overlap
    if parted is not None and len(parted):
        good &= ~np.isin(iou.col, parted[:, 0]) & ~np.isin(iou.row, parted[:, 1:])
    columns = _assigned(iou.row[good], iou.col[good], iou.data[good], iou.shape)
    return np.asarray(np.append(common.truth, 0)[columns], dtype=np.int32)


def _assigned(
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    weights: npt.NDArray[np.float64],
    shape: tuple[int, int],
) -> npt.NDArray[np.intp]:
    """Return the column of every row, -1 for none; the pairs have the largest total weight.

    Most nuclei overlap one other alone, and that one no other: those need no search.
    """
    assigned = np.full(shape[0], -1)
    n_of_row, n_of_column = np.bincount(rows, minlength=1), np.bincount(columns, minlength=1)
    alone = (n_of_row[rows] == 1) & (n_of_column[columns] == 1)
    assigned[rows[alone]] = columns[alone]
    open_rows, at = np.unique(rows[~alone], return_inverse=True)
    if len(open_rows):
        found = _searched(at, columns[~alone], weights[~alone], shape[1])
        assigned[open_rows] = np.where(found < shape[1], found, -1)
    return assigned


def _searched(
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    weights: npt.NDArray[np.float64],
    n_columns: int,
) -> npt.NDArray[np.intp]:
    """Return the best column of every row, from ``n_columns`` on where there is none."""
    own = np.arange(rows.max() + 1)  # a column for each row, so that it may stay unmatched
    graph = sparse.csr_array(
        (
            np.concatenate([weights, np.full(len(own), 1e-9)]),
            (np.concatenate([rows, own]), np.concatenate([columns, n_columns + own])),
        ),
        shape=(len(own), n_columns + len(own)),
    )
    return np.asarray(min_weight_full_bipartite_matching(graph, maximize=True)[1], np.intp)


def following(
    previous: npt.NDArray[np.integer],
    current: npt.NDArray[np.integer],
    highest: int,
    min_overlap: float = MIN_OVERLAP,
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
    common = share(current, previous)
    found = partners(common, min_overlap)
    new = found == 0
    found[new] = np.arange(1, np.count_nonzero(new) + 1) + highest
    return _replace(current, common.predicted, found)


def _replace(
    labels: npt.NDArray[np.integer], ids: npt.NDArray[np.integer], new_ids: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Return the labels with each of the sorted ``ids`` replaced; background stays 0."""
    if has_table(labels):
        table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
        table[ids] = new_ids
        return looked_up(table, labels)
    replaced = np.zeros(labels.shape, np.int32)
    inside = labels > 0
    replaced[inside] = new_ids[np.searchsorted(ids, labels[inside])]
    return replaced
