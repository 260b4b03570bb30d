"""Labels of a new run around the nuclei that a user corrected, which stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import disk

from napari_unet.learning.corrections import as_labels
from napari_unet.learning.edits import changed_ids, changed_pairs, find_edits


@dataclass(frozen=True, eq=False)
class Redrawn:
    """Labels of a run with the corrections of an earlier one in them.

    Parameters
    ----------
    labels : (..., y, x) int32
        What the user sees: corrected nuclei as they were, the run's nuclei around them.
    prediction : (..., y, x) int32
        What these are compared with: the difference is the corrections that there were before.
    n_kept : int
        Nuclei that stayed because they were added, reshaped or confirmed.
    n_left_out : int
        Nuclei that the user had removed, and that stay away.
    """

    labels: NDArray[np.int32]
    prediction: NDArray[np.int32]
    n_kept: int
    n_left_out: int


def redrawn(
    prediction: NDArray[np.int32],
    edited: NDArray[np.integer],
    new: NDArray[np.int32],
    confirmed: NDArray[np.bool_],
    *,
    rim: int,
    n_connected: int = 2,
    reserved: Iterable[int] = (),
) -> Redrawn:
    """Return the labels of a new run, with everything that a user corrected kept pixel for pixel.

    Locked are the nuclei that were added, reshaped or confirmed, the places where a nucleus was
    and is not any more, and the confirmed area; there the labels stay, and so does the prediction
    that they are compared with. So the corrections are the same after any number of runs, even
    if a model has learned them: what is no correction any more would be forgotten.

    A new nucleus loses the pixels that are locked. It is dropped if these are more than half of
    it, since then it is the same nucleus or one that was removed; otherwise its largest piece
    stays, unless that is a sliver: nowhere further than the rim from what is locked.

    Parameters
    ----------
    prediction, edited : (..., y, x) integers
        Labels that the earlier run made, and what the user made of them.
    new : (..., y, x) int32
        Labels of the new run.
    confirmed : (..., y, x) bool
        Where the user said that the labels are right.
    rim : int
        Width of a sliver in pixels, see `corrections.rim_for`.
    n_connected : int
        How many of the last axes a nucleus is one piece in: 3 in volumes; ids may go on along
        the others.
    reserved : iterable of int
        Ids that no new nucleus gets even if no nucleus has them: of those that the user called
        right, and that undoing may bring back.

    Returns
    -------
    Redrawn
        New nuclei keep their ids, unless a locked one has it.

    Raises
    ------
    ValueError
        If shapes differ, or the edited labels are not 0 to 2**31 - 1.

    Examples
    --------
    >>> before = np.array([[1, 1, 0, 0, 0, 0, 0]], np.int32)
    >>> after = np.array([[0, 0, 0, 2, 2, 0, 0]], np.int32)
    >>> again = np.array([[1, 1, 0, 0, 2, 2, 2]], np.int32)
    >>> redrawn(before, after, again, np.zeros(before.shape, bool), rim=1).labels
    array([[0, 0, 0, 2, 2, 3, 3]], dtype=int32)
    """
    edited = as_labels(edited)
    if not prediction.shape == edited.shape == new.shape:
        raise ValueError(
            f"Expected labels of one shape, got {prediction.shape}, {edited.shape} and "
            f"{new.shape}; give those of one image."
        )
    locked, n_kept, n_left_out = locks(prediction, edited, confirmed)
    how: dict[str, Any] = {"rim": rim, "n_connected": n_connected, "reserved": reserved}
    around = drawn_around(locked, prediction, edited, new, **how)
    return Redrawn(*around, n_kept, n_left_out)


def drawn_around(
    locked: NDArray[np.bool_],
    prediction: NDArray[np.int32],
    edited: NDArray[np.int32],
    new: NDArray[np.int32],
    *,
    rim: int,
    n_connected: int = 2,
    reserved: Iterable[int] = (),
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the labels and the prediction of `Redrawn`, where it is known what is locked.

    Parameters
    ----------
    locked : (..., y, x) bool
        As `locks` gives it.
    prediction, edited, new, rim, n_connected, reserved
        As for `redrawn`.
    """
    around = np.array(new, order="C")
    for index in np.ndindex(new.shape[: new.ndim - n_connected]):
        _cut(around[index], locked[index], rim)
    taken = np.union1d(prediction[locked], edited[locked])
    around = _renumbered(around, np.union1d(taken, np.array(list(reserved), np.int32)))
    return (
        np.where(locked, edited, around).astype(np.int32, copy=False),
        np.where(locked, prediction, around).astype(np.int32, copy=False),
    )


def locks(
    old: NDArray[np.int32], edited: NDArray[np.int32], confirmed: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], int, int]:
    """Return where labels must stay, and how many nuclei stay and stay away.

    Parameters
    ----------
    old, edited : (..., y, x) int32
        Labels that the earlier run made, and what the user made of them.
    confirmed : (..., y, x) bool
        Where the user said that the labels are right.

    Returns
    -------
    locked : (..., y, x) bool
    n_kept, n_left_out : int
        Nuclei that were added, changed or confirmed, and those that were removed.
    """
    planes = np.ndindex(old.shape[:-2])
    changes = {index: changed_pairs(old[index], edited[index]) for index in planes}
    edits = find_edits(old, edited, changes)
    before, after = changed_ids(np.concatenate(list(changes.values())), edits)
    sure = np.setdiff1d(edited[confirmed], [0])
    locked = np.isin(old, before) | np.isin(edited, np.union1d(after, sure)) | confirmed
    return locked, len(np.union1d(edits.changed, sure)), edits.n_removed


def _cut(labels: NDArray[np.int32], locked: NDArray[np.bool_], rim: int) -> None:
    """Take from labels, in place, what is locked, and the nuclei of which too little is left."""
    ids, n_covered = np.unique(labels[locked], return_counts=True)
    if not ids[ids > 0].size:
        return
    n_pixels = np.bincount(labels.reshape(-1))
    is_same = 2 * n_covered > n_pixels[ids]
    rests = ids[~is_same & (ids > 0)]
    # What is locked is covered by the locked labels anyway: only the rest has to go.
    labels[np.isin(labels, ids[is_same & (ids > 0)])] = 0
    for number, box in _boxes(labels, rests, rim):
        part = labels[box]
        rest = (part == number) & ~locked[box]
        part[part == number] = 0
        part[_without_slivers(rest, locked[box], rim)] = number


def _boxes(
    labels: NDArray[np.int32], ids: NDArray[np.int32], margin: int
) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Yield some nuclei and the boxes that hold them and a margin along every axis."""
    boxes = ndimage.find_objects(labels, int(ids.max(initial=0)))
    for number in ids.tolist():
        parts = boxes[number - 1]
        yield number, tuple(slice(max(p.start - margin, 0), p.stop + margin) for p in parts)


def _without_slivers(
    rest: NDArray[np.bool_], locked: NDArray[np.bool_], rim: int
) -> NDArray[np.bool_]:
    """Return the largest piece of a nucleus; nothing if it is all beside what is locked."""
    pieces, _ = ndimage.label(rest)
    sizes = np.bincount(pieces.reshape(-1))
    sizes[0] = 0
    largest = pieces == np.argmax(sizes)
    # In the plane alone: what is locked above or below is another part of the stack.
    around = disk(rim).reshape((1,) * (rest.ndim - 2) + (2 * rim + 1,) * 2)
    near = ndimage.binary_dilation(locked, around)
    return largest if (largest & ~near).any() else np.zeros_like(largest)


def _renumbered(labels: NDArray[np.int32], taken: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return labels in which ids that are taken are replaced by the lowest free ones."""
    ids = np.unique(labels)
    clash = np.setdiff1d(np.intersect1d(ids, taken), [0])
    if not clash.size:
        return labels
    used = np.union1d(ids, taken)
    free = np.setdiff1d(np.arange(1, len(used) + len(clash) + 1), used)[: len(clash)]
    numbers = np.arange(int(ids[-1]) + 1, dtype=np.int32)
    numbers[clash] = free
    return numbers[labels]
