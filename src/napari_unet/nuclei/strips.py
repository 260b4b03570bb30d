"""Connected pieces, each of them whole: of a plane strip by strip, of a volume box by box."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.nuclei.tables import looked_up

# Of a strip or box, as far as pieces allow: smaller ones take less memory, but more pixels twice.
PIXELS = 1 << 18
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Box:
    """Some pieces, and where they lie; a strip is one as wide as the plane.

    Attributes
    ----------
    place : tuple of slice
        Along [z,] y and x; other pieces may reach into it.
    first, last : int
        The lowest and the highest id of its pieces.
    """

    place: tuple[slice, ...]
    first: int
    last: int

    def part(self, whole: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """Return what lies there of an array, or of several in one."""
        place: tuple[Any, ...] = (..., *self.place)
        part: npt.NDArray[Value] = whole[place]
        return part

    def own(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Tell which labels are those of its pieces."""
        return (labels >= self.first) & (labels <= self.last)


def strips(pieces: npt.NDArray[np.int32], n_rows: int) -> list[Box]:
    """Return the strips that the pieces are taken in; every piece is in one of them.

    Parameters
    ----------
    pieces : array of int32
        Connected pieces, numbered from 1 in reading order of their first pixels.
    n_rows : int
        Along the first axis, in which the pieces of a strip begin.

    Examples
    --------
    >>> pieces = np.array([[1, 0, 2], [1, 0, 0], [0, 3, 3]], np.int32)
    >>> [(strip.place[0], strip.first, strip.last) for strip in strips(pieces, 1)]
    [(slice(0, 2, None), 1, 2), (slice(2, 3, None), 3, 3)]
    """
    begun = np.maximum.accumulate(pieces.reshape(len(pieces), -1).max(axis=1, initial=0))
    return list(_strips(pieces, begun.tolist(), n_rows))


def _strips(pieces: npt.NDArray[np.int32], begun: list[int], n_rows: int) -> Iterator[Box]:
    """Yield the strips, given how many pieces have begun up to each row."""
    done, columns = 0, slice(0, pieces.shape[1])
    for start in range(0, len(pieces), n_rows):
        stop = min(start + n_rows, len(pieces))
        strip = Box((slice(start, stop), columns), done + 1, begun[stop - 1])
        done = strip.last
        if strip.first <= strip.last:
            while stop < len(pieces) and strip.own(pieces[stop]).any():
                stop += 1
            yield replace(strip, place=(slice(start, stop), columns))


def boxes(pieces: npt.NDArray[np.int32], n_voxels: int) -> tuple[npt.NDArray[np.int32], list[Box]]:
    """Return the pieces of a volume, renumbered, and the boxes that they are taken in.

    A piece that is longer than the side of a box has one of its own; of others, those that begin
    in the same cube of that side share one.

    Parameters
    ----------
    pieces : array of int32, shape (z, y, x)
        Connected pieces, numbered from 1.
    n_voxels : int
        Of the cube; of what the volume has of it, where it has fewer planes.

    Returns
    -------
    pieces : array of int32, shape (z, y, x)
        Those of a box have ids that follow each other.
    boxes : list of Box
        With a voxel around their pieces, so that what is open there is seen to be.

    Examples
    --------
    >>> pieces = np.array([[[1, 0, 0, 2, 0], [0, 3, 0, 2, 0]]], np.int32)
    >>> renumbered, found = boxes(pieces, 4)
    >>> renumbered[0].tolist()
    [[1, 0, 0, 3, 0], [0, 2, 0, 3, 0]]
    >>> [(box.place[2], box.first, box.last) for box in found]
    [(slice(0, 3, None), 1, 2), (slice(2, 5, None), 3, 3)]
    """
    found = ndimage.find_objects(pieces)
    if not found:
        return pieces, []
    starts, stops = np.array([[(it.start, it.stop) for it in place] for place in found]).T
    side = max(1, round(n_voxels ** (1 / 3)), math.isqrt(n_voxels // len(pieces)))
    alone = np.where((stops - starts).max(axis=0) > side, np.arange(1, len(found) + 1), 0)
    keys = np.stack([*(starts // side), alone])
    order = np.lexsort(keys)
    begins = np.flatnonzero(np.diff(keys[:, order], axis=1, prepend=-1).any(axis=0))
    ends = np.append(begins[1:], len(order))
    lowest = np.maximum(np.minimum.reduceat(starts[:, order], begins, axis=1) - 1, 0)
    highest = np.maximum.reduceat(stops[:, order], begins, axis=1) + 1
    numbers = np.zeros(len(order) + 1, np.int32)
    numbers[order + 1] = np.arange(1, len(order) + 1)
    each = zip(lowest.T.tolist(), highest.T.tolist(), begins.tolist(), ends.tolist(), strict=True)
    return looked_up(numbers, pieces), [
        Box(tuple(map(slice, low, high)), begin + 1, end) for low, high, begin, end in each
    ]
