"""A table of the nuclei: size, place, shape and brightness, in physical units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from skimage.measure import regionprops_table

from napari_unet.images.calibration import UNITS
from napari_unet.nuclei.cleaning import rim_ids

if TYPE_CHECKING:
    import pandas as pd

_PIXELS = ("pixel", "pixels", "px")


def measure(
    labels: npt.NDArray[np.integer],
    image: npt.NDArray[Any] | None = None,
    scale: Sequence[float] | None = None,
    units: str | None = None,
) -> pd.DataFrame:
    """Return a table with one row for each nucleus.

    Parameters
    ----------
    labels : array of int, shape (y, x) or (z, y, x)
        0 is background.
    image : array, shape of ``labels``, optional
        Adds the mean, sum and standard deviation of its intensities; with a last axis of
        channels, one of each for every channel, numbered from 0.
    scale : sequence of float, optional
        Pixel size along each axis of ``labels``; pixels if None.
    units : str, optional
        Unit of ``scale`` such as "um"; it ends the names of the columns. "px" if there is no
        scale, "units" if there is one of unknown unit.

    Returns
    -------
    pandas.DataFrame
        Columns ``label``; ``area_um2`` (2-D) or ``volume_um3`` (3-D), of pixels ``area_px``
        and ``volume_px``; ``equivalent_diameter_um``; ``centroid_y_um`` and so on, from the
        middle of the first pixel; ``eccentricity`` and ``solidity`` (2-D only, without unit);
        ``touches_rim``, true for nuclei cut by any face of the image; ``intensity_mean``,
        ``intensity_sum``, ``intensity_std``. Rows are in ascending order of the labels.

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
    import pandas as pd

    _check(labels, image, scale, units)
    unit = _symbol(scale, units)
    spacing = None if scale is None else tuple(scale)
    table = pd.DataFrame(_shapes(labels, spacing, unit))
    table["touches_rim"] = np.isin(table["label"], rim_ids(labels, range(labels.ndim)))
    if image is not None:
        table = table.join(pd.DataFrame(_intensities(labels, image)))
    return table


_Columns = dict[str, npt.NDArray[Any]]


def _shapes(
    labels: npt.NDArray[np.integer], spacing: tuple[float, ...] | None, unit: str
) -> _Columns:
    size, power = ("area", 2) if labels.ndim == 2 else ("volume", 3)
    names = {
        "label": "label",
        "area": f"{size}_px" if unit == "px" else f"{size}_{unit}{power}",
        "equivalent_diameter_area": f"equivalent_diameter_{unit}",
    }
    for axis, letter in enumerate("zyx"[-labels.ndim :]):
        names[f"centroid-{axis}"] = f"centroid_{letter}_{unit}"
    if labels.ndim == 2:
        names |= {"eccentricity": "eccentricity", "solidity": "solidity"}
    properties = sorted({name.split("-")[0] for name in names})
    columns = regionprops_table(labels, properties=properties, spacing=spacing)
    return {name: columns[key] for key, name in names.items()}


def _intensities(labels: npt.NDArray[np.integer], image: npt.NDArray[Any]) -> _Columns:
    properties = ("num_pixels", "intensity_mean", "intensity_std")
    columns: _Columns = regionprops_table(labels, image, properties=properties, separator="_")
    n_pixels = columns.pop("num_pixels")
    sums = {
        name.replace("mean", "sum"): mean * n_pixels
        for name, mean in columns.items()
        if name.startswith("intensity_mean")
    }
    return columns | sums


def _symbol(scale: Sequence[float] | None, units: str | None) -> str:
    if units is None:
        return "px" if scale is None else "units"
    return "px" if units in _PIXELS else UNITS.get(units.lower(), units)


def _check(
    labels: npt.NDArray[np.integer],
    image: npt.NDArray[Any] | None,
    scale: Sequence[float] | None,
    units: str | None,
) -> None:
    if labels.ndim not in (2, 3):
        raise ValueError(
            f"Expected labels of shape (y, x) or (z, y, x), got {labels.shape}; "
            "measure a time series frame by frame."
        )
    if image is not None and image.shape not in (labels.shape, (*labels.shape, *image.shape[-1:])):
        raise ValueError(
            f"Expected an image of the labels' shape {labels.shape}, got {image.shape}; "
            "choose the image that the labels were made from."
        )
    if scale is None and units not in (None, *_PIXELS):
        raise ValueError(
            f"Expected a scale for units of {units!r}, got none; give both or neither."
        )
    if scale is not None and (len(scale) != labels.ndim or not all(step > 0 for step in scale)):
        raise ValueError(
            f"Expected a scale of {labels.ndim} pixel sizes above 0, got {tuple(scale)}; "
            "give one for each axis of the labels."
        )
