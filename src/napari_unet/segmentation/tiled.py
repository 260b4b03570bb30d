"""A plane through the network, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.mosaic import Mosaic, Piece, ResizedMosaic
from napari_unet.images.planes import Predict, Read, resized_part
from napari_unet.segmentation.settings import SegmentSettings


def read_tiles(
    read: Read, size: tuple[int, int], seen: tuple[int, int], settings: SegmentSettings
) -> Iterator[NDArray[np.float32]]:
    """Yield the pixels (3, y, x) of a plane's tiles, as the network sees them.

    Parameters
    ----------
    read : callable
        Gives parts of the plane's pixels (3, y, x) float32.
    size, seen : (int, int)
        Of the plane (y, x), as it is and as the network sees it.
    settings : SegmentSettings
        Says what the tiles are.
    """
    for tile in settings.tiles_of(seen):
        yield resized_part(read, size, seen, tile.read)


def predict_tiles(
    pixels: Iterator[NDArray[np.float32]],
    size: tuple[int, int],
    seen: tuple[int, int],
    predict: Predict,
    settings: SegmentSettings,
) -> Iterator[Iterator[Piece]]:
    """Run the network over the tiles of a plane.

    Parameters
    ----------
    pixels : iterator of (3, y, x) float32
        Of its tiles; no more are taken than it has.
    size, seen : (int, int)
        Of the plane (y, x), as it is and as the network sees it.
    predict : callable
        The network: pixels (3, y, x) float32 to maps (maps, y, x) in 0..1.
    settings : SegmentSettings
        Says what the tiles are.

    Yields
    ------
    iterator of (place, maps)
        For each tile the pieces that are whole by it, in the plane's own pixels; they have to be
        taken before the next tile.
    """
    parts = settings.tiles_of(seen)
    mosaic, resizing = Mosaic(seen, parts, settings.overlap), ResizedMosaic(seen, size)
    for tile in parts:
        pieces = mosaic.add(tile, predict(next(pixels)))
        yield chain.from_iterable(resizing.add(*piece) for piece in pieces)
