"""The walk from an image in memory to one label per nucleus.

The network comes as a plain callable, so that everything here runs without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from numbers import Real
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.arrays import read_part
from napari_unet.images.axes import Plane, label_axes, label_shape, parse_axes, planes
from napari_unet.images.intensity import Normalisation
from napari_unet.images.mosaic import Mosaic, Piece, ResizedMosaic
from napari_unet.images.planes import (
    Read,
    as_bytes,
    clearest_plane,
    network_input,
    part_of,
    plane_limits,
    plane_reader,
    read_plane,
    resized,
    resized_part,
    stack_limits,
    zoomed,
    zoomed_size,
)
from napari_unet.images.roomy import Room, in_memory
from napari_unet.images.sides import is_deep, sides
from napari_unet.images.tiling import Tile, tiles
from napari_unet.images.turns import averaged_over_turns
from napari_unet.nuclei.cleaning import number_in_reading_order
from napari_unet.nuclei.confidence import confidence
from napari_unet.nuclei.fragments import tidied
from napari_unet.nuclei.instances import InstanceSettings, instances
from napari_unet.nuclei.linking import linked_frames
from napari_unet.nuclei.sizing import (
    MOST_PIXELS,
    central_part,
    estimate_diameter,
    zoom_between,
)
from napari_unet.nuclei.stacking import stacked

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Pixels (3, y, x) float32 to maps (maps, y, x) in 0..1."""

Find = Callable[[NDArray[np.uint8], InstanceSettings, float], NDArray[np.int32]]
"""Maps of a plane or volume, settings and anisotropy to labels."""

STEPS = {
    "model": "loading the model",
    "diameter": "estimating the diameter of the nuclei",
    "network": "running the network",
    "sides": "looking at the stack from its sides",
    "nuclei": "separating the nuclei",
    "linking": "linking the nuclei",
    "writing": "writing the labels",
    "tracks": "writing the tracks",
}
"""The steps of a run, as a user reads them."""

WALK = "TZYX"
N_MAPS = 3  # of an image without pixels, which no network has seen
LINKS = ("auto", "volume", "overlap", "none")
IN_ONE_VOLUME = ("auto", "volume")  # links of planes with which a nucleus is one piece in 3-D
QUALITIES = ("fast", "best")
VIEWS = ("planes", "three")
WEIGHT_OF_SIDES = 0.5  # in the mean with the maps of the planes, which are sharper
NONE_KNOWN: Mapping[tuple[int, ...], NDArray[np.int32]] = MappingProxyType({})
Step = TypeVar("Step")
Result = TypeVar("Result")


@dataclass(frozen=True)
class SegmentSettings:
    """How an image is segmented.

    Parameters
    ----------
    channel : int, optional
        Which channel holds the nuclei, where there is an axis C; the first if not given.
    diameter : float, optional
        Of a typical nucleus, in pixels of y and x; estimated if not given.
    model_diameter : float
        The diameter, in pixels, that the network knows best.
    link : str
        How planes along Z become nuclei: "volume" finds nuclei in 3-D, "overlap" finds them
        plane by plane and links them, "none" leaves every plane and frame for itself; "auto"
        is "volume". Frames along T are linked by overlap unless it is "none".
    quality : str
        "fast" runs the network once; "best" takes the mean over eight flips and quarter turns,
        which takes eight times as long.
    views : str
        "planes" shows the network the planes of a stack; "three" also those along Z and X, and
        along Z and Y, resampled to pixels as high as wide, and takes the mean. Stacks of few
        planes, or hardly higher than a nucleus, are taken as "planes" are.
    anisotropy : float
        Distance between planes along Z in units of the pixel size.
    tile, overlap, grid : int
        Side of the square tiles, what neighbours share, and what tiles start at multiples of
        (the network's poolings together), in pixels.
    normalisation : Normalisation
        How intensities are brought to one range.
    instances : InstanceSettings
        How nuclei come out of the maps.
    """

    channel: int | None = None
    diameter: float | None = None
    model_diameter: float = 22.0
    link: str = "auto"
    quality: str = "fast"
    views: str = "planes"
    anisotropy: float = 1.0
    tile: int = 1280
    overlap: int = 160
    grid: int = 16
    normalisation: Normalisation = field(default_factory=Normalisation)
    instances: InstanceSettings = field(default_factory=InstanceSettings)

    def __post_init__(self) -> None:
        for name, known in (("link", LINKS), ("quality", QUALITIES), ("views", VIEWS)):
            if (value := getattr(self, name)) not in known:
                raise ValueError(
                    f"Expected one of {', '.join(known)} as {name}, got {value!r}; choose one."
                )
        for name in ("diameter", "anisotropy"):
            value = getattr(self, name)
            is_positive = isinstance(value, Real) and 0 < float(value) < np.inf
            if value is not None and not is_positive:
                raise ValueError(
                    f"Expected a positive {name}, got {value!r}; leave it out if it is not known."
                )


@dataclass(frozen=True)
class Progress:
    """How far the walk is: ``done`` of ``total`` parts of one ``step``."""

    step: str
    done: int
    total: int


@dataclass(frozen=True)
class Segmentation:
    """What the walk returns.

    Parameters
    ----------
    labels : int32
        The image's shape less its channel axis, 0 is background.
    maps : (maps, ...) uint8
        0..255 stands for 0..1, in the shape of the labels.
    diameter : float
        The nucleus diameter that was given or estimated, in pixels.
    """

    labels: NDArray[np.int32]
    maps: NDArray[np.uint8]
    diameter: float

    @property
    def confidence(self) -> NDArray[np.float32]:
        """How sure the network is of each nucleus, 0..1, by label; NaN for the background.

        Worked out each time; see :func:`napari_unet.nuclei.confidence.confidence`.
        """
        return confidence(self.maps, self.labels)


def segment(
    image: Any,
    axes: str,
    predict: Predict,
    settings: SegmentSettings | None = None,
    room: Room = in_memory,
) -> Generator[Progress, None, Segmentation]:
    """Segment nuclei; stop iterating to cancel.

    Parameters
    ----------
    image : array-like
        Anything with a shape that NumPy can read slice by slice: NumPy, dask, zarr.
    axes : str
        One letter per axis: T, Z, C, Y, X, and S for colour samples.
    predict : callable
        The network: pixels (3, y, x) float32 to maps (maps, y, x) in 0..1.
    settings : SegmentSettings, optional
        How.
    room : callable
        Gives an array of bytes of a shape, for the maps.

    Yields
    ------
    Progress
        After every tile and every plane or volume.

    Returns
    -------
    Segmentation
        As the generator's return value; :func:`finish` gets it.

    Raises
    ------
    ValueError, TypeError
        If axes, channel or pixels do not fit.
    """
    axes = parse_axes(axes, image.shape)
    settings = yield from with_diameter(image, axes, predict, settings or SegmentSettings())
    maps = yield from predict_maps(image, axes, predict, settings, room)
    labels = yield from label_maps(maps, axes, settings)
    return Segmentation(labels, maps, settings.diameter or settings.model_diameter)


def with_diameter(
    image: Any, axes: str, predict: Predict, settings: SegmentSettings
) -> Generator[Progress, None, SegmentSettings]:
    """Return the settings with the diameter, estimated where it is not given."""
    if settings.diameter is not None:
        return settings
    yield Progress("diameter", 0, 1)
    settings = replace(settings, diameter=image_diameter(image, axes, predict, settings))
    yield Progress("diameter", 1, 1)
    return settings


def predict_maps(
    image: Any,
    axes: str,
    predict: Predict,
    settings: SegmentSettings,
    room: Room = in_memory,
    order: Callable[[list[Plane]], list[Plane]] = list,
    show: Callable[[Plane, NDArray[np.uint8], Progress], Progress] | None = None,
) -> Generator[Progress, None, NDArray[np.uint8]]:
    """Run the network over all planes, tile by tile; return maps (maps, ...) as uint8.

    Parameters
    ----------
    image, axes, predict, settings, room
        See :func:`segment`.
    order : callable
        Puts the planes into the order in which they are taken.
    show : callable, optional
        Makes what is yielded after a plane, of its maps (maps, y, x) and how far the walk is.
    """
    shape = label_shape(axes, image.shape)
    walk = list(planes(axes, image.shape, settings.channel))
    if 0 in shape:
        return in_memory((N_MAPS, *shape))
    bounds = stack_limits(image, walk, settings.normalisation)
    if settings.quality == "best":
        predict = averaged_over_turns(predict, settings.grid)
    zoom = zoom_between(settings.diameter or settings.model_diameter, settings.model_diameter)
    size = (image.shape[axes.index("Y")], image.shape[axes.index("X")])
    seen = zoomed_size(size, zoom)
    done, total = 0, len(walk) * len(_tiles(seen, settings))
    maps: NDArray[np.uint8] | None = None
    for plane in order(walk):
        read = plane_reader(image, plane, settings.normalisation, bounds)
        for found in _predict_tiles(read, size, seen, predict, settings):
            for place, piece in found:
                if maps is None:
                    maps = room((len(piece), *shape))
                maps[:, *plane.write][:, *place] = as_bytes(piece)
            done += 1
            yield Progress("network", done, total)
        if show is not None and maps is not None:
            yield show(plane, maps[:, *plane.write], Progress("network", done, total))
    if maps is None:
        return in_memory((N_MAPS, *shape))
    for stack in _stacks(walk, zoom, settings):
        pixels = np.stack(
            [
                zoomed(read_plane(image, plane, settings.normalisation, bounds), zoom)
                for plane in stack
            ],
            axis=1,
        )
        other = yield from _predict_sides(pixels, predict, settings, settings.anisotropy * zoom)
        _average(maps, other, stack)
    return maps


def _tiles(shape: tuple[int, int], settings: SegmentSettings) -> list[Tile]:
    return tiles(shape, settings.tile, settings.overlap, settings.grid)


def _predict_tiles(
    read: Read,
    size: tuple[int, int],
    seen: tuple[int, int],
    predict: Predict,
    settings: SegmentSettings,
) -> Iterator[Iterator[Piece]]:
    """Run the network over a plane of a size (y, x) that it sees in another one, tile by tile.

    Yield for each tile the pieces that are whole by it; they have to be taken before the next tile.
    """
    parts = _tiles(seen, settings)
    mosaic, resizing = Mosaic(seen, parts, settings.overlap), ResizedMosaic(seen, size)
    for tile in parts:
        pieces = mosaic.add(tile, predict(resized_part(read, size, seen, tile.read)))
        yield chain.from_iterable(resizing.add(*piece) for piece in pieces)


def _stacks(walk: list[Plane], zoom: float, settings: SegmentSettings) -> list[list[Plane]]:
    """Return the planes of each frame that is to be seen from its sides, in the order of Z."""
    frames: dict[tuple[tuple[str, int], ...], list[Plane]] = {}
    for plane in walk:
        frames.setdefault(tuple(at for at in plane.position if at[0] != "Z"), []).append(plane)
    return [frame for frame in frames.values() if is_seen_from_sides(len(frame), zoom, settings)]


def is_seen_from_sides(n_planes: int, zoom: float, settings: SegmentSettings) -> bool:
    """Tell whether the network sees stacks of so many planes, zoomed, from their sides as well."""
    height = n_planes * settings.anisotropy * zoom
    diameter = (settings.diameter or settings.model_diameter) * zoom
    return settings.views == "three" and is_deep(n_planes, height, diameter)


def _predict_sides(
    stack: NDArray[np.float32], predict: Predict, settings: SegmentSettings, distance: float
) -> Generator[Progress, None, NDArray[np.uint16]]:
    """Run the network over planes along Z; return the sum of both directions (maps, z, y, x)."""
    _, _, n_rows, n_columns = stack.shape
    both: NDArray[np.uint16] | None = None
    for done, side in enumerate(sides(stack, distance), start=1):
        maps = predict_side(side.pixels, predict, settings, distance)
        if both is None:
            both = np.zeros((len(maps), *stack.shape[1:]), np.uint16)
        both[side.place] += maps
        yield Progress("sides", done, n_rows + n_columns)
    return both if both is not None else np.zeros((N_MAPS, *stack.shape[1:]), np.uint16)


def predict_side(
    pixels: NDArray[np.float32], predict: Predict, settings: SegmentSettings, distance: float
) -> NDArray[np.uint8]:
    """Run the network over one plane along Z; return its maps (maps, z, length).

    Parameters
    ----------
    pixels : array of float32, (c, z, length)
        As `napari_unet.images.sides.sides` gives them.
    predict, settings
        See :func:`segment`.
    distance : float
        Between planes along Z, in pixels as the network sees them.
    """
    n_planes, length = pixels.shape[1:]
    seen = max(1, round(n_planes * distance)), length
    found = _predict_tiles(partial(_part, pixels), (n_planes, length), seen, predict, settings)
    maps = np.zeros((0, n_planes, length), np.uint8)
    for place, piece in chain.from_iterable(found):
        if not len(maps):
            maps = np.zeros((len(piece), n_planes, length), np.uint8)
        maps[:, *place] = as_bytes(piece)
    return maps


def _part(pixels: NDArray[np.float32], rows: slice, columns: slice) -> NDArray[np.float32]:
    return pixels[:, rows, columns]


def _average(maps: NDArray[np.uint8], from_sides: NDArray[np.uint16], stack: list[Plane]) -> None:
    """Take the mean of the maps of planes and those of a stack seen from its sides, in place."""
    for z, plane in enumerate(stack):
        size = maps[0][plane.write].shape
        other = resized(mean_of_both(from_sides[:, z]), size)
        maps[:, *plane.write] = with_sides(maps[:, *plane.write], other)


def mean_of_both(added: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return maps of float32 in 0..1, from the sum of those of both sides as bytes."""
    return added.astype(np.float32) / np.float32(510)


def with_sides(own: NDArray[np.uint8], other: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the mean of the maps of a plane (maps, y, x), and of those seen from its sides."""
    mean = (1 - WEIGHT_OF_SIDES) * (own.astype(np.float32) / 255) + WEIGHT_OF_SIDES * other
    return as_bytes(mean.astype(np.float32))


def label_maps(
    maps: NDArray[np.uint8],
    axes: str,
    settings: SegmentSettings,
    find: Find = instances,
    known: Mapping[tuple[int, ...], NDArray[np.int32]] = NONE_KNOWN,
) -> Generator[Progress, None, NDArray[np.int32]]:
    """Turn maps (maps, ...) into labels: in 3-D, plane by plane, linked or not.

    Parameters
    ----------
    maps : (maps, ...) uint8
        As :func:`predict_maps` returns them.
    axes : str
        The image's axes.
    settings : SegmentSettings
        How.
    find : callable
        `instances`, or what does the same from what it remembers.
    known : mapping
        What it would give for some planes or volumes, by their places in the walk.
    """
    labels = np.zeros(maps.shape[1:], np.int32)
    order, ordered = walk_order(axes)
    maps, view = maps.transpose(0, *(i + 1 for i in order)), labels.transpose(order)
    link = settings.link
    n_walked = ordered.index("Z" if is_in_volumes(axes, link) else "Y")
    walk = list(np.ndindex(view.shape[:n_walked]))
    highest = 0
    for done, place in enumerate(walk, start=1):
        found = known.get(place)
        if found is None:
            found = find(maps[:, *place], settings.instances, settings.anisotropy)
        np.add(found, np.int32(highest), out=view[place], where=found > 0)
        highest += int(found.max(initial=0))
        yield Progress("nuclei", done, len(walk))
    if link == "overlap" and "Z" in ordered:
        yield from _link_planes(view, ordered, settings.anisotropy)
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


def is_in_volumes(axes: str, link: str) -> bool:
    """Tell whether nuclei of an image are found in 3-D, with these axes and this link."""
    return "Z" in axes and link in IN_ONE_VOLUME


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


def finish(
    steps: Generator[Step, None, Result], progress: Callable[[Step], None] | None = None
) -> Result:
    """Run a walk to its end and return what it returns.

    Parameters
    ----------
    steps : generator
        Of :func:`segment` and its like.
    progress : callable, optional
        Called with every step that it yields, such as :class:`Progress`.
    """
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        if progress is not None:
            progress(step)


def image_diameter(image: Any, axes: str, predict: Predict, settings: SegmentSettings) -> float:
    """Return the diameter, in pixels, of a typical nucleus on the image's brightest plane."""
    plane = _plane_to_measure(image, axes, settings)
    return estimate_diameter(plane, predict, settings.model_diameter, settings.instances)


def _plane_to_measure(image: Any, axes: str, settings: SegmentSettings) -> NDArray[np.float32]:
    """Return the middle of a plane that shows nuclei, as the network wants it."""
    if 0 in image.shape:
        return np.zeros((3, 0, 0), np.float32)
    how, walk = settings.normalisation, list(planes(axes, image.shape, settings.channel))
    plane = clearest_plane(image, walk)
    bounds = stack_limits(image, walk, how) or plane_limits(image, plane, how)
    lengths = (image.shape[axes.index("Y")], image.shape[axes.index("X")])
    middle = part_of(plane, *central_part(lengths, MOST_PIXELS))
    return network_input(read_part(image, middle), how, bounds)
