"""The tracks of a movie whose ids follow their nuclei: from when to when, whose daughter, where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.cleaning import distinct
from napari_unet.nuclei.dividing import divisions
from napari_unet.nuclei.shared import numbered, share

Table = npt.NDArray[np.int32]
"""Tracks (n, 4): id, first frame, last frame, id of the parent or 0; in ascending order."""


class Movie(Protocol):
    """Labels (t, [z,] y, x), in memory or in a file, of which a frame is read when it is needed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    def __getitem__(self, frame: int, /) -> Any:
        """Return a frame as an array."""


def track_table(labels: Movie) -> Table:
    """Return a row for each track: id, first frame, last frame, id of the parent.

    Daughters are two tracks that begin in the frame after their mother's last one, and share
    enough with her there (`napari_unet.nuclei.dividing`). All of it is seen in the labels, so
    that it holds after they were corrected by hand as well.

    Parameters
    ----------
    labels : array-like of int, shape (t, [z,] y, x)
        Ids as `link_over_time` gives them; 0 is background. Two frames are read at a time.

    Returns
    -------
    array of int32, shape (n, 4)
        In ascending order of the ids; frames count from 0, and 0 is no parent.

    Examples
    --------
    >>> track_table(np.array([[1, 1, 1, 1, 0, 4], [2, 2, 3, 3, 0, 4], [2, 2, 0, 0, 0, 0]]))
    array([[1, 0, 0, 0],
           [2, 1, 2, 1],
           [3, 1, 1, 1],
           [4, 0, 1, 0]], dtype=int32)
    """
    table = lifetimes([*nuclei_by_frame(labels)])
    for _ in find_parents(labels, table):
        pass
    return table


def nuclei_by_frame(labels: Movie) -> Iterator[npt.NDArray[np.integer]]:
    """Yield the ids of each frame, in rising order; it is read when it is asked for."""
    yield from map(_nuclei, _frames(labels))


def lifetimes(present: Sequence[npt.NDArray[np.integer]]) -> Table:
    """Return the table of tracks without parents, from the ids of each frame."""
    ids = np.concatenate([np.zeros(0, np.intp), *present])
    frames = np.repeat(np.arange(len(present)), [len(frame) for frame in present])
    order = np.lexsort((frames, ids))
    tracks, starts, lengths = np.unique(ids[order], return_index=True, return_counts=True)
    first, last = frames[order][starts], frames[order][starts + lengths - 1]
    return np.stack([tracks, first, last, np.zeros_like(tracks)], axis=1).astype(np.int32)


def find_parents(labels: Movie, table: Table) -> Iterator[int]:
    """Note the parents in the table, in place; yield each frame in which mothers may end."""
    ids, first, last, parents = table.T
    for frame in np.intersect1d(first - 1, last).tolist():
        common = share(labels[frame + 1], labels[frame])
        for mother, *daughters in divisions(common):
            own, theirs = common.truth[mother], common.predicted[daughters]
            has_ended = last[np.searchsorted(ids, own)] == frame
            if has_ended and (first[np.searchsorted(ids, theirs)] == frame + 1).all():
                parents[np.searchsorted(ids, theirs)] = own
        yield frame


def unbroken(labels: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int32], Table]:
    """Return labels and tracks without gaps, numbered from 1 on in the order of the ids.

    A track that is missing in some frames, as one that was repaired by hand may be, becomes
    several: each has the one before the gap for its parent.

    Examples
    --------
    >>> unbroken(np.array([[7, 7, 9], [0, 0, 9], [7, 7, 0]]))[1]
    array([[1, 0, 0, 0],
           [2, 0, 1, 0],
           [3, 2, 2, 1]], dtype=int32)
    """
    table = track_table(labels)
    frames, table = unbroken_frames(labels, [*nuclei_by_frame(labels)], table)
    linked = np.zeros(labels.shape, np.int32)
    for time, frame in enumerate(frames):
        linked[time] = frame
    return linked, table


def unbroken_frames(
    labels: Movie, present: Sequence[npt.NDArray[np.integer]], table: Table
) -> tuple[Iterator[npt.NDArray[np.int32]], Table]:
    """Return what `unbroken` does, frame by frame: each is made when it is asked for.

    Parameters
    ----------
    labels : array-like of int, shape (t, [z,] y, x)
        See `track_table`.
    present : sequence of array of int
        The ids of each frame, as `nuclei_by_frame` gives them.
    table : array of int32, shape (n, 4)
        As `track_table` returns it.
    """
    ids = table[:, 0]
    current, seen = np.arange(1, len(ids) + 1), np.full(len(ids), -1)
    rows = [[number, *row[1:]] for number, row in enumerate(table.tolist(), start=1)]
    numbers = []
    for time, own in enumerate(present):
        here = np.searchsorted(ids, own)
        for at in here[(seen[here] >= 0) & (seen[here] < time - 1)]:
            rows[current[at] - 1][2] = int(seen[at])
            rows.append([len(rows) + 1, time, int(table[at, 2]), int(current[at])])
            current[at] = len(rows)
        seen[here] = time
        numbers.append((ids[here], np.append(0, current[here]).astype(np.int32)))
    # A mother is the last part of her track.
    for row in rows[: len(ids)]:
        row[3] = int(current[np.searchsorted(ids, row[3])]) if row[3] else 0
    frames = map(_renumbered, _frames(labels), numbers)
    return frames, np.array(rows, np.int32).reshape(-1, 4)


def _renumbered(
    frame: npt.NDArray[np.integer], tables: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
) -> npt.NDArray[np.int32]:
    """Return a frame with other numbers for its ids; that of the background is first."""
    ids, numbers = tables
    return numbers[numbered(frame, ids)]


def _frames(labels: Movie) -> Iterator[npt.NDArray[np.integer]]:
    return (np.asarray(labels[time]) for time in range(labels.shape[0]))


def centres(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Return where each nucleus is in each frame: id, frame and the mean place of its pixels.

    Parameters
    ----------
    labels : array of int, shape (t, [z,] y, x)
        0 is background.

    Returns
    -------
    array of float, shape (n, 2 + axes of a frame)
        In ascending order of the ids, then of the frames.

    Examples
    --------
    >>> centres(np.array([[[4, 4, 0]], [[0, 4, 4]]]))
    array([[4. , 0. , 0. , 0.5],
           [4. , 1. , 0. , 1.5]])
    """
    rows = [np.zeros((0, labels.ndim + 1)), *map(_centres_of, range(len(labels)), labels)]
    found = np.concatenate(rows)
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _centres_of(time: int, frame: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    places = np.nonzero(frame)
    ids, at = np.unique(frame[places], return_inverse=True)
    sizes = np.bincount(at, minlength=len(ids))
    means = [np.bincount(at, place, minlength=len(ids)) / sizes for place in places]
    return np.stack([ids, np.full(len(ids), time), *means], axis=1)


def _nuclei(frame: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    ids = distinct(frame)
    return ids[ids > 0]
