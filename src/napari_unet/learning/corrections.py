"""What a user changed on a result, and where that says what is right."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected_pieces
from skimage.morphology import disk

from napari_unet.learning.edits import (
    NOTHING_YET,
    Edits,
    changed_ids,
    changed_pairs,
    find_edits,
    leftovers,
)

LEAST_RIM = 2  # px
RIM_OF_DIAMETER = 1 / 8  # a quarter of the radius
MOST_NAMED = 3  # labels


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
        Nuclei that were called right, by themselves or with an area, and were not changed.
    n_planes : int
        Planes on which something is known.
    scattered : tuple of int
        Those of the changed labels that are in several pieces on a plane, and were not before.
    """

    labels: NDArray[np.int32]
    known: NDArray[np.bool_]
    changed: NDArray[np.int32]
    n_added: int = 0
    n_removed: int = 0
    n_reshaped: int = 0
    n_confirmed: int = 0
    n_planes: int = 0
    scattered: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return self.n_planes > 0

    def summary(self) -> str:
        """Return the counts in words; planes are named only where there can be several."""
        if not self:
            return NOTHING_YET
        counts = (self.n_added, self.n_removed, self.n_reshaped, self.n_confirmed)
        words = ("added", "removed", "reshaped", "confirmed")
        parts = [(n, word) for n, word in zip(counts, words, strict=True) if n]
        nuclei = [f"{n} {word}" for n, word in parts]
        if parts:
            n, word = parts[0]
            nuclei[0] = f"{n} {'nucleus' if n == 1 else 'nuclei'} {word}"
        text = ", ".join(nuclei) or "an area without nuclei"
        if self.labels.ndim > 2:
            text += f" on {self.n_planes} plane{'' if self.n_planes == 1 else 's'}"
        return text + self._advice()

    def _advice(self) -> str:
        """Return what to do if one label was taken for several nuclei; empty if none was."""
        names = ", ".join(str(label) for label in self.scattered[:MOST_NAMED])
        more = " …" if len(self.scattered) > MOST_NAMED else ""
        which = f"label {names} is" if len(self.scattered) == 1 else f"labels {names}{more} are"
        advice = f"; {which} in several pieces: give each nucleus a label of its own"
        return advice if len(self.scattered) else ""


def rim_for(diameter: float) -> int:
    """Return how far, in px, what is known reaches beyond nuclei of a typical diameter.

    Examples
    --------
    >>> rim_for(40.0), rim_for(8.0)
    (5, 2)
    """
    if not math.isfinite(diameter):
        return LEAST_RIM
    return max(LEAST_RIM, round(diameter * RIM_OF_DIAMETER))


def corrections(
    prediction: NDArray[np.integer],
    edited: NDArray[np.integer],
    confirmed: NDArray[np.bool_] | None = None,
    rim: int = LEAST_RIM,
    right: Collection[int] = (),
) -> Corrections:
    """Return what differs between the labels of a model and those that a user made of them.

    A nucleus is changed when its pixels are not those that its label had before: added if that
    label is new, else reshaped. One that is gone was removed if most of its pixels are background
    now, else merged: the nucleus that has most of them counts as reshaped. The same pixels under
    another label are no correction.

    Known, on every plane where something differs, are the nuclei that do, where they were, and a
    rim of background around both. Unchanged neighbours stay unknown, and so does what is left of
    a nucleus that others were painted over.

    Parameters
    ----------
    prediction, edited : (..., y, x) integers
        Labels before and after; a label may go on over several planes.
    confirmed : (..., y, x) bool, optional
        Where the user said that the labels are right.
    rim : int
        Width of the rim in pixels, see `rim_for`.
    right : collection of int
        Labels of nuclei that the user said are right: they are known with a rim of background,
        as if they had been drawn so.

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
    old, new = as_labels(prediction), as_labels(edited)
    sure = np.zeros(new.shape, bool) if confirmed is None else np.asarray(confirmed, bool)
    _check(old, new, sure, rim)
    changes = {index: changed_pairs(old[index], new[index]) for index in np.ndindex(new.shape[:-2])}
    edits = find_edits(old, new, changes)
    known, unchanged = np.zeros(new.shape, bool), {0}
    scattered: set[int] = set()
    sure_ids = np.array(list(right), np.int32)
    for index, change in changes.items():
        here = np.intersect1d(new[index], sure_ids) if len(sure_ids) else sure_ids
        unchanged |= set(here.tolist())
        if len(change) or here.size:
            known[index] = _known(old[index], new[index], change, edits, rim, here)
            scattered |= _scattered(old[index], new[index], change, edits, known[index])
        if sure[index].any():
            known[index] |= sure[index]
            unchanged |= set(np.unique(new[index][sure[index]]).tolist())
    return Corrections(
        new,
        known,
        edits.changed.astype(np.int32),
        n_added=edits.n_added,
        n_removed=edits.n_removed,
        n_reshaped=len(edits.changed) - edits.n_added,
        n_confirmed=len(unchanged - {0, *edits.changed.tolist()}),
        n_planes=_n_planes(known),
        scattered=tuple(sorted(scattered)),
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
    paint, n_nuclei = as_labels(scribbles), 0
    labels, known = np.zeros(paint.shape, np.int32), paint != 0
    for index in _planes_of(known):
        pieces = connected_pieces(paint[index] * (paint[index] != background), connectivity=2)
        labels[index] = pieces + n_nuclei * (pieces > 0)
        n_nuclei += int(pieces.max())
    ids = np.arange(1, n_nuclei + 1, dtype=np.int32)
    return Corrections(labels, known, ids, n_added=n_nuclei, n_planes=_n_planes(known))


def bounding_box(mask: NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice]:
    """Return the smallest box around a mask (y, x), and a margin; the first pixel if it is empty.

    Examples
    --------
    >>> bounding_box(np.array([[0, 0, 0], [0, 1, 1]], bool))
    (slice(1, 2, None), slice(1, 3, None))
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(0, 1), slice(0, 1)
    top, left = max(int(rows[0]) - margin, 0), max(int(columns[0]) - margin, 0)
    return slice(top, int(rows[-1]) + 1 + margin), slice(left, int(columns[-1]) + 1 + margin)


def as_labels(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return labels as int32, not copied if they are.

    Raises
    ------
    ValueError
        If they are not whole numbers from 0 to 2**31 - 1, or there are fewer than two axes.
    """
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


def _known(
    old: NDArray[np.int32],
    new: NDArray[np.int32],
    change: NDArray[np.int64],
    edits: Edits,
    rim: int,
    right: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """Return what the changes of one plane, and the nuclei that are right, make known."""
    left = leftovers(new, change)
    before, after = (np.setdiff1d(ids, left) for ids in changed_ids(change, edits))
    touched = np.isin(old, before) | np.isin(new, np.union1d(after, right))
    box = bounding_box(touched, rim)
    grown = ndimage.binary_dilation(touched[box], disk(rim))
    touched[box] |= grown & (new[box] == 0)
    return touched


def _scattered(
    old: NDArray[np.int32],
    new: NDArray[np.int32],
    change: NDArray[np.int64],
    edits: Edits,
    known: NDArray[np.bool_],
) -> set[int]:
    """Return the changed labels that are in more pieces on a plane than before."""
    ids = np.intersect1d(change[:, 1], edits.changed)
    box = bounding_box(known)
    is_more = _n_pieces(new[box], ids) > _n_pieces(old[box], ids).clip(1)
    return set(ids[is_more].tolist())


def _n_pieces(labels: NDArray[np.int32], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return of how many pieces, which do not touch, each of some labels of a plane is."""
    # Labels can be as high as a user likes: boxes are found by their numbers in the list.
    numbers = np.zeros(labels.shape, np.int32)
    is_one = np.isin(labels, ids)
    numbers[is_one] = np.searchsorted(ids, labels[is_one]) + 1
    boxes = ndimage.find_objects(numbers, len(ids)) if len(ids) else []
    counts = [
        0 if box is None else connected_pieces(numbers[box] == number, connectivity=2).max()
        for number, box in enumerate(boxes, start=1)
    ]
    return np.array(counts, np.int64)
