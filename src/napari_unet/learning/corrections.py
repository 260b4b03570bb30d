"""What a user changed on a result, and where that says what is right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected_pieces
from skimage.morphology import disk

LEAST_RIM = 2  # px
RIM_OF_DIAMETER = 1 / 8  # a quarter of the radius


@dataclass(frozen=True, eq=False)
class Corrections:
    """Labels that a user corrected, and where they are known to be right.

    True wherever something is known.

    Parameters
    ----------
    labels : (..., y, x) int32
        One label per nucleus, 0 is background. Not a copy where the labels given were int32.
    known : (..., y, x) bool
        Where the user vouches for the labels; everything else is unknown, not background.
    changed : (n,) int32
        Labels of the nuclei that were added or reshaped, in rising order.
    n_added, n_removed, n_reshaped : int
        Nuclei that are new, gone, or have other pixels than before.
    n_confirmed : int
        Nuclei of the confirmed area that were not changed.
    n_planes : int
        Planes on which something is known.
    """

    labels: NDArray[np.int32]
    known: NDArray[np.bool_]
    changed: NDArray[np.int32]
    n_added: int = 0
    n_removed: int = 0
    n_reshaped: int = 0
    n_confirmed: int = 0
    n_planes: int = 0

    def __bool__(self) -> bool:
        return self.n_planes > 0

    def summary(self) -> str:
        """Return the counts in words; planes are named only where there can be several."""
        if not self:
            return "nothing corrected yet"
        counts = {
            "added": self.n_added,
            "removed": self.n_removed,
            "reshaped": self.n_reshaped,
            "confirmed": self.n_confirmed,
        }
        parts = [f"{n} {what}" for what, n in counts.items() if n]
        text = ", ".join(parts) or "an area without nuclei confirmed"
        if parts:
            n, _, rest = text.partition(" ")
            text = f"{n} {'nucleus' if n == '1' else 'nuclei'} {rest}"
        if self.labels.ndim == 2:
            return text
        return f"{text} on {self.n_planes} plane{'' if self.n_planes == 1 else 's'}"


@dataclass(frozen=True, eq=False)
class _Edits:
    """What became of the nuclei; ``renumbered`` are the ids that one has before and after."""

    changed: NDArray[np.int64]
    renumbered: NDArray[np.int64]
    n_added: int
    n_removed: int


def rim_for(diameter: float) -> int:
    """Return how far, in px, what is known reaches beyond nuclei of a typical diameter.

    Examples
    --------
    >>> rim_for(40.0), rim_for(8.0)
    (5, 2)
    """
    return max(LEAST_RIM, round(diameter * RIM_OF_DIAMETER)) if math.isfinite(diameter) else 2


def corrections(
    prediction: NDArray[np.integer],
    edited: NDArray[np.integer],
    confirmed: NDArray[np.bool_] | None = None,
    rim: int = LEAST_RIM,
) -> Corrections:
    """Return what differs between the labels of a model and those that a user made of them.

    A nucleus is changed when its pixels are not those that its label had before: added if that
    label is new, else reshaped. One that is gone was removed if most of its pixels are background
    now, else merged: the nucleus that has most of them counts as reshaped. The same pixels under
    another label are no correction.

    Known, on every plane where something differs, are the nuclei that do, where they were, and a
    rim of background around both. Unchanged neighbours stay unknown.

    Parameters
    ----------
    prediction, edited : (..., y, x) integers
        Labels before and after; a label may go on over several planes.
    confirmed : (..., y, x) bool, optional
        Where the user said that the labels are right.
    rim : int
        Width of the rim in pixels, see `rim_for`.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than two axes, or labels are not 0 to 2**31 - 1.

    Examples
    --------
    >>> before = np.array([[0, 0, 0, 0, 5, 5]])
    >>> after = np.array([[7, 0, 0, 0, 5, 5]])
    >>> found = corrections(before, after)
    >>> found.summary(), found.known.astype(int).tolist()
    ('1 nucleus added', [[1, 1, 1, 0, 0, 0]])
    """
    old, new = _as_labels(prediction), _as_labels(edited)
    sure = np.zeros(new.shape, bool) if confirmed is None else np.asarray(confirmed, bool)
    _check(old, new, sure, rim)
    changes = {index: _changes(old[index], new[index]) for index in np.ndindex(new.shape[:-2])}
    edits = _edits(old, new, changes)
    known, unchanged = np.zeros(new.shape, bool), {0}
    for index, change in changes.items():
        if len(change):
            known[index] = _known(old[index], new[index], change, edits, rim)
        if sure[index].any():
            known[index] |= sure[index]
            unchanged |= set(np.unique(new[index][sure[index]]).tolist())
    return Corrections(
        new,
        known,
        edits.changed.astype(np.int32),
        edits.n_added,
        edits.n_removed,
        len(edits.changed) - edits.n_added,
        len(unchanged - {0, *edits.changed.tolist()}),
        _n_planes(known),
    )


def from_scribbles(scribbles: NDArray[np.integer], background: int) -> Corrections:
    """Return what a user painted on a layer of its own.

    Parameters
    ----------
    scribbles : (..., y, x) integers
        0 is not painted and unknown. Each piece of one value on a plane is one nucleus; pieces
        that do not touch, corners included, are several.
    background : int
        The value that stands for background.

    Raises
    ------
    ValueError
        If `background` is 0, there are fewer than two axes, or a value is not 0 to 2**31 - 1.

    Examples
    --------
    >>> found = from_scribbles(np.array([[3, 3, 0, 3, 1, 1]]), background=1)
    >>> found.labels.tolist(), found.known.astype(int).tolist()
    ([[1, 1, 0, 2, 0, 0]], [[1, 1, 0, 1, 1, 1]])
    """
    if background == 0:
        raise ValueError(
            "Expected a value that is painted for background, got 0, which is where nothing is "
            "painted; choose another value."
        )
    paint, n_nuclei = _as_labels(scribbles), 0
    labels, known = np.zeros(paint.shape, np.int32), paint != 0
    for index in _planes_of(known):
        pieces = connected_pieces(paint[index] * (paint[index] != background), connectivity=2)
        labels[index] = pieces + n_nuclei * (pieces > 0)
        n_nuclei += int(pieces.max())
    ids = np.arange(1, n_nuclei + 1, dtype=np.int32)
    return Corrections(labels, known, ids, n_added=n_nuclei, n_planes=_n_planes(known))


def _as_labels(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return labels as int32, not copied if they are."""
    array = np.asarray(labels)
    if array.dtype.kind not in "iu" or array.ndim < 2 or not array.size:
        raise ValueError(
            f"Expected whole numbers with the axes y and x, got {array.dtype} of the shape "
            f"{array.shape}; give the data of a Labels layer."
        )
    low, high = array.min(), array.max()
    if low < 0 or high > np.iinfo(np.int32).max:
        raise ValueError(
            f"Expected labels from 0 to 2147483647, got {low} to {high}; renumber them."
        )
    return array.astype(np.int32, copy=False)


def _check(
    old: NDArray[np.int32], new: NDArray[np.int32], sure: NDArray[np.bool_], rim: int
) -> None:
    if not old.shape == new.shape == sure.shape:
        raise ValueError(
            f"Expected prediction, edited and confirmed of one shape, got {old.shape}, "
            f"{new.shape} and {sure.shape}; give those of one image."
        )
    if rim < 0:
        raise ValueError(f"Expected a rim of 0 px or more, got {rim}; choose another.")


def _planes_of(known: NDArray[np.bool_]) -> Iterator[tuple[int, ...]]:
    """Yield where planes lie on which something is known."""
    return (index for index in np.ndindex(known.shape[:-2]) if known[index].any())


def _n_planes(known: NDArray[np.bool_]) -> int:
    return sum(1 for _ in _planes_of(known))


def _changes(old: NDArray[np.int32], new: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return each pair of labels that a pixel had before and after, with its pixels, (n, 3)."""
    differs = old != new
    if not differs.any():
        return np.zeros((0, 3), np.int64)
    pairs = old[differs].astype(np.int64) << 32 | new[differs]
    pairs, n_pixels = np.unique(pairs, return_counts=True)
    return np.stack([pairs >> 32, pairs & 0xFFFFFFFF, n_pixels], axis=1)


def _edits(
    old: NDArray[np.int32],
    new: NDArray[np.int32],
    changes: dict[tuple[int, ...], NDArray[np.int64]],
) -> _Edits:
    """Return what became of the nuclei of all planes."""
    change = _total(list(changes.values()))
    kept = _kept(old, new, changes, np.setdiff1d(change[:, :2], [0]))
    same = _is_renumbered(change, kept)
    change, renumbered = change[~same], change[same, :2]
    before, after = (np.setdiff1d(column, [0]) for column in change[:, :2].T)
    gone = np.setdiff1d(before, np.union1d(after, kept))
    heirs, n_removed = _heirs(change, gone)
    added = np.setdiff1d(after, np.concatenate([before, kept, heirs]))
    changed = np.union1d(after, np.intersect1d(before, kept))
    return _Edits(changed, renumbered, len(added), n_removed)


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


def _heirs(
    change: NDArray[np.int64], gone: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
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


def _known(
    old: NDArray[np.int32],
    new: NDArray[np.int32],
    change: NDArray[np.int64],
    edits: _Edits,
    rim: int,
) -> NDArray[np.bool_]:
    """Return what the changes of one plane make known."""
    change = change[~np.isin(change[:, 0], edits.renumbered[:, 0])]
    # An id that one nucleus gave away may now be that of another, so each side has its own list.
    before, after = (np.setdiff1d(change[:, :2], [0, *ids]) for ids in edits.renumbered.T)
    touched = np.isin(old, before) | np.isin(new, after)
    box = _box(touched, rim)
    grown = ndimage.binary_dilation(touched[box], disk(rim))
    touched[box] |= grown & (new[box] == 0)
    return touched


def _box(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Return the smallest box around a mask, (y, x), and a margin; the first pixel if none."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    y, x = ((int(p[0]), int(p[-1]) + 1) if p.size else (0, 1) for p in (rows, columns))
    return tuple(slice(max(low - margin, 0), high + margin) for low, high in (y, x))  # type: ignore[return-value]
