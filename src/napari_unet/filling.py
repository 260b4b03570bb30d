"""The walk for whoever looks on: planes as they are finished, the one that is looked at first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import Plane, label_shape, parse_axes
from napari_unet.images.roomy import Room, in_memory
from napari_unet.nuclei.adjusting import in_a_plane
from napari_unet.nuclei.instances import instances, kept
from napari_unet.nuclei.row_by_row import RowByRow
from napari_unet.segmentation import (
    VIEWS,
    Predict,
    Progress,
    Segmentation,
    SegmentSettings,
    check_room,
    is_in_volumes,
    label_maps,
    predict_maps,
    walk_order,
    with_sizes,
)

PARTS = {"Z": "planes", "T": "frames", "Y": "rows"}
Place = tuple[int, ...]
"""Frame and plane, as far as there are such axes."""


@dataclass(frozen=True, eq=False)
class PlaneFound(Progress):
    """A plane whose nuclei are known, as it is by itself; what it shares with others comes last.

    Of an image of one plane, its first rows.

    Parameters
    ----------
    place : tuple of int
        Frame and plane, as far as there are such axes.
    labels : (y, x) int32
        1..n, 0 is background; in no order where there are more rows to come.
    maps : (maps, y, x) uint8
        What they were made from.
    settings : SegmentSettings
        How, with the diameter: those of a plane alone.
    new : slice
        Rows in which something is new.
    """

    place: Place
    labels: NDArray[np.int32]
    maps: NDArray[np.uint8]
    settings: SegmentSettings
    new: slice


def segment_from(
    first: Place,
    image: Any,
    axes: str,
    predict: Predict,
    settings: SegmentSettings,
    room: Room = in_memory,
) -> Generator[Progress, None, Segmentation]:
    """Segment nuclei as `segmentation.segment` does, from one plane on, the nearest planes next.

    Parameters
    ----------
    first : tuple of int
        Frame and plane, as far as there are such axes.
    image, axes, predict, settings, room
        As for `segmentation.segment`.

    Yields
    ------
    Progress
        One of them is a `PlaneFound` after every plane that the network has seen; of an image of
        one plane, after every row of tiles.

    Returns
    -------
    Segmentation
        The same as that of `segmentation.segment`.

    Raises
    ------
    ValueError, TypeError
        As `segmentation.segment`.
    """
    axes = parse_axes(axes, image.shape)
    check_room(image, axes, room)
    settings = yield from with_sizes(image, axes, predict, settings)
    alone = alone_in_planes(settings, axes)
    each = room(label_shape(axes, image.shape), np.int32).transpose(walk_order(axes)[0])
    so_far = _SoFar(each, alone)
    order = partial(nearest_first, first=first)
    maps = yield from predict_maps(image, axes, predict, settings, room, order, so_far.show)
    # In volumes, and with maps that the sides have changed since, nuclei are others.
    is_final = alone == replace(settings, link=alone.link)
    labels = yield from label_maps(
        maps, axes, settings, known=so_far.found if is_final else {}, room=room
    )
    return Segmentation(labels, maps, settings)


class _SoFar:
    """The labels of the planes of a walk, each by itself.

    Parameters
    ----------
    labels : ([t,] [z,] y, x) int32
        Zeros; filled.
    settings : SegmentSettings
        Those of a plane alone.
    """

    def __init__(self, labels: NDArray[np.int32], settings: SegmentSettings) -> None:
        self._labels, self._settings = labels, settings
        self._how = settings.instances
        self._rows: RowByRow | None = None
        if is_one_plane(labels.shape):
            self._rows = RowByRow(labels[(0,) * (labels.ndim - 2)], self._how)
        self.found: dict[Place, NDArray[np.int32]] = {}

    def show(self, plane: Plane, maps: NDArray[np.uint8], n_known: int, seen: Progress) -> Progress:
        """Find the nuclei of a plane that is whole; of an image of one plane, of more rows."""
        place, is_whole = place_of(plane), n_known == maps.shape[1]
        labels, new = self._labels[place], slice(None)
        if self._rows is not None:
            new = self._rows.add(maps, n_known)
        elif is_whole:
            labels[...] = instances(maps, self._how)
        else:
            return seen
        if is_whole:
            self.found[place] = labels if self._rows is None else kept(labels, self._how)
        step = (seen.step, seen.done, seen.total)
        return PlaneFound(*step, place, labels[:n_known], maps[:, :n_known], self._settings, new)


def is_one_plane(shape: tuple[int, ...]) -> bool:
    """Tell whether labels ([t,] [z,] y, x) have no more than one plane."""
    return math.prod(shape[:-2]) == 1


def alone_in_planes(settings: SegmentSettings, axes: str) -> SegmentSettings:
    """Return the settings that each plane by itself is segmented with."""
    how = settings.instances
    if is_in_volumes(axes, settings.link):
        how = in_a_plane(how, settings.likely_anisotropy)
    return replace(settings, link="none", views=VIEWS[0], instances=how)


def place_of(plane: Plane) -> Place:
    """Return the frame and the plane that a plane is."""
    return tuple(index for _, index in sorted(plane.position))  # "T" comes before "Z"


def planes_text(n: int, n_all: int, letter: str) -> str:
    """Return how many planes, frames of planes or rows of one, out of how many, as a user reads it.

    Examples
    --------
    >>> planes_text(3, 12, "Z"), planes_text(1, 4, "T"), planes_text(1104, 9000, "Y")
    ('3 of 12 planes', '1 of 4 frames', '1,104 of 9,000 rows')
    """
    return f"{n:,} of {n_all:,} {PARTS[letter]}"


def nearest_first(walk: Sequence[Plane], first: Place) -> list[Plane]:
    """Return planes in the order of their distance in time, then along Z, from one place."""

    def distances(plane: Plane) -> list[tuple[int, int]]:
        return [(abs(at - start), at) for at, start in zip(place_of(plane), first, strict=True)]

    return sorted(walk, key=distances)


@dataclass(frozen=True, eq=False)
class Part:
    """The finished part of a walk: frames and planes that follow each other, or rows of one plane.

    Parameters
    ----------
    ranges : dict of str to range
        Which frames, planes or rows, by the letters of their axes.
    labels : int32
        With the axes of the labels of the image; no id is in two planes.
    maps : (maps, ...) uint8
        Of the same part.
    """

    ranges: dict[str, range]
    labels: NDArray[np.int32]
    maps: NDArray[np.uint8]


def finished_part(
    planes: Sequence[PlaneFound], axes: str, counts: Place, room: Room = in_memory
) -> Part:
    """Return what is finished of a walk that was stopped.

    Parameters
    ----------
    planes : sequence of PlaneFound
        As `segment_from` has yielded them, one at least.
    axes : str
        The image's axes.
    counts : tuple of int
        How many frames and planes the image has, as far as there are such axes.
    room : callable
        See `segmentation.segment`.
    """
    order, names = walk_order(axes)
    back = np.argsort(order)
    if math.prod(counts) == 1:
        last = planes[-1]
        ranges = {"Y": range(len(last.labels))}
        # Those that the last row cuts, too.
        labels = instances(last.maps, last.settings.instances).reshape(*counts, *last.labels.shape)
        maps = last.maps.reshape(-1, *labels.shape)
    else:
        along = finished_ranges([plane.place for plane in planes], counts)
        ranges = dict(zip(names, along, strict=False))
        labels, maps = _together(planes, along, room)
    return Part(ranges, labels.transpose(back), maps.transpose(0, *(back + 1)))


def _together(
    planes: Sequence[PlaneFound], ranges: tuple[range, ...], room: Room
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return labels and maps of some planes, in the order of the walk."""
    shape = (*map(len, ranges), *planes[0].labels.shape)
    labels, maps = room(shape, np.int32), room((len(planes[0].maps), *shape), np.uint8)
    highest = 0
    for plane in sorted(planes, key=lambda plane: plane.place):
        if all(map(range.__contains__, ranges, plane.place)):
            at = tuple(map(range.index, ranges, plane.place))
            labels[at] = np.where(plane.labels > 0, plane.labels + highest, 0)
            index: tuple[slice | int, ...] = (slice(None), *at)
            maps[index] = plane.maps
            highest = max(highest, int(labels[at].max(initial=0)))
    return labels, maps


def finished_ranges(places: Sequence[Place], counts: Place) -> tuple[range, ...]:
    """Return the frames and planes that are finished: whole frames if there is one.

    Examples
    --------
    >>> finished_ranges([(3,), (2,), (4,)], (9,))
    (range(2, 5),)
    >>> finished_ranges([(1, 0), (1, 1), (0, 0)], (2, 2)), finished_ranges([(1, 0)], (2, 2))
    ((range(1, 2), range(0, 2)), (range(1, 2), range(0, 1)))
    """
    n_finished = Counter(place[0] for place in places)
    whole = {frame for frame, n in n_finished.items() if n == math.prod(counts[1:])}
    kept = [place for place in places if place[0] in (whole or {places[0][0]})]
    return tuple(range(min(along), max(along) + 1) for along in zip(*kept, strict=True))
