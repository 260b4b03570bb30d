"""From an image to the network's maps, plane by plane."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import Plane, label_shape, planes
from napari_unet.images.planes import Predict, as_bytes, plane_reader, stack_limits, zoomed_size
from napari_unet.images.roomy import Room, in_memory
from napari_unet.images.threads import one_ahead
from napari_unet.images.turns import averaged_over_turns
from napari_unet.segmentation.from_sides import add_sides
from napari_unet.segmentation.progress import Progress
from napari_unet.segmentation.settings import SegmentSettings
from napari_unet.segmentation.tiled import predict_tiles, read_tiles

Show = Callable[[Plane, NDArray[np.uint8], int, Progress], Progress]
"""Takes a plane, its maps (maps, y, x), how many of their rows are known, how far the walk is."""

N_MAPS = 3  # of an image without pixels, which no network has seen


def predict_maps(
    image: Any,
    axes: str,
    predict: Predict,
    settings: SegmentSettings,
    room: Room = in_memory,
    order: Callable[[list[Plane]], list[Plane]] = list,
    show: Show | None = None,
) -> Generator[Progress, None, NDArray[np.uint8]]:
    """Run the network over all planes, tile by tile.

    Parameters
    ----------
    image, axes, predict, settings, room
        See :func:`napari_unet.segmentation.segment`.
    order : callable
        Puts the planes into the order in which they are taken.
    show : callable, optional
        Makes what is yielded when more rows of a plane are known.

    Yields
    ------
    Progress
        After every tile, and what `show` makes.

    Returns
    -------
    (maps, ...) array of uint8
        In the shape of the labels, made by `room`; 0..255 stands for 0..1.
    """
    shape = label_shape(axes, image.shape)
    walk = list(planes(axes, image.shape, settings.channel))
    if 0 in shape:
        return in_memory((N_MAPS, *shape), np.uint8)
    bounds = stack_limits(image, walk, settings.normalisation)
    if settings.quality == "best":
        predict = averaged_over_turns(predict, settings.grid)
    size = (image.shape[axes.index("Y")], image.shape[axes.index("X")])
    seen = zoomed_size(size, settings.zoom)
    done, total = 0, len(walk) * len(settings.tiles_of(seen))
    maps: NDArray[np.uint8] | None = None
    ordered = order(walk)
    readers = (plane_reader(image, it, settings.normalisation, bounds) for it in ordered)
    # The next tile is read while the network looks at one.
    tiles = one_ahead(tile for read in readers for tile in read_tiles(read, size, seen, settings))
    for plane in ordered:
        known = 0
        for found in predict_tiles(tiles, size, seen, predict, settings):
            earlier = known
            for (rows, columns), piece in found:
                if maps is None:
                    maps = room((len(piece), *shape), np.uint8)
                maps[:, *plane.write][:, rows, columns] = as_bytes(piece)
                # Pieces come from left to right.
                known = rows.stop if columns.stop == size[1] else known
            done += 1
            yield Progress("network", done, total)
            if show is not None and maps is not None and known > earlier:
                yield show(plane, maps[:, *plane.write], known, Progress("network", done, total))
    if maps is None:
        return in_memory((N_MAPS, *shape), np.uint8)
    yield from add_sides(maps, image, walk, predict, settings, bounds)
    return maps
