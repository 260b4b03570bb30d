"""Which nuclei of a frame are two in the next one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.shared import Shared

MIN_OVERLAP = 0.1
"""Least intersection over union of a nucleus with itself, or its daughter, in the next frame."""

LEAST_INSIDE = 0.3  # of a daughter's pixels, that were its mother's
LEAST_OF_LARGER = 0.5  # of what the other daughter shares: below, that one goes on as the mother
MOST_TOGETHER = 1.5  # of the mother's size: two neighbours that moved in are larger


def divisions(common: Shared, min_overlap: float = MIN_OVERLAP) -> npt.NDArray[np.intp]:
    """Return the mothers among the nuclei of a frame, each with its daughters in the next one.

    Both daughters share more with the mother than with any other nucleus, and neither so much
    more than the other that it would be the mother, going on.

    Parameters
    ----------
    common : Shared
        What the nuclei of the next frame (``predicted``) share with those of the frame.
    min_overlap : float
        Least intersection over union of mother and daughter.

    Returns
    -------
    array of int, shape (n, 3)
        Places of the mother in ``common.truth`` and of the daughters in ``common.predicted``.

    Examples
    --------
    >>> from napari_unet.nuclei.shared import share
    >>> divisions(share([7, 7, 0, 8, 8, 8], [5, 5, 5, 5, 5, 5]))
    array([[0, 1, 0]])
    """
    mothers, children, pixels = _children(common, min_overlap)
    first = np.flatnonzero(mothers[:-1] == mothers[1:])
    first = first[np.concatenate([[True], np.diff(mothers[first]) > 0])[: len(first)]]
    found = np.stack([mothers[first], children[first], children[first + 1]], axis=1)
    sizes = common.predicted_sizes[found[:, 1:]].sum(axis=1)
    is_even = pixels[first + 1] >= LEAST_OF_LARGER * pixels[first]
    is_small = sizes <= MOST_TOGETHER * common.truth_sizes[found[:, 0]]
    return np.asarray(found[is_even & is_small])


def _children(
    common: Shared, min_overlap: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return mother, child and pixels in common of all that may be; of a mother the most first."""
    pairs = common.pixels.tocoo()
    rows, columns, pixels = pairs.row.astype(np.intp), pairs.col.astype(np.intp), pairs.data
    most = np.zeros(pairs.shape[0])
    np.maximum.at(most, rows, pixels)
    sizes = common.predicted_sizes[rows]
    iou = pixels / (sizes + common.truth_sizes[columns] - pixels)
    may_be = (pixels == most[rows]) & (iou >= min_overlap) & (pixels >= LEAST_INSIDE * sizes)
    order = np.lexsort((rows, -pixels, columns))
    order = order[may_be[order]]
    return columns[order], rows[order], pixels[order]
