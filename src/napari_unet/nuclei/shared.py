"""What predicted and true nuclei have in common, pixel by pixel: all comparisons begin here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from napari_unet.images.arrays import as_array, check_fits, read_whole, unread_bytes
from napari_unet.nuclei.tables import counted

LARGEST_TABLE = 2**24  # ids up to this are looked up, which is faster than to search them


@dataclass(frozen=True, eq=False)
class Shared:
    """How many pixels predicted and true nuclei have in common, and how many each has.

    Parameters
    ----------
    pixels : scipy.sparse.csr_array of float64, shape (n_predicted, n_truth)
        Pixels in both of a pair; rows and columns in ascending order of the ids.
    predicted, truth : array of int
        The ids.
    predicted_sizes, truth_sizes : array of int
        Pixels of each nucleus.
    """

    pixels: sparse.csr_array
    predicted: npt.NDArray[np.integer]
    truth: npt.NDArray[np.integer]
    predicted_sizes: npt.NDArray[np.int64]
    truth_sizes: npt.NDArray[np.int64]

    def iou(self) -> sparse.csr_array:
        """Return the intersection over union of every pair, (n_predicted, n_truth)."""
        pairs = self.pixels.tocoo()
        union = self.predicted_sizes[pairs.row] + self.truth_sizes[pairs.col] - pairs.data
        return sparse.csr_array((pairs.data / union, (pairs.row, pairs.col)), self.pixels.shape)

    def of(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Shared:
        """Return the same of some predicted and true nuclei alone, by their places in order."""
        return Shared(
            self.pixels[rows][:, columns],
            self.predicted[rows],
            self.truth[columns],
            self.predicted_sizes[rows],
            self.truth_sizes[columns],
        )


def share(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> Shared:
    """Return how many pixels every predicted nucleus has in common with every true one.

    Parameters
    ----------
    predicted, truth : array of int, same shape, any number of dimensions
        0 is background; ids need not be consecutive.

    Raises
    ------
    ValueError
        If the shapes differ, a label is negative, or lazy labels are too large for the memory.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> share([1, 1, 1, 0], [0, 4, 4, 4]).pixels.toarray()
    array([[2.]])
    """
    unread = [as_array(predicted), as_array(truth)]
    if unread[0].shape != unread[1].shape:
        raise ValueError(
            f"Expected labels of one shape, got predicted {unread[0].shape} and true "
            f"{unread[1].shape}; compare labels of the same image."
        )
    check_fits(unread[0].shape, sum(map(unread_bytes, unread)))
    predicted, truth = _checked(unread[0], "predicted"), _checked(unread[1], "true")
    row_ids, row_sizes = _counted(predicted)
    column_ids, column_sizes = _counted(truth)
    both = (predicted > 0) & (truth > 0)
    rows, columns = numbered(predicted[both], row_ids), numbered(truth[both], column_ids)
    starts = np.flatnonzero((np.diff(rows, prepend=0) != 0) | (np.diff(columns, prepend=0) != 0))
    lengths = np.diff(starts, append=len(rows)).astype(np.float64)
    runs = (lengths, (rows[starts] - 1, columns[starts] - 1))
    pixels = sparse.csr_array(runs, shape=(len(row_ids), len(column_ids)))
    return Shared(pixels, row_ids, column_ids, row_sizes, column_sizes)


def numbered(
    labels: npt.NDArray[np.integer], ids: npt.NDArray[np.integer]
) -> npt.NDArray[np.int32]:
    """Return the labels with the i-th of their ascending ids replaced by i + 1.

    Examples
    --------
    >>> numbered(np.array([0, 70, 7, 7]), np.array([7, 70]))
    array([0, 2, 1, 1], dtype=int32)
    """
    if not len(ids) or ids[-1] > LARGEST_TABLE:
        with_ground = np.concatenate([np.zeros(1, ids.dtype), ids])
        return np.searchsorted(with_ground, labels).astype(np.int32)
    table = np.zeros(int(ids[-1]) + 1, np.int32)
    table[ids] = np.arange(1, len(ids) + 1)
    return np.asarray(table[labels])


def _counted(
    labels: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.int64]]:
    """Return the ids in ascending order, and how many pixels each has."""
    if int(labels.max(initial=0)) > LARGEST_TABLE:
        ids, sizes = np.unique(labels[labels > 0], return_counts=True)
        return ids, sizes
    sizes = counted(labels)
    sizes[:1] = 0
    ids = np.flatnonzero(sizes)
    return ids, sizes[ids]


def _checked(given: Any, kind: str) -> npt.NDArray[np.integer]:
    labels: npt.NDArray[np.integer] = read_whole(given)
    if labels.size and labels.dtype.kind not in "iu":
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
