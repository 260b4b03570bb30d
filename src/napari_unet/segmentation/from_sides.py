"""Stacks that the network sees from their sides as well, for a mean with the maps of the planes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import Plane
from napari_unet.images.planes import Predict, as_bytes, read_plane, resized, zoomed
from napari_unet.images.sides import sides
from napari_unet.segmentation.progress import Progress
from napari_unet.segmentation.settings import SegmentSettings
from napari_unet.segmentation.tiled import predict_tiles, read_tiles

WEIGHT_OF_SIDES = 0.5  # in the mean with the maps of the planes, which are sharper


def add_sides(
    maps: NDArray[np.uint8],
    image: Any,
    walk: Sequence[Plane],
    predict: Predict,
    settings: SegmentSettings,
    bounds: tuple[float, float] | None,
) -> Generator[Progress, None, None]:
    """Run the network over the sides of all deep stacks; take the mean with their maps, in place.

    Parameters
    ----------
    maps : (maps, ...) uint8
        Of all planes, in the shape of the labels.
    image : array-like
        Anything that NumPy can read slice by slice.
    walk : sequence of Plane
        All planes, in the order of Z.
    predict : callable
        The network: pixels (3, y, x) float32 to maps (maps, y, x) in 0..1.
    settings : SegmentSettings
        How.
    bounds : (float, float), optional
        The intensities that become 0 and 1; each plane's own limits if not given.
    """
    for stack in _deep_stacks(walk, settings):
        read = (read_plane(image, plane, settings.normalisation, bounds) for plane in stack)
        pixels = np.stack([zoomed(plane, settings.zoom) for plane in read], axis=1)
        other = yield from _predict_sides(pixels, len(maps), predict, settings)
        _average(maps, other, stack)


def _deep_stacks(walk: Sequence[Plane], settings: SegmentSettings) -> list[list[Plane]]:
    """Return the planes of each frame that is to be seen from its sides, in the order of Z."""
    frames: dict[tuple[tuple[str, int], ...], list[Plane]] = {}
    for plane in walk:
        frames.setdefault(plane.frame, []).append(plane)
    return [frame for frame in frames.values() if settings.sees_sides(len(frame))]


def _predict_sides(
    stack: NDArray[np.float32], n_maps: int, predict: Predict, settings: SegmentSettings
) -> Generator[Progress, None, NDArray[np.uint16]]:
    """Run the network over planes along Z; return the sum of both directions (maps, z, y, x)."""
    _, _, n_rows, n_columns = stack.shape
    distance = settings.likely_anisotropy * settings.zoom
    both = np.zeros((n_maps, *stack.shape[1:]), np.uint16)
    for done, side in enumerate(sides(stack, distance), start=1):
        both[side.place] += predict_side(side.pixels, predict, settings, distance)
        yield Progress("sides", done, n_rows + n_columns)
    return both


def predict_side(
    pixels: NDArray[np.float32], predict: Predict, settings: SegmentSettings, distance: float
) -> NDArray[np.uint8]:
    """Run the network over one plane along Z; return its maps (maps, z, length).

    Parameters
    ----------
    pixels : array of float32, (c, z, length)
        As `napari_unet.images.sides.sides` gives them.
    predict, settings
        See :func:`napari_unet.segmentation.segment`.
    distance : float
        Between planes along Z, in pixels as the network sees them.
    """
    n_planes, length = pixels.shape[1:]
    seen = max(1, round(n_planes * distance)), length
    size = n_planes, length
    tiles = read_tiles(partial(_part, pixels), size, seen, settings)
    found = predict_tiles(tiles, size, seen, predict, settings)
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
