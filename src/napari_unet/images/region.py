"""A part of an image that is larger than what should be read at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Region:
    """A rectangular part of an image that reads only what is asked for.

    A zarr array reads at once whatever is sliced out of it, so a part of one must stay an
    address until a plane of it is needed.

    Parameters
    ----------
    image : array-like
        Has a shape, and can be indexed by integers and slices.
    place : sequence of slice
        One slice of step 1 per axis.

    Examples
    --------
    >>> part = Region(np.arange(20).reshape(4, 5), (slice(1, 3), slice(2, None)))
    >>> part.shape, part[1, 0:2].tolist()
    ((2, 3), [12, 13])
    """

    def __init__(self, image: Any, place: tuple[slice, ...]) -> None:
        ranges = [range(n)[part] for n, part in zip(image.shape, place, strict=True)]
        self._image = image
        self._starts = [axis.start for axis in ranges]
        self.shape = tuple(len(axis) for axis in ranges)
        self.chunks = getattr(image, "chunks", None)  # of the image, as dask or zarr tells them

    def __getitem__(self, index: tuple[int | slice, ...]) -> NDArray[Any]:
        """Read the pixels at integers and slices that go forward, one per axis, in the region."""
        moved = (
            _moved(range(n)[part], start)
            for n, part, start in zip(self.shape, index, self._starts, strict=True)
        )
        return np.asarray(self._image[tuple(moved)])


def _moved(part: int | range, start: int) -> int | slice:
    if isinstance(part, int):
        return part + start
    step = None if part.step == 1 else part.step
    return slice(part.start + start, part.stop + start, step)
