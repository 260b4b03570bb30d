"""Maps of large planes piece by piece, so that little of them is ever float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.blocks import within
from napari_unet.images.planes import resized_part, seen_of
from napari_unet.images.tiling import Stitch, Tile

Place = tuple[slice, slice]
Piece = tuple[Place, NDArray[np.float32]]
"""Rows and columns, and the maps there, (maps, y, x)."""


class Mosaic:
    """Maps of a plane, put together piece by piece from tiles that come row by row.

    A piece is what the same tiles see, and is whole when the last of them was added: it is what
    `Stitch` gives there, and what one tile alone sees is taken as it is. Of the plane no more is
    in memory than what tiles to come share with those that were there.

    Parameters
    ----------
    shape : (int, int)
        Shape of the plane (y, x), in pixels.
    parts : sequence of Tile
        All that will be added, in the order of `tiles`.
    overlap : int
        Width of the taper, in pixels.

    Examples
    --------
    >>> from napari_unet.images.tiling import tiles
    >>> parts = tiles((10, 4), tile=6, overlap=2)
    >>> mosaic = Mosaic((10, 4), parts, overlap=2)
    >>> for tile in parts:
    ...     print([rows for (rows, _), _ in mosaic.add(tile, np.ones((1, 6, 4), np.float32))])
    [slice(0, 4, None)]
    [slice(4, 6, None), slice(6, 10, None)]
    """

    def __init__(self, shape: tuple[int, int], parts: Sequence[Tile], overlap: int) -> None:
        self._shape, self._overlap = shape, overlap
        self._pieces = tuple(_pieces([tile.read[axis] for tile in parts]) for axis in range(2))
        self._begun: dict[tuple[int, int], Stitch] = {}

    def add(self, tile: Tile, maps: NDArray[np.floating]) -> Iterator[Piece]:
        """Add the maps (n_maps, h, w) of one tile; yield where it makes pieces whole, and these."""
        rows, columns = (
            [piece for piece in pieces if part.start <= piece.span.start < part.stop]
            for pieces, part in zip(self._pieces, tile.read, strict=True)
        )
        for row, column in product(rows, columns):
            key, place = (row.span.start, column.span.start), (row.span, column.span)
            if row.is_alone and column.is_alone:
                yield place, maps[:, *within(place, tile.read)]
                continue
            if key not in self._begun:
                self._begun[key] = Stitch(self._shape, len(maps), self._overlap, place)
            self._begun[key].add(tile, maps)
            if (row.last, column.last) == (tile.read[0].start, tile.read[1].start):
                yield place, self._begun.pop(key).result()


@dataclass(frozen=True)
class _Stretch:
    """A piece along one axis: where it is, and of the tiles on it the last one's start."""

    span: slice
    last: int
    is_alone: bool


def _pieces(spans: Sequence[slice]) -> list[_Stretch]:
    """Return the pieces that the tiles' spans cut an axis into."""
    stops = {span.start: span.stop for span in spans}
    edges = sorted({*stops, *stops.values()})
    pieces = []
    for start, stop in pairwise(edges):
        on_it = [first for first in stops if first <= start < stops[first]]
        pieces.append(_Stretch(slice(start, stop), max(on_it), len(on_it) == 1))
    return pieces


class ResizedMosaic:
    """Pixels (c, y, x) resampled as `resized` does it, from pieces that come row by row.

    Parameters
    ----------
    shape, size : (int, int)
        Of all pixels (y, x), before and after.
    """

    def __init__(self, shape: tuple[int, int], size: tuple[int, int]) -> None:
        self._shape, self._size = shape, size
        self._rows: dict[int, list[NDArray[np.float32]]] = {}
        self._held: NDArray[np.float32] | None = None
        self._start = self._done = 0

    def add(self, place: Place, pixels: NDArray[np.float32]) -> Iterator[Piece]:
        """Add a piece that is right of those that were added of its rows.

        Yield where all is known by it, and the resampled pixels there: if the size is to change,
        these are whole rows.
        """
        if self._shape == self._size:
            yield place, pixels
            return
        rows, columns = place
        row = self._rows.setdefault(rows.start, [])
        row.append(pixels)
        if columns.stop == self._shape[1]:
            whole = np.concatenate(self._rows.pop(rows.start), axis=2)
            self._held = (
                np.concatenate([self._held, whole], axis=1) if self._held is not None else whole
            )
            yield from self._ready(self._held)

    def _ready(self, held: NDArray[np.float32]) -> Iterator[Piece]:
        """Yield the rows that can be resampled now, and what is in them."""
        start, first = self._start, self._done
        self._done = self._stop(start + held.shape[1])
        if first == self._done:
            return
        place = slice(first, self._done), slice(0, self._size[1])

        def read(rows: slice, columns: slice) -> NDArray[np.float32]:
            return held[:, rows.start - start : rows.stop - start, columns]

        ready = resized_part(read, self._shape, self._size, place)
        next_row = slice(self._done, self._done + 1)
        self._start = seen_of(next_row, self._shape[0], self._size[0]).start
        self._held = held[:, self._start - start :].copy()
        yield place, ready

    def _stop(self, known: int) -> int:
        """Return up to which row all is known that it is resampled from."""
        if known == self._shape[0]:
            return self._size[0]
        length, stop = self._shape[0], self._size[0]
        while stop > self._done and seen_of(slice(0, stop), length, self._size[0]).stop > known:
            stop -= 1
        return stop
