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
from napari_unet.segmentation.tiled import predict_tiles

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
        frames.setdefault(tuple(at for at in plane.position if at[0] != "Z"), []).append(plane)
    return [frame for frame in frames.values() if settings.sees_sides(len(frame))]


def _predict_sides(
    stack: NDArray[np.float32], n_maps: int, predict: Predict, settings: SegmentSettings
) -> Generator[Progress, None, NDArray[np.float16]]:
    """Run the network over planes along Z; return the mean of both directions (maps, z, y, x)."""
    _, n_planes, n_rows, n_columns = stack.shape
    distance = settings.anisotropy * settings.zoom
    height, total = max(1, round(n_planes * distance)), n_rows + n_columns
    mean = np.zeros((n_maps, *stack.shape[1:]), np.float16)
    for done, side in enumerate(sides(stack, distance), start=1):
        size = (n_planes, side.pixels.shape[2])
        read = partial(_part, side.pixels)
        found = predict_tiles(read, size, (height, size[1]), predict, settings)
        for place, piece in chain.from_iterable(found):
            mean[side.place][:, *place] += piece / 2
        yield Progress("sides", done, total)
    return mean


def _part(pixels: NDArray[np.float32], rows: slice, columns: slice) -> NDArray[np.float32]:
    return pixels[:, rows, columns]


def _average(maps: NDArray[np.uint8], from_sides: NDArray[np.float16], stack: list[Plane]) -> None:
    """Take the mean of the maps of planes and those of a stack seen from its sides, in place."""
    for z, plane in enumerate(stack):
        size = maps[0][plane.write].shape
        other = resized(from_sides[:, z].astype(np.float32), size)
        own = maps[:, *plane.write].astype(np.float32) / 255
        mean = (1 - WEIGHT_OF_SIDES) * own + WEIGHT_OF_SIDES * other
        maps[:, *plane.write] = as_bytes(mean.astype(np.float32))
