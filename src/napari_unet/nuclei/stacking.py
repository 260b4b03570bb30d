"""Nuclei of single planes made into nuclei of a stack."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.cleaning import distinct, number_in_reading_order
from napari_unet.nuclei.linking import match

MIN_OVERLAP = 0.3  # intersection over union of a nucleus's sections in two planes
WAIST = 0.9  # of the smaller of the largest areas below and above: narrower, and it is two nuclei

Labels = npt.NDArray[np.int32]


def stacked(labels: Labels) -> Labels:
    """Return the sections of all planes with one id for each nucleus of the stack.

    Sections of neighbouring planes are paired by the largest total intersection over union. One
    that is missing in a single plane is filled in there, as far as the planes below and above
    agree and nothing else is in its place. Where a row of sections narrows and widens again,
    it is two nuclei, one above the other.

    Parameters
    ----------
    labels : array of int32, shape (z, y, x)
        Each plane labelled for itself; 0 is background, no id is in two planes.

    Returns
    -------
    array of int32, shape (z, y, x)
        Ids 1..n in reading order.

    Examples
    --------
    >>> rows = [[1, 1, 1], [0, 0, 0], [2, 2, 2], [0, 3, 0], [4, 4, 4]]
    >>> stacked(np.array(rows, np.int32)[:, np.newaxis])[:, 0]
    array([[1, 1, 1],
           [1, 1, 1],
           [1, 1, 1],
           [0, 2, 0],
           [2, 2, 2]], dtype=int32)
    """
    labels = number_in_reading_order(labels)  # so that ids rise from plane to plane
    below = _sections_below(labels)
    sizes = np.bincount(labels.reshape(-1), minlength=len(below))
    return number_in_reading_order(_nuclei_of(below, sizes)[_filled(labels, below)])


def _sections_below(labels: Labels) -> npt.NDArray[np.int32]:
    """Return for every section the one that it continues, one or two planes below; 0 for none."""
    below = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    for z in range(1, len(labels)):
        _pair(labels[z - 1], labels[z], below)
        if z > 1:
            _pair_over_gap(labels[z - 2], labels[z - 1], labels[z], below)
    return below


def _pair(lower: Labels, upper: Labels, below: npt.NDArray[np.int32]) -> None:
    ids = distinct(upper)
    ids = ids[ids > 0]
    if len(ids):
        below[ids] = match(lower, upper, MIN_OVERLAP)


def _pair_over_gap(
    lower: Labels, middle: Labels, upper: Labels, below: npt.NDArray[np.int32]
) -> None:
    """Pair what has nothing above in the lower plane with what has nothing below in the upper."""
    ends = np.ones(len(below), bool)
    ends[below[distinct(middle)]] = False
    _pair(np.where(ends[lower], lower, 0), np.where(below[upper] == 0, upper, 0), below)


def _filled(labels: Labels, below: npt.NDArray[np.int32]) -> Labels:
    """Return the sections with those that are missing in one plane, where there is room."""
    filled = labels.copy()
    for lower, middle, upper, out in zip(labels, labels[1:], labels[2:], filled[1:], strict=False):
        missing = (middle == 0) & (lower > 0) & (below[upper] == lower)
        out[missing] = lower[missing]
    return filled


def _nuclei_of(below: npt.NDArray[np.int32], sizes: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    """Return the nucleus of every section: rows of sections, cut at their waists."""
    rows: dict[int, list[int]] = {}  # by the last section, which the next one continues
    for section, lower in enumerate(below.tolist()):
        rows[section] = [*rows.pop(lower, []), section] if section else []
    nuclei = np.zeros(len(below), np.int32)
    for row in filter(None, rows.values()):
        for part in _cut_at_waists(row, sizes):
            nuclei[part] = part[0]
    return nuclei


def _cut_at_waists(row: list[int], sizes: npt.NDArray[np.intp]) -> list[list[int]]:
    """Return the parts of a row of sections, each of which widens, then narrows."""
    areas = sizes[row]
    highest_below = np.maximum.accumulate(areas)
    highest_above = np.maximum.accumulate(areas[::-1])[::-1]
    narrow = areas / np.minimum(highest_below, highest_above)
    at = int(np.argmin(narrow))
    if narrow[at] >= WAIST:
        return [row]
    return [*_cut_at_waists(row[:at], sizes), *_cut_at_waists(row[at:], sizes)]
