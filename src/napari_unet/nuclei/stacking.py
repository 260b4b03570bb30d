"""Nuclei of single planes made into nuclei of a stack."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.cleaning import number_in_reading_order
from napari_unet.nuclei.linking import partners
from napari_unet.nuclei.shared import Shared, share

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
    filled = labels.copy()
    for lower, middle, upper, out in zip(labels, labels[1:], labels[2:], filled[1:], strict=False):
        fill(middle, lower, below[upper], out)
    return number_in_reading_order(nuclei_of(below, sizes)[filled])


def _sections_below(labels: Labels) -> npt.NDArray[np.int32]:
    """Return for every section the one that it continues, one or two planes below; 0 for none."""
    below = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    for z in range(1, len(labels)):
        pair(share(labels[z], labels[z - 1]), below)
        if z > 1:
            pair_over_gap(share(labels[z], labels[z - 2]), below)
    return below


def pair(common: Shared, below: npt.NDArray[np.int32]) -> None:
    """Note for every section of a plane the one that it continues, 0 for none.

    Parameters
    ----------
    common : Shared
        What the sections of the plane (``predicted``) share with those of another one.
    below : array of int32, by section
        Where it is noted.
    """
    if len(common.predicted):
        below[common.predicted] = partners(common, MIN_OVERLAP)


def pair_over_gap(common: Shared, below: npt.NDArray[np.int32]) -> None:
    """Do so for what has nothing just below, and what has nothing just above two planes below.

    Takes the same as `pair`, after it, plane by plane.
    """
    rows = np.flatnonzero(below[common.predicted] == 0)
    columns = np.flatnonzero(~np.isin(common.truth, below))
    pair(common.of(rows, columns), below)


def fill(middle: Labels, lower: Labels, continued: Labels, out: Labels) -> None:
    """Fill in, in place, sections that are missing in one plane, where there is room.

    Parameters
    ----------
    middle, lower : array of int32, shape (y, x)
        Sections of the plane, and of the one below.
    continued : array of int32, shape (y, x)
        What those of the plane above continue.
    out : array of int32, shape (y, x)
        A copy of the plane.
    """
    missing = (middle == 0) & (lower > 0) & (continued == lower)
    out[missing] = lower[missing]


def nuclei_of(below: npt.NDArray[np.int32], sizes: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    """Return the nucleus of every section: rows of sections, cut at their waists.

    Parameters
    ----------
    below : array of int32, by section
        The one that it continues, of a lower number; 0 for none.
    sizes : array of int, by section
        Pixels.
    """
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
