"""How bright nuclei are, by themselves and above what is beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unet.nuclei.shapes import Box, Floats, Numbered, planes

# A nucleus is blurred and its outline is not exact: so near, its light is in the background.
N_BLURRED = 2  # px
NEAREST = 3  # px: less than this would leave nothing beside what is blurred
REACH = 0.5  # of the equivalent diameter
FARTHER = (1, 2, 4, 8)  # times the reach, until there is some background


def intensities(numbered: Numbered, image: npt.NDArray[Any]) -> dict[str, Floats]:
    """Return ``intensity_mean``, ``intensity_sum`` and ``intensity_std`` of every nucleus.

    Parameters
    ----------
    numbered : Numbered
        The nuclei.
    image : array, shape of the labels
        Of any real type; of a nucleus the pixels that are finite count, and one that has none has
        NaN.
    """
    n = len(numbered.ids)
    sizes, sums, squares = np.zeros(n), np.zeros(n), np.zeros(n)
    pairs = list(zip(planes(numbered.pixels), planes(image), strict=True))
    for labels, plane in pairs:
        numbers, values = _values(labels, plane)
        sizes += np.bincount(numbers, minlength=n)
        sums += np.bincount(numbers, values, minlength=n)
    sums[sizes == 0] = sizes[sizes == 0] = np.nan
    means = sums / sizes
    # From the differences to the mean: squares of large values would leave few digits.
    for labels, plane in pairs:
        numbers, values = _values(labels, plane)
        squares += np.bincount(numbers, (values - means[numbers]) ** 2, minlength=n)
    return {
        "intensity_mean": means,
        "intensity_sum": sums,
        "intensity_std": np.sqrt(squares / sizes),
    }


def _values(
    labels: npt.NDArray[np.int32], plane: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int32], Floats]:
    """Return the number of the nucleus, from 0, and the value of each finite pixel in one."""
    inside = (labels > 0) & are_finite(plane)
    return labels[inside] - 1, plane[inside].astype(np.float64)


def are_finite(image: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return where an image is neither NaN nor infinite."""
    # Of whole numbers all are, whatever the size: a view takes no room.
    finite = np.isfinite(image) if image.dtype.kind == "f" else np.broadcast_to(True, image.shape)
    return np.asarray(finite)


def spoilt(numbered: Numbered, image: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which nuclei, (n,), have pixels of an image that are NaN or infinite."""
    found = np.zeros(len(numbered.ids) + 1, bool)
    found[numbered.pixels[~are_finite(image)]] = True
    return found[1:]


def free_pixels(numbered: Numbered) -> npt.NDArray[np.bool_]:
    """Return where the background is: pixels 3 or more steps along y and x from every nucleus."""
    cross = ndimage.generate_binary_structure(2, 1)
    cross = cross.reshape((1,) * (numbered.pixels.ndim - 2) + cross.shape)
    blurred = ndimage.binary_dilation(numbered.pixels > 0, cross, iterations=N_BLURRED)
    free: npt.NDArray[np.bool_] = ~blurred
    return free


def surroundings(
    numbered: Numbered, free: npt.NDArray[np.bool_], diameters: Floats, spacing: Floats
) -> list[Box | None]:
    """Return the part of the image around each nucleus that has some background.

    Parameters
    ----------
    numbered : Numbered
        The nuclei.
    free : array of bool, shape of the labels
        Where the background is.
    diameters : (n,)
        Equivalent diameters of the nuclei.
    spacing : (axes,)
        Size of a pixel, in the unit of the diameters.

    Returns
    -------
    list of tuple of slice, or None
        The bounding box, larger on every side by half the diameter and at least 3 pixels; by
        twice, four and eight times that where all of it is too near to nuclei. None where there
        is no background that near.
    """
    margins = np.ceil(np.maximum(REACH * diameters[:, None] / spacing, NEAREST)).astype(int)
    return [_around(box, margin, free) for box, margin in zip(numbered.boxes, margins, strict=True)]


def _around(box: Box, margin: npt.NDArray[np.int_], free: npt.NDArray[np.bool_]) -> Box | None:
    for times in FARTHER:
        larger = tuple(
            slice(max(part.start - times * int(step), 0), part.stop + times * int(step))
            for part, step in zip(box, margin, strict=True)
        )
        if free[larger].any():
            return larger
    return None


def backgrounds(
    image: npt.NDArray[Any], free: npt.NDArray[np.bool_], around: list[Box | None]
) -> Floats:
    """Return the median of the background near each nucleus.

    Parameters
    ----------
    image : array
        Intensities, of the labels' shape.
    free : array of bool
        Where the background is, of the same shape.
    around : list of tuple of slice, or None
        As `surroundings` gives it for each nucleus.

    Returns
    -------
    (n,) float64
        That of all background where there is none near; NaN if there is none at all.
    """
    if not free.any():
        return np.full(len(around), np.nan)
    medians = [np.nan if box is None else np.median(image[box][free[box]]) for box in around]
    found = np.array(medians, np.float64)
    if None in around:
        found[[box is None for box in around]] = np.median(image[free])
    return found
