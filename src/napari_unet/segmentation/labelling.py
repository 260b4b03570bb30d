"""From maps to labels: nuclei are separated, numbered and linked."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import label_axes
from napari_unet.images.roomy import Room, in_memory
from napari_unet.images.threads import in_threads
from napari_unet.nuclei.cleaning import number_in_reading_order
from napari_unet.nuclei.fragments import tidied
from napari_unet.nuclei.instances import InstanceSettings, instances
from napari_unet.nuclei.linking import linked_frames
from napari_unet.nuclei.stacking import stacked
from napari_unet.nuclei.strips import PIXELS as STRIP
from napari_unet.segmentation.progress import Progress
from napari_unet.segmentation.settings import SegmentSettings, is_in_volumes

Find = Callable[[NDArray[np.uint8], InstanceSettings, float], NDArray[np.int32]]
"""Maps of a plane or volume, settings and anisotropy to labels."""

WALK = "TZYX"
NONE_KNOWN: Mapping[tuple[int, ...], NDArray[np.int32]] = MappingProxyType({})


def label_maps(
    maps: NDArray[np.uint8],
    axes: str,
    settings: SegmentSettings,
    find: Find = instances,
    known: Mapping[tuple[int, ...], NDArray[np.int32]] = NONE_KNOWN,
    room: Room = in_memory,
) -> Generator[Progress, None, NDArray[np.int32]]:
    """Turn maps into labels: in 3-D, plane by plane, linked or not.

    Parameters
    ----------
    maps : (maps, ...) uint8
        As :func:`napari_unet.segmentation.predict_maps` returns them.
    axes : str
        The image's axes.
    settings : SegmentSettings
        How.
    find : callable
        `instances`, or what does the same from what it remembers.
    known : mapping
        What it would give for some planes or volumes, by their places in the walk.
    room : callable
        See `napari_unet.segmentation.segment`.

    Yields
    ------
    Progress
        After every plane or volume, and after every frame that is linked.

    Returns
    -------
    array of int32
        1..n in the shape of a map, 0 is background.
    """
    labels = room(maps.shape[1:], np.int32)
    order, ordered = walk_order(axes)
    maps, view = maps.transpose(0, *(i + 1 for i in order)), labels.transpose(order)
    link = settings.link
    n_walked = ordered.index("Z" if is_in_volumes(axes, link) else "Y")
    walk = list(np.ndindex(view.shape[:n_walked]))

    def found_at(place: tuple[Any, ...]) -> NDArray[np.int32]:
        found = known.get(place)
        if found is None:
            found = find(maps[:, *place], settings.instances, settings.likely_anisotropy)
        return found

    # Larger ones take several threads, or much memory, each.
    each = in_threads if math.prod(view.shape[n_walked:]) <= STRIP else map
    highest = 0
    for done, (place, found) in enumerate(zip(walk, each(found_at, walk), strict=True), start=1):
        np.add(found, np.int32(highest), out=view[place], where=found > 0)
        highest += int(found.max(initial=0))
        yield Progress("nuclei", done, len(walk))
    if link == "overlap" and "Z" in ordered:
        yield from _link_planes(view, ordered, settings.likely_anisotropy)
    if link != "none" and "T" in ordered:
        yield from _link(view)
    return labels


def walk_order(axes: str) -> tuple[list[int], str]:
    """Return the axes of labels in the order in which they are walked: numbers and letters.

    Examples
    --------
    >>> walk_order("ZTCYX")
    ([1, 0, 2, 3], 'TZYX')
    """
    names = label_axes(axes)
    order = [names.index(axis) for axis in WALK if axis in names]
    return order, "".join(names[i] for i in order)


def _link_planes(
    labels: NDArray[np.int32], axes: str, anisotropy: float
) -> Generator[Progress, None, None]:
    """Make nuclei of the sections along Z in place, in each frame for itself."""
    highest = 0
    frames = list(np.ndindex(labels.shape[: axes.index("Z")]))
    for done, place in enumerate(frames, start=1):
        stack = tidied(stacked(labels[place]), anisotropy)
        stack = number_in_reading_order(stack)
        labels[place] = np.where(stack > 0, stack + highest, 0)
        highest += int(stack.max(initial=0))
        yield Progress("linking", done, len(frames))


def _link(labels: NDArray[np.int32]) -> Generator[Progress, None, None]:
    """Let ids follow their nuclei along the first axis, in place."""
    for number, frame in enumerate(linked_frames(labels)):
        labels[number] = frame
        yield Progress("linking", number + 1, len(labels))
