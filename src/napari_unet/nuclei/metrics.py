"""How well predicted nuclei agree with true ones: average precision, F1, panoptic quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from napari_unet.nuclei.cleaning import has_table

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""IoU thresholds of the 2018 Data Science Bowl."""


@dataclass(frozen=True)
class Scores:
    """Counts of matched nuclei, from which every score follows; ``+`` pools images.

    Pooling adds the counts, so that every nucleus weighs the same in whichever image it lies;
    ``sum(scores, Scores())`` pools any number of images.

    Parameters
    ----------
    thresholds : tuple of float
        IoU thresholds, 0.5 among them.
    true_positives : tuple of int
        Nuclei matched one to one at an IoU of at least each threshold.
    n_predicted, n_truth : int
        Number of predicted and of true nuclei.
    iou_sum : float
        Sum of the IoU of the nuclei matched at 0.5.

    Examples
    --------
    >>> scores = Scores((0.5, 0.75), true_positives=(2, 1), n_predicted=2, n_truth=3)
    >>> round(scores.ap50, 3), scores.ap75
    (0.667, 0.25)
    """

    thresholds: tuple[float, ...] = THRESHOLDS
    true_positives: tuple[int, ...] = (0,) * len(THRESHOLDS)
    n_predicted: int = 0
    n_truth: int = 0
    iou_sum: float = 0.0

    def __add__(self, other: Scores) -> Scores:
        """Return the scores of both image sets as one."""
        if self.thresholds != other.thresholds:
            raise ValueError(
                f"Expected scores at the same IoU thresholds, got {self.thresholds} and "
                f"{other.thresholds}; evaluate both with the same thresholds."
            )
        pairs = zip(self.true_positives, other.true_positives, strict=True)
        return Scores(
            self.thresholds,
            tuple(mine + theirs for mine, theirs in pairs),
            self.n_predicted + other.n_predicted,
            self.n_truth + other.n_truth,
            self.iou_sum + other.iou_sum,
        )

    @property
    def ap(self) -> tuple[float, ...]:
        """TP / (TP + FP + FN) at each threshold; 1.0 where there is nothing to find or match."""
        n_either = self.n_predicted + self.n_truth
        return tuple(_ratio(hits, n_either - hits) for hits in self.true_positives)

    @property
    def ap50(self) -> float:
        """Average precision at an IoU of 0.5."""
        return self.ap[self.thresholds.index(0.5)]

    @property
    def ap75(self) -> float:
        """Average precision at an IoU of 0.75."""
        return self.ap[self.thresholds.index(0.75)]

    @property
    def mean_ap(self) -> float:
        """Mean average precision over the IoU thresholds up to 0.9 (0.5:0.9)."""
        up_to_90 = [ap for ap, iou in zip(self.ap, self.thresholds, strict=True) if iou <= 0.9]
        return float(np.mean(up_to_90))

    @property
    def mean_ap_95(self) -> float:
        """Mean average precision over all IoU thresholds (0.5:0.95, the Data Science Bowl's)."""
        return float(np.mean(self.ap))

    @property
    def precision(self) -> float:
        """Share of the predicted nuclei that are matched at an IoU of 0.5."""
        return _ratio(self._hits, self.n_predicted)

    @property
    def recall(self) -> float:
        """Share of the true nuclei that are matched at an IoU of 0.5."""
        return _ratio(self._hits, self.n_truth)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall at an IoU of 0.5."""
        return _ratio(2 * self._hits, self.n_predicted + self.n_truth)

    @property
    def pq(self) -> float:
        """Panoptic quality: F1 at 0.5 times the mean IoU of its matches (Kirillov et al. 2019)."""
        return _ratio(2 * self.iou_sum, self.n_predicted + self.n_truth)

    @property
    def _hits(self) -> int:
        return self.true_positives[self.thresholds.index(0.5)]


def evaluate(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> Scores:
    """Return the scores of predicted labels against true ones.

    Parameters
    ----------
    predicted, truth : array of int, same shape, any number of dimensions
        0 is background, every other value one nucleus.

    Returns
    -------
    Scores
        Counts at the IoU thresholds 0.5 to 0.95.

    Raises
    ------
    ValueError
        If the shapes differ or a label is negative.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> evaluate([0, 1, 1, 0, 2, 2], [0, 7, 7, 0, 0, 0]).ap50
    0.5
    """
    iou = overlaps(predicted, truth)
    at_half = _matched_ious(iou, 0.5)
    return Scores(
        true_positives=tuple(matches(iou, threshold) for threshold in THRESHOLDS),
        n_predicted=iou.shape[0],
        n_truth=iou.shape[1],
        iou_sum=float(at_half.sum()),
    )


def overlaps(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> sparse.csr_array:
    """Return the intersection over union of every predicted with every true nucleus.

    Parameters
    ----------
    predicted, truth : array of int, same shape, any number of dimensions
        0 is background; ids need not be consecutive.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n_predicted, n_truth)
        Rows and columns in ascending order of the ids; zero where nuclei do not overlap.

    Raises
    ------
    ValueError
        If the shapes differ or a label is negative.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> overlaps([1, 1, 1, 0], [0, 4, 4, 4]).toarray()
    array([[0.5]])
    """
    predicted, truth = _checked(predicted, "predicted"), _checked(truth, "true")
    if predicted.shape != truth.shape:
        raise ValueError(
            f"Expected labels of one shape, got predicted {predicted.shape} and true "
            f"{truth.shape}; compare labels of the same image."
        )
    rows, row_sizes = _numbered(predicted)
    columns, column_sizes = _numbered(truth)
    shape = (len(row_sizes), len(column_sizes))
    both = (rows >= 0) & (columns >= 0)
    pixels = (np.ones(np.count_nonzero(both)), (rows[both], columns[both]))
    shared = sparse.csr_array(pixels, shape=shape).tocoo()
    union = row_sizes[shared.row] + column_sizes[shared.col] - shared.data
    return sparse.csr_array((shared.data / union, (shared.row, shared.col)), shape=shape)


def matches(iou: sparse.csr_array, threshold: float) -> int:
    """Return how many nuclei can be matched one to one at an IoU of at least ``threshold``.

    Parameters
    ----------
    iou : scipy.sparse.csr_array, shape (n_predicted, n_truth)
        As `overlaps` gives it.
    threshold : float
        Least IoU of a match, above 0.

    Returns
    -------
    int
        Size of the largest matching (Hopcroft and Karp 1973).

    Examples
    --------
    >>> matches(overlaps([1, 1, 2, 2], [3, 3, 3, 3]), 0.5)
    1
    """
    return len(_matched_ious(iou, threshold))


def _matched_ious(iou: sparse.csr_array, threshold: float) -> npt.NDArray[np.float64]:
    pairs = iou.tocoo()
    good = pairs.data >= threshold
    kept = (pairs.data[good], (pairs.row[good], pairs.col[good]))
    graph = sparse.csr_array(kept, shape=iou.shape)
    if graph.nnz == 0:
        return np.zeros(0)
    columns = maximum_bipartite_matching(graph, perm_type="column")
    rows = np.flatnonzero(columns >= 0)
    return np.asarray(graph[rows, columns[rows]], dtype=np.float64).reshape(-1)


def _checked(labels: npt.ArrayLike, kind: str) -> npt.NDArray[np.integer]:
    labels = np.asarray(labels)
    if labels.size and not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"Expected {kind} labels of an integer type, got {labels.dtype}; "
            "convert them with astype(int) if they are labels."
        )
    if labels.size and labels.min() < 0:
        raise ValueError(
            f"Expected {kind} labels of 0 (background) and above, got {labels.min()}; "
            "set negative values to 0."
        )
    return labels


def _numbered(
    labels: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.signedinteger], npt.NDArray[np.int64]]:
    """Return each pixel's nucleus as 0, 1, ... (-1: background) and the nuclei's sizes."""
    flat = labels.ravel()
    if has_table(flat):
        sizes = np.bincount(flat.astype(np.intp, copy=False), minlength=1)
        sizes[0] = 1  # the background counts as there, so that the first nucleus is 0
        numbers = (np.cumsum(sizes > 0, dtype=np.int32) - np.int32(2))[flat]
        return numbers, sizes[1:][sizes[1:] > 0]
    ids = np.union1d(np.zeros(1, labels.dtype), flat)
    numbers = np.searchsorted(ids, flat) - 1
    return numbers, np.bincount(numbers + 1, minlength=len(ids))[1:]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 1.0
