"""Maps of large planes band by band, so that little of them is ever float32."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.planes import resized_part, seen_of
from napari_unet.images.tiling import Stitch, Tile


class Bands:
    """Maps of a plane, put together band by band from tiles that come row by row.

    A band reaches from the first pixel of a row of tiles to that of the next one, and is whole
    when its row is. It is what `Stitch` gives there, and of the plane no more is in memory than
    one row of tiles.

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
    >>> bands = Bands((10, 4), parts, overlap=2)
    >>> [bands.add(tile, np.ones((1, 6, 4), np.float32)).shape for tile in parts]
    [(1, 4, 4), (1, 6, 4)]
    """

    def __init__(self, shape: tuple[int, int], parts: Sequence[Tile], overlap: int) -> None:
        self._shape, self._overlap = shape, overlap
        self._n_missing = Counter(tile.read[0].start for tile in parts)
        edges = [*sorted(self._n_missing), shape[0]]
        self._rows = [slice(start, stop) for start, stop in pairwise(edges)]
        self._begun: dict[int, Stitch] = {}

    def add(self, tile: Tile, maps: NDArray[np.floating]) -> NDArray[np.float32]:
        """Add the maps (n_maps, h, w) of one tile; return those of the band that is whole by it.

        These are (n_maps, rows, x), of no rows but for the last tile of a row of tiles.
        """
        row = tile.read[0]
        for rows in self._rows:
            if rows.start < row.stop and row.start < rows.stop:
                self._stitch(rows, len(maps)).add(tile, maps)
        self._n_missing[row.start] -= 1
        if self._n_missing[row.start]:
            return np.zeros((len(maps), 0, self._shape[1]), np.float32)
        return self._begun.pop(row.start).result()

    def _stitch(self, rows: slice, n_maps: int) -> Stitch:
        if rows.start not in self._begun:
            place = rows, slice(0, self._shape[1])
            self._begun[rows.start] = Stitch(self._shape, n_maps, self._overlap, place)
        return self._begun[rows.start]


class ResizedBands:
    """Pixels (c, y, x) resampled band by band, as `resized` does with all of them.

    Parameters
    ----------
    shape, size : (int, int)
        Of all pixels (y, x), before and after.
    """

    def __init__(self, shape: tuple[int, int], size: tuple[int, int]) -> None:
        self._shape, self._size = shape, size
        self._held: NDArray[np.float32] | None = None
        self._start = self._done = 0

    def add(self, pixels: NDArray[np.float32]) -> tuple[slice, NDArray[np.float32]]:
        """Add the next rows; return the rows that can be resampled by now, and these."""
        first = self._done
        if self._shape == self._size:
            self._done += pixels.shape[1]
            return slice(first, self._done), pixels
        held = pixels if self._held is None else np.concatenate([self._held, pixels], axis=1)
        start, self._done = self._start, self._stop(self._start + held.shape[1])
        rows = slice(first, self._done)
        if first == self._done:
            self._held = held
            return rows, np.zeros((len(pixels), 0, self._size[1]), np.float32)

        def read(rows: slice, columns: slice) -> NDArray[np.float32]:
            return held[:, rows.start - start : rows.stop - start, columns]

        ready = resized_part(read, self._shape, self._size, (rows, slice(0, self._size[1])))
        next_row = slice(self._done, self._done + 1)
        self._start = seen_of(next_row, self._shape[0], self._size[0]).start
        self._held = held[:, self._start - start :].copy()
        return rows, ready

    def _stop(self, known: int) -> int:
        """Return up to which row all is known that it is resampled from."""
        if known == self._shape[0]:
            return self._size[0]
        length, stop = self._shape[0], self._size[0]
        while stop > self._done and seen_of(slice(0, stop), length, self._size[0]).stop > known:
            stop -= 1
        return stop
