"""Connected pieces of a plane, taken strip by strip, each of them whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Pixels of a strip, as far as pieces allow: smaller ones take less memory, but more rows twice.
PIXELS = 1 << 18


@dataclass(frozen=True)
class Strip:
    """The pieces that begin in some rows, and the rows that they lie in.

    Attributes
    ----------
    rows : slice
        Along the first axis; other pieces may reach into them.
    first, last : int
        The lowest and the highest id of its pieces.
    """

    rows: slice
    first: int
    last: int

    def own(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Tell which labels are those of its pieces."""
        return (labels >= self.first) & (labels <= self.last)


def strips(pieces: npt.NDArray[np.int32], n_rows: int) -> list[Strip]:
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
    >>> [(strip.rows, strip.first, strip.last) for strip in strips(pieces, 1)]
    [(slice(0, 2, None), 1, 2), (slice(2, 3, None), 3, 3)]
    """
    begun = np.maximum.accumulate(pieces.reshape(len(pieces), -1).max(axis=1, initial=0))
    return list(_strips(pieces, begun.tolist(), n_rows))


def _strips(pieces: npt.NDArray[np.int32], begun: list[int], n_rows: int) -> Iterator[Strip]:
    """Yield the strips, given how many pieces have begun up to each row."""
    done = 0
    for start in range(0, len(pieces), n_rows):
        stop = min(start + n_rows, len(pieces))
        strip = Strip(slice(start, stop), done + 1, begun[stop - 1])
        done = strip.last
        if strip.first <= strip.last:
            while stop < len(pieces) and strip.own(pieces[stop]).any():
                stop += 1
            yield Strip(slice(start, stop), strip.first, strip.last)
