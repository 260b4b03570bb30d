"""Which nuclei to doubt first, and where they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DOUBTFUL = 0.7
"""Confidence below which a nucleus is called doubtful: half of those were wrong.

`benchmarks/confidence.py` on the validation images of docs/models.md: 235 of 2,757 nuclei, 122 of
them wrong.
"""


@dataclass(frozen=True, eq=False)
class Doubts:
    """The nuclei that are left to look at.

    Parameters
    ----------
    ids : (n,) int
        Labels, the least certain nucleus first.
    confidences : (n,) float
        Of each.
    """

    ids: npt.NDArray[np.intp]
    confidences: npt.NDArray[np.floating]

    @property
    def n_doubtful(self) -> int:
        """How many are doubtful."""
        return int(np.count_nonzero(self.confidences < DOUBTFUL))

    def beside(self, place: tuple[float, int] | None, step: int) -> int | None:
        """Return the next (1) or previous (-1) nucleus in the order of confidence, None if none.

        After the last comes the first.

        Parameters
        ----------
        place : tuple of float and int, optional
            Confidence and label of the nucleus to go on from; it need not be left. From None the
            first is the next.
        step : {1, -1}
            Which way.

        Examples
        --------
        >>> doubts = doubts_of(np.array([np.nan, 0.9, 0.5, 0.7]), taken=[3])
        >>> [doubts.beside(it, 1) for it in (None, (0.5, 2), (0.7, 3), (0.9, 1))]
        [2, 1, 1, 2]
        """
        order = list(zip(self.confidences.tolist(), self.ids.tolist(), strict=True))
        way = order[::step]
        ahead = [it for it in way if place is None or (it > place if step > 0 else it < place)]
        ahead = ahead or way
        return ahead[0][1] if ahead else None


def doubts_of(confidences: npt.NDArray[np.floating], taken: Collection[int] = ()) -> Doubts:
    """Return the nuclei that are left to look at, the least certain first.

    Parameters
    ----------
    confidences : array of float, by label
        See `confidence.confidence`; NaN for labels that are no nuclei.
    taken : collection of int
        Labels that are not looked at any more.
    """
    left = np.setdiff1d(np.flatnonzero(~np.isnan(confidences)), np.fromiter(taken, np.intp))
    order = np.argsort(confidences[left], kind="stable")
    return Doubts(left[order], confidences[left][order])


def touched(
    before: npt.NDArray[np.integer], after: npt.NDArray[np.integer]
) -> npt.NDArray[np.integer]:
    """Return the labels of which a pixel was changed: drawn, taken away or given to another.

    Examples
    --------
    >>> touched(np.array([[1, 1, 2, 3, 0]]), np.array([[1, 4, 2, 0, 0]]))
    array([0, 1, 3, 4])
    """
    differs = before != after
    return np.union1d(before[differs], after[differs])


@dataclass(frozen=True, eq=False)
class Whereabouts:
    """Where a nucleus is seen best.

    Parameters
    ----------
    point : (axes,) float
        Its middle on the plane that has most of it.
    low, high : (axes,) float
        Corners of a box around what is on that plane.
    """

    point: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def whereabouts(
    labels: npt.NDArray[np.integer], number: int, walked: Sequence[int]
) -> Whereabouts | None:
    """Return where a nucleus is seen best, None if it is not there.

    Parameters
    ----------
    labels : array of int
        0 is background.
    number : int
        Its label.
    walked : sequence of int
        Axes of which one index is shown at a time, such as that of depth; of several planes with
        equally many pixels the first is taken.

    Examples
    --------
    >>> stack = np.zeros((3, 4, 4), int)
    >>> stack[1, 0, 0], stack[2, 1:3, 1:4] = 7, 7
    >>> found = whereabouts(stack, 7, walked=[0])
    >>> found.point, found.low, found.high
    (array([2. , 1.5, 2. ]), array([1.5, 0.5, 0.5]), array([2.5, 2.5, 3.5]))
    """
    pixels = np.stack(np.nonzero(labels == number))
    if not pixels.size:
        return None
    if len(walked):
        _, which, sizes = np.unique(
            pixels[list(walked)], axis=1, return_inverse=True, return_counts=True
        )
        pixels = pixels[:, which.ravel() == np.argmax(sizes)]
    low, high = pixels.min(axis=1) - 0.5, pixels.max(axis=1) + 0.5
    return Whereabouts(pixels.mean(axis=1), low, high)
