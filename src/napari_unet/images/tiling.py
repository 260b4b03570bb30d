"""Planes cut into overlapping tiles, and maps of tiles stitched without seams."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.blocks import in_common, within

TILE = 1280  # px; side of the tiles that a network sees, if nothing else is asked for
BLENDED = 1 / 9  # of what neighbours share, in its middle; the rest is that of one tile alone
OVERLAP_OF_HALO = 2 / (1 - BLENDED)  # so that nothing of a halo counts
SMALLEST_WEIGHT = 1e-3  # not 0: tiles may come without overlap


@dataclass(frozen=True)
class Tile:
    """One rectangle of a plane; ``plane[tile.read]`` are its pixels."""

    read: tuple[slice, slice]


def spans(length: int, tile: int, overlap: int, grid: int = 1) -> list[slice]:
    """Return evenly spread stretches of equal size that cover an axis, as few as can be.

    A network with poolings gives the same maps to a shifted tile only if the shift is a
    multiple of what the poolings add up to: that is what `grid` is for.

    Parameters
    ----------
    length : int
        Length of the axis, in pixels.
    tile : int
        Largest size of a stretch, in pixels; they are as small as their number allows.
    overlap : int
        Fewest pixels that neighbours share.
    grid : int
        Every stretch starts at a multiple of this many pixels; the last one may be shorter
        than the others by less than that.

    Returns
    -------
    list of slice
        In rising order; empty for an axis of length 0.

    Raises
    ------
    ValueError
        When the overlap does not fit the tile.

    Examples
    --------
    >>> spans(10, 6, 1)
    [slice(0, 6, None), slice(4, 10, None)]
    >>> spans(10, 6, 1, grid=3)
    [slice(0, 6, None), slice(3, 9, None), slice(6, 10, None)]
    >>> spans(10, 8, 2)
    [slice(0, 6, None), slice(4, 10, None)]
    """
    if not 0 <= overlap < tile:
        raise ValueError(
            f"Expected 0 <= overlap < tile, got an overlap of {overlap} and a tile of {tile} "
            "pixels; choose a larger tile or a smaller overlap."
        )
    if length <= tile:
        return [slice(0, length)] if length > 0 else []
    size, shared, steps = max(1, tile // grid), -(-overlap // grid), -(-length // grid)
    n_gaps = -(-(steps - size) // max(1, size - shared))
    size = min(size, -(-(steps + n_gaps * shared) // (n_gaps + 1)))
    starts = (i * (steps - size) // n_gaps for i in range(n_gaps + 1))
    return [slice(start * grid, min((start + size) * grid, length)) for start in starts]


def tiles(shape: tuple[int, int], tile: int, overlap: int, grid: int = 1) -> list[Tile]:
    """Return the tiles that cover a plane, row by row.

    Parameters
    ----------
    shape : (int, int)
        Shape of the plane (y, x), in pixels.
    tile, overlap, grid : int
        Size of a tile, fewest pixels that neighbours share, and what tiles start at multiples
        of, along both axes; see `spans`.

    Raises
    ------
    ValueError
        When the overlap does not fit the tile.

    Examples
    --------
    >>> len(tiles((1024, 2048), tile=512, overlap=64))
    15
    """
    rows, columns = (spans(length, tile, overlap, grid) for length in shape)
    return [Tile(read) for read in product(rows, columns)]


class Stitch:
    """Maps of a plane, put together from the maps of its tiles.

    Each tile is weighted by a taper that falls in the middle of the overlap, but not at the
    plane's own rim, so neighbours blend without a seam and a single tile comes back unchanged.

    Parameters
    ----------
    shape : (int, int)
        Shape of the plane (y, x), in pixels.
    n_maps : int
        Number of maps.
    overlap : int
        Width of the taper, in pixels.
    place : (slice, slice), optional
        Put together only this part of the plane.

    Examples
    --------
    >>> stitch = Stitch((4, 10), n_maps=1, overlap=2)
    >>> for tile in tiles((4, 10), tile=6, overlap=2):
    ...     stitch.add(tile, np.ones((1, 4, 6), np.float32))
    >>> bool(np.allclose(stitch.result(), 1))
    True
    """

    def __init__(
        self,
        shape: tuple[int, int],
        n_maps: int,
        overlap: int,
        place: tuple[slice, slice] | None = None,
    ) -> None:
        rows, columns = place or (slice(0, shape[0]), slice(0, shape[1]))
        part = (rows.stop - rows.start, columns.stop - columns.start)
        self._shape, self._place = shape, (rows, columns)
        self._sum = np.zeros((n_maps, *part), np.float32)
        self._weight = np.zeros(part, np.float32)
        self._overlap = overlap

    def add(self, tile: Tile, maps: NDArray[np.floating | np.uint8]) -> None:
        """Add the maps (n_maps, h, w) of one tile.

        Raises
        ------
        ValueError
            When the maps do not have the tile's shape.
        """
        sides = (span.stop - span.start for span in tile.read)
        expected = (len(self._sum), *sides)
        if maps.shape != expected:
            raise ValueError(
                f"Expected maps of the shape {expected} for this tile, got {maps.shape}; "
                "crop the padding off before adding them."
            )
        common = in_common(tile.read, self._place)
        seen, added = within(common, tile.read), within(common, self._place)
        rows, columns = (
            _taper(span, length, self._overlap)[part]
            for span, length, part in zip(tile.read, self._shape, seen, strict=True)
        )
        weight = np.outer(rows, columns)
        self._sum[:, *added] += maps[:, *seen] * weight
        self._weight[added] += weight

    def result(self) -> NDArray[np.float32]:
        """Return the maps (n_maps, y, x) of the place as float32; 0 where no tile was added.

        They take the place of what was added, to which nothing can be added any more.
        """
        return np.divide(self._sum, self._weight, out=self._sum, where=self._weight > 0)


def pad_to_multiple(
    pixels: NDArray[np.float32], multiple: int, minimum: int = 1
) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """Return pixels mirrored at their far rims to a size that the network can halve.

    Parameters
    ----------
    pixels : array, (c, h, w)
        At least one pixel high and wide.
    multiple : int
        What the new height and width are multiples of.
    minimum : int
        Smallest new height and width.

    Returns
    -------
    padded : array, (c, H, W)
        `pixels` itself where its size fits already.
    crop : (slice, slice)
        ``padded[:, *crop]`` are the given pixels.

    Raises
    ------
    ValueError
        When there is no pixel to mirror.

    Examples
    --------
    >>> padded, crop = pad_to_multiple(np.zeros((3, 50, 7), np.float32), 16, minimum=32)
    >>> padded.shape, padded[:, *crop].shape
    ((3, 64, 32), (3, 50, 7))
    """
    height, width = pixels.shape[1:]
    if 0 in (height, width):
        raise ValueError(
            f"Expected at least one pixel to pad, got the shape {pixels.shape}; skip empty planes."
        )
    crop = (slice(0, height), slice(0, width))
    missing = [-max(n, minimum) % multiple + max(minimum - n, 0) for n in (height, width)]
    if not any(missing):
        return pixels, crop
    return np.pad(pixels, [(0, 0), (0, missing[0]), (0, missing[1])], mode="reflect"), crop


def _taper(span: slice, length: int, overlap: int) -> NDArray[np.float32]:
    """Return weights (0, 1] along one axis of a tile, 1 at the rim of the plane.

    They fall over the middle of the overlap: nearer to where a tile was cut off, the network saw
    too little of the surroundings.
    """
    size = span.stop - span.start
    places = (np.arange(size, dtype=np.float32) + 0.5) / max(overlap, 1)
    rising = np.clip((places - 0.5) / BLENDED + 0.5, SMALLEST_WEIGHT, 1)
    weights = np.ones(size, np.float32)
    if span.start > 0:
        weights *= rising
    if span.stop < length:
        weights *= rising[::-1]
    return weights
