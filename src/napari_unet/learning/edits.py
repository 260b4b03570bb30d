"""Which nuclei were added, removed, reshaped or only renumbered between two sets of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOTHING_YET = "nothing corrected yet"


@dataclass(frozen=True, eq=False)
class Edits:
    """What became of the nuclei.

    Parameters
    ----------
    changed : (n,) int64
        Ids of the edited labels that were added or reshaped, in rising order.
    renumbered : (n, 2) int64
        Ids, before and after, of nuclei that have the same pixels under another id.
    n_added : int
        How many of the changed ids are new.
    n_removed : int
        How many nuclei became background.
    """

    changed: NDArray[np.int64]
    renumbered: NDArray[np.int64]
    n_added: int
    n_removed: int


def changed_pairs(old: NDArray[np.int32], new: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return each pair of different labels that pixels of a plane have before and after.

    Parameters
    ----------
    old, new : (y, x) int32
        Labels before and after, 0 or more.

    Returns
    -------
    (n, 3) int64
        Label before, label after, number of pixels.

    Examples
    --------
    >>> changed_pairs(np.array([[1, 1, 2, 0]]), np.array([[1, 0, 0, 3]])).tolist()
    [[0, 3, 1], [1, 0, 1], [2, 0, 1]]
    """
    differs = old != new
    if not differs.any():
        return np.zeros((0, 3), np.int64)
    pairs = old[differs].astype(np.int64) << 32 | new[differs]
    pairs, n_pixels = np.unique(pairs, return_counts=True)
    return np.stack([pairs >> 32, pairs & 0xFFFFFFFF, n_pixels], axis=1)


def leftovers(new: NDArray[np.int32], change: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the nuclei of a plane that others were painted over, and nothing else was done to.

    What is left of them is what the model saw less what the user drew: nobody vouches for it.

    Parameters
    ----------
    new : (y, x) int32
        Labels after.
    change : (n, 3) int64
        See `changed_pairs`.

    Examples
    --------
    >>> before, after = np.array([[1, 1, 2, 2, 0]]), np.array([[1, 3, 3, 0, 0]])
    >>> leftovers(after, changed_pairs(before, after)).tolist()
    [1]
    """
    old, now, _ = change.T
    covered = np.setdiff1d(old, [0, *now, *old[now == 0]])
    return np.unique(new[np.isin(new, covered)]).astype(np.int64)


def find_edits(
    old: NDArray[np.int32],
    new: NDArray[np.int32],
    changes: dict[tuple[int, ...], NDArray[np.int64]],
) -> Edits:
    """Return what became of the nuclei of all planes.

    Parameters
    ----------
    old, new : (..., y, x) int32
        Labels before and after; a label may go on over several planes.
    changes : dict
        `changed_pairs` of every plane, by the plane's index.
    """
    change = _total(list(changes.values()))
    kept = _kept(old, new, changes, np.setdiff1d(change[:, :2], [0]))
    same = _is_renumbered(change, kept)
    change, renumbered = change[~same], change[same, :2]
    before, after = (np.setdiff1d(column, [0]) for column in change[:, :2].T)
    gone = np.setdiff1d(before, np.union1d(after, kept))
    heirs, n_removed = _heirs(change, gone)
    added = np.setdiff1d(after, np.concatenate([before, kept, heirs]))
    changed = np.union1d(after, np.intersect1d(before, kept))
    return Edits(changed, renumbered, len(added), n_removed)


def changed_ids(
    change: NDArray[np.int64], edits: Edits
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which ids differ in the labels before, and in those after.

    An id that one nucleus gave away may now be that of another, so each side has its own list.

    Parameters
    ----------
    change : (n, 3) int64
        `changed_pairs` of one plane or several.
    edits : Edits
        What became of the nuclei: those that were only renumbered do not differ.
    """
    change = change[~np.isin(change[:, 0], edits.renumbered[:, 0])]
    before, after = (np.setdiff1d(change[:, :2], [0, *ids]) for ids in edits.renumbered.T)
    return before, after


def _total(changes: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the changes of several planes as one table of the same columns."""
    rows = np.concatenate(changes)
    pairs, place = np.unique(rows[:, :2], axis=0, return_inverse=True)
    n_pixels = np.zeros(len(pairs), np.int64)
    np.add.at(n_pixels, place.ravel(), rows[:, 2])
    return np.column_stack([pairs, n_pixels])


def _kept(
    old: NDArray[np.int32],
    new: NDArray[np.int32],
    changes: dict[tuple[int, ...], NDArray[np.int64]],
    ids: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return those ids, of a sorted list, with a pixel that was theirs and still is."""
    missing = ids
    # The planes with changes come first: once every id is found there, the rest is not searched.
    for index in sorted(changes, key=lambda index: not len(changes[index])):
        if not missing.size:
            break
        plane = new[index]
        if len(changes[index]):
            plane = np.where(old[index] == plane, plane, 0)
        if plane.max() >= missing[0]:
            missing = np.setdiff1d(missing, plane[np.isin(plane, missing)])
    return np.setdiff1d(ids, missing)


def _is_renumbered(change: NDArray[np.int64], kept: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which rows are one nucleus that has all its pixels, and no others, under a new id."""
    old, new = change[:, 0], change[:, 1]
    is_whole = (old > 0) & (new > 0) & ~np.isin(change[:, :2], kept).any(axis=1)
    for ids in (old, new):
        _, place, n_rows = np.unique(ids, return_inverse=True, return_counts=True)
        is_whole &= n_rows[place] == 1
    return is_whole


def _heirs(change: NDArray[np.int64], gone: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Return which ids have most of the merged nuclei's pixels, and how many are background."""
    rows = change[np.isin(change[:, 0], gone)]
    place = np.searchsorted(gone, rows[:, 0])
    n_pixels = np.bincount(place, rows[:, 2], len(gone))
    n_background = np.bincount(place, rows[:, 2] * (rows[:, 1] == 0), len(gone))
    is_removed = 2 * n_background > n_pixels
    rows = rows[~is_removed[place] & (rows[:, 1] > 0)]
    rows = rows[np.lexsort((-rows[:, 2], rows[:, 0]))]
    _, first = np.unique(rows[:, 0], return_index=True)
    return np.unique(rows[first, 1]), int(is_removed.sum())
