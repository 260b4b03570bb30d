"""How sure the network is of each nucleus, from its maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.shared import Shared, share
from napari_unet.nuclei.tables import PART


def confidence(
    maps: npt.NDArray[np.floating | np.uint8], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Return how sure the network is of each nucleus, 0..1.

    It is the geometric mean of how sure it is that the nucleus's pixels are nucleus, on average,
    and how deep the deepest of them lies inside one: what is invented is grey, or has no core.
    `benchmarks/confidence.py` compares it with others, such as those that look at the outline.
    It orders nuclei; it is no probability.

    Parameters
    ----------
    maps : array of float in 0..1 or uint8 in 0..255, shape (3, [z,] y, x)
        Nucleus probability, border probability, distance to the nucleus's edge; or, of shape
        (1 or 2, [z,] y, x), without the distance: the mean of the nucleus probability is taken.
    labels : array of int, shape ([z,] y, x)
        0 is background.

    Returns
    -------
    array of float32, shape (highest label + 1,)
        By label; NaN for the background and for labels that are not there.

    Raises
    ------
    ValueError
        If the labels are not of the maps' shape.

    Examples
    --------
    >>> nucleus = np.array([1, 1, 0, 0.5, 0.5])
    >>> maps = np.stack([nucleus, np.zeros(5), nucleus])
    >>> confidence(maps, np.array([1, 1, 0, 3, 3]))
    array([nan, 1. , nan, 0.5], dtype=float32)
    """
    return evidence(maps, labels).confidence()


@dataclass(frozen=True, eq=False)
class Evidence:
    """What tells how sure the network is of nuclei, by label; that of parts can be added up.

    Parameters
    ----------
    sizes : array of int64
        Pixels or voxels; 0 for the background and for labels that are not there.
    likely : array of float64
        Sum of the nucleus probability over them.
    deepest : array of float64
        Largest distance to the nucleus's edge; nothing where there is no such map.
    """

    sizes: npt.NDArray[np.int64]
    likely: npt.NDArray[np.float64]
    deepest: npt.NDArray[np.float64] | None

    def confidence(self) -> npt.NDArray[np.float32]:
        """Return the confidence by label, NaN where there is none."""
        mean: npt.NDArray[np.float64] = np.full(len(self.sizes), np.nan)
        np.divide(self.likely, self.sizes, out=mean, where=self.sizes > 0)
        both = mean if self.deepest is None else np.sqrt(mean * self.deepest)
        return np.asarray(both, np.float32)

    def of(self, some: slice) -> Evidence:
        """Return that of some labels."""
        deepest = None if self.deepest is None else self.deepest[some]
        return Evidence(self.sizes[some], self.likely[some], deepest)

    def added(self, wholes: npt.NDArray[np.integer]) -> Evidence:
        """Return the evidence of wholes, given the one that each part belongs to."""
        n = int(wholes.max(initial=-1)) + 1
        deepest = None
        if self.deepest is not None:
            deepest = np.zeros(n)
            np.maximum.at(deepest, wholes, self.deepest)
        return Evidence(
            np.bincount(wholes, self.sizes, n).astype(np.int64),
            _sums(self.likely, wholes, n),
            deepest,
        )


def evidence(
    maps: npt.NDArray[np.floating | np.uint8], labels: npt.NDArray[np.integer]
) -> Evidence:
    """Return what `confidence` is made from; takes and raises the same."""
    maps, labels = np.asarray(maps), np.asarray(labels)
    if maps.shape[1:] != labels.shape:
        raise ValueError(
            f"Expected labels of the maps' shape {maps.shape[1:]}, got {labels.shape}; give the "
            "maps that the labels were made from."
        )
    n, scale = int(labels.max(initial=0)) + 1, 255 if maps.dtype == np.uint8 else 1
    sizes, likely, deepest = np.zeros(n, np.int64), np.zeros(n), np.zeros(n, maps.dtype)
    rows = max(1, PART * len(labels) // max(labels.size, 1))
    for start in range(0, len(labels), rows):
        own, seen = labels[start : start + rows], maps[:, start : start + rows]
        inside = own > 0
        ids = own[inside]
        sizes += np.bincount(ids, minlength=n)
        likely += _sums(seen[0][inside], ids, n)
        if len(maps) > 2:
            np.maximum.at(deepest, ids, seen[2][inside])
    return Evidence(sizes, likely / scale, deepest / scale if len(maps) > 2 else None)


def carried_over(
    confidences: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    changed: npt.NDArray[np.integer],
) -> npt.NDArray[np.float32]:
    """Return the confidence of labels that were renumbered or redrawn.

    Parameters
    ----------
    confidences : array of float32, by label
        As `confidence` returns it for ``labels``.
    labels, changed : array of int, same shape
        Before and after.

    Returns
    -------
    array of float32, shape (highest changed label + 1,)
        NaN for nuclei that are not pixel for pixel one of before.

    Examples
    --------
    >>> before = np.array([np.nan, 0.75, 0.5], np.float32)
    >>> carried_over(before, np.array([1, 1, 0, 2, 2]), np.array([4, 4, 0, 1, 0]))
    array([ nan,  nan,  nan,  nan, 0.75], dtype=float32)
    """
    shared = share(changed, labels)
    rows, columns = _same(shared)
    carried = np.full(int(changed.max(initial=0)) + 1, np.nan, np.float32)
    carried[shared.predicted[rows]] = confidences[shared.truth[columns]]
    return carried


def _same(shared: Shared) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows and columns of the pairs that are the same pixel for pixel."""
    pairs = shared.pixels.tocoo()
    larger = np.maximum(shared.predicted_sizes[pairs.row], shared.truth_sizes[pairs.col])
    same = pairs.data == larger
    return pairs.row[same], pairs.col[same]


def _sums(
    values: npt.NDArray[np.floating | np.uint8], ids: npt.NDArray[np.integer], n: int
) -> npt.NDArray[np.float64]:
    """Return the sum of the values of each id."""
    return np.asarray(np.bincount(ids, weights=values, minlength=n), np.float64)
