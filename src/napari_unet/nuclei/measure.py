"""A table of the nuclei: size, place, shape and brightness, in physical units."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet.images.arrays import as_array
from napari_unet.images.calibration import UNITS
from napari_unet.nuclei.measuring import Task, check_shape, finish, steps

if TYPE_CHECKING:
    import pandas as pd

_PIXELS = ("pixel", "pixels", "px")
Images = npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]] | None


def measure(
    labels: npt.NDArray[np.integer],
    image: Images = None,
    scale: Sequence[float] | None = None,
    units: str | None = None,
) -> pd.DataFrame:
    """Return a table with one row for each nucleus.

    Parameters
    ----------
    labels : array of int, shape (y, x) or (z, y, x)
        0 is background.
    image : array, shape of ``labels``, or mapping of str to array, optional
        Adds its intensities; with a last axis of channels, those of every channel, numbered from
        0; of several images, those of each, with its name at the end of the columns' names.
    scale : sequence of float, optional
        Pixel size along each axis of ``labels``; pixels if None.
    units : str, optional
        Unit of ``scale`` such as "um"; it ends the names of the columns. "px" if there is no
        scale, "units" if there is one of unknown unit.

    Returns
    -------
    pandas.DataFrame
        One row for each nucleus, in ascending order of the labels, with the columns

        ``label``
            The nucleus.
        ``area_um2`` (2-D), ``volume_um3`` (3-D)
            Its size; of pixels ``area_px`` and ``volume_px``.
        ``equivalent_diameter_um``
            Diameter of the circle or ball of that size.
        ``centroid_y_um`` and so on
            Its middle, from the middle of the first pixel.
        ``major_axis_um``, ``middle_axis_um`` (3-D only), ``minor_axis_um``
            Full lengths of the axes of the ellipse or ellipsoid with the same second moments.
        ``eccentricity`` (2-D only)
            Of that ellipse: 0 for a circle, below 1.
        ``solidity``
            Its part of the pixels of its convex hull.
        ``perimeter_um`` (2-D)
            By Crofton's formula; see `napari_unet.nuclei.shapes.perimeters`.
        ``surface_um2`` (3-D)
            Area of the surface by marching cubes; see `napari_unet.nuclei.shapes.surface`.
        ``touches_rim``
            True for a nucleus cut by any face of the image.
        ``intensity_mean``, ``intensity_sum``, ``intensity_std``
            Of its pixels that are neither NaN nor infinite; NaN if there are none. A warning says
            how many nuclei have other ones, as where an image is masked.
        ``intensity_corrected``
            The mean, minus the median of the background near it. That are the pixels in its
            bounding box, made larger on every side by half its equivalent diameter and at least
            3 pixels, that are 3 or more steps along y and x from every nucleus. If there are
            none, the box is made larger by twice, four or eight times as much; then all such
            pixels of the image count. NaN if there are none at all.

    Raises
    ------
    ValueError
        If the labels are not 2-D or 3-D, or shape, scale or units do not fit them.

    Examples
    --------
    >>> table = measure(np.array([[0, 2, 2], [0, 2, 2]]), scale=(0.5, 0.5), units="um")
    >>> float(table["area_um2"][0]), float(table["centroid_x_um"][0])
    (1.0, 0.75)
    """
    labels = as_array(labels)
    image = image if isinstance(image, Mapping | None) else as_array(image)
    _check(labels, image, scale, units)
    steps_along = np.ones(labels.ndim) if scale is None else np.asarray(scale, float)
    task = Task(
        labels,
        "ZYX"[-labels.ndim :],
        channels(image, labels.ndim),
        np.column_stack([np.diag(steps_along), np.zeros(labels.ndim)]),
        symbol(scale, units),
    )
    measured = finish(steps(task))
    if measured.remark:
        warnings.warn(measured.remark, stacklevel=2)
    return measured.table


def channels(image: Images, ndim: int) -> dict[str, npt.NDArray[Any]]:
    """Return images by the names that end their columns.

    Parameters
    ----------
    image : array, mapping of str to array, or None
        An array of one more axis than the labels has its channels last: they are numbered.
    ndim : int
        Axes of the labels.
    """
    if image is None:
        return {}
    if isinstance(image, Mapping):
        return dict(image)
    if image.ndim == ndim:
        return {"": image}
    return {str(channel): image[..., channel] for channel in range(image.shape[-1])}


def symbol(scale: Sequence[float] | None, units: str | None) -> str:
    """Return the unit as the names of columns have it."""
    if units is None:
        return "px" if scale is None else "units"
    return "px" if units in _PIXELS else UNITS.get(units.lower(), units)


def _check(
    labels: npt.NDArray[np.integer],
    image: Images,
    scale: Sequence[float] | None,
    units: str | None,
) -> None:
    if labels.ndim not in (2, 3):
        raise ValueError(
            f"Expected labels of shape (y, x) or (z, y, x), got {labels.shape}; "
            "measure a time series frame by frame."
        )
    if not isinstance(image, Mapping | None):
        n_more = image.ndim - labels.ndim
        check_shape(image[..., 0] if n_more == 1 else image, labels)
    if scale is None and units not in (None, *_PIXELS):
        raise ValueError(
            f"Expected a scale for units of {units!r}, got none; give both or neither."
        )
    if scale is not None and not _are_sizes(scale, labels.ndim):
        raise ValueError(
            f"Expected a scale of {labels.ndim} finite pixel sizes above 0, got {scale!r}; "
            "give one for each axis of the labels."
        )


def _are_sizes(scale: Any, n_axes: int) -> bool:
    """Tell whether a scale is a size for each axis."""
    if not isinstance(scale, Sequence | np.ndarray) or len(scale) != n_axes:
        return False
    return all(isinstance(step, Real) and 0 < float(step) < np.inf for step in scale)
