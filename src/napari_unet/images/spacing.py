"""Voxel sizes along the axes, and how they compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from napari_unet.images.axes import LETTERS
from napari_unet.images.calibration import UNITS

IN_UM = {"angstrom": 1e-4, "nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4}


def scale_by_axis(scale: Mapping[str, float] | Sequence[float], axes: str) -> dict[str, float]:
    """Return voxel sizes by axis letter.

    Parameters
    ----------
    scale : mapping of str to float, or sequence of float
        By axis letter, in whichever case, or one for each axis but the colour samples.
    axes : str
        One letter per axis.

    Raises
    ------
    ValueError
        If a sequence has another length than the axes, a letter is none of an axis, or a size is
        not above 0.

    Examples
    --------
    >>> scale_by_axis((2.0, 0.5, 0.5), "ZYX")
    {'Z': 2.0, 'Y': 0.5, 'X': 0.5}
    """
    letters = axes.removesuffix("S")
    if isinstance(scale, Mapping):
        sizes = {letter.upper(): size for letter, size in scale.items()}
        if unknown := sizes.keys() - set(LETTERS):
            raise ValueError(
                f"Expected voxel sizes of the axes {', '.join(LETTERS)}, got one of "
                f"{min(unknown)!r}; name the axes as in {{'Z': 2.0, 'Y': 0.5}}."
            )
    elif len(scale) != len(letters):
        raise ValueError(
            f"Expected one voxel size for each of the axes {letters}, got {tuple(scale)}; give "
            "one per axis, or name the axes as in {'Z': 2.0, 'Y': 0.5}."
        )
    else:
        sizes = dict(zip(letters, map(float, scale), strict=True))
    if not all(0 < size < math.inf for size in sizes.values()):
        raise ValueError(
            f"Expected finite voxel sizes above 0, got {sizes}; leave out what is not known."
        )
    return sizes


def anisotropy(scale: Mapping[str, float], units: Mapping[str, str] | None = None) -> float | None:
    """Return the distance between planes along Z in pixels along Y.

    Parameters
    ----------
    scale : mapping of str to float
        Voxel size by axis letter.
    units : mapping of str to str, optional
        Unit of each size; sizes without units are taken to be of one unit.

    Returns
    -------
    float or None
        None where a size is not known, or the units cannot be compared.

    Examples
    --------
    >>> anisotropy({"Z": 2.0, "Y": 0.5}), anisotropy({"Y": 0.5})
    (4.0, None)
    >>> anisotropy({"Z": 500.0, "Y": 0.25}, {"Z": "nm", "Y": "um"})
    2.0
    """
    z, y = scale.get("Z", 0), scale.get("Y", 0)
    named = units or {}
    z_unit, y_unit = (UNITS.get(named.get(axis, "").lower(), named.get(axis)) for axis in "ZY")
    if z_unit != y_unit:
        if z_unit not in IN_UM or y_unit not in IN_UM:
            return None
        z, y = z * IN_UM[z_unit], y * IN_UM[y_unit]
    return z / y if z > 0 and y > 0 else None
