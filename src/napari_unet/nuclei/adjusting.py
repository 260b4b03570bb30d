"""The few things of `InstanceSettings` that a user moves a slider for, in a user's words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from napari_unet.nuclei.instances import InstanceSettings, least_size

MOST_SPLITTING = 0.9  # beyond it too little core is left for seeds, and nuclei merge again
_TOLERANCE = 0.051  # px; sliders go in steps of 0.1 px


@dataclass(frozen=True)
class Adjustment:
    """Where the sliders are.

    Parameters
    ----------
    threshold : float
        Nucleus probability above which a pixel belongs to a nucleus, 0..1.
    splitting : float
        From few and large pieces at 0 to many and small ones at `MOST_SPLITTING`.
    smallest : float
        Diameter of the smallest nucleus that is kept, in pixels.
    largest : float, optional
        Diameter of the largest one; None is no limit.
    fill_holes : bool
        Fill the holes of each nucleus.
    keep_rim : bool
        Keep nuclei that touch the rim of y or x.
    """

    threshold: float
    splitting: float
    smallest: float
    largest: float | None
    fill_holes: bool
    keep_rim: bool


def adjustment_of(settings: InstanceSettings, ndim: int = 2, anisotropy: float = 1.0) -> Adjustment:
    """Return where the sliders are for some settings.

    Parameters
    ----------
    settings : InstanceSettings
        How nuclei come out of the maps.
    ndim : int
        3 where nuclei are found in volumes, 2 where plane by plane.
    anisotropy : float
        Voxel size along z over the voxel size along y and x.

    Examples
    --------
    >>> adjustment_of(InstanceSettings(min_size=314)).largest is None
    True
    """
    min_size = least_size(settings, ndim, anisotropy)
    largest = settings.max_size
    return Adjustment(
        settings.threshold,
        _splitting(settings),
        diameter_of(min_size, ndim, anisotropy),
        None if largest is None else diameter_of(largest, ndim, anisotropy),
        settings.fill_holes,
        not settings.drop_rim,
    )


def adjusted(
    settings: InstanceSettings, wanted: Adjustment, ndim: int = 2, anisotropy: float = 1.0
) -> InstanceSettings:
    """Return settings with what was moved in them; what was not moved stays exactly as it is.

    A largest nucleus below the smallest one is taken to be as large as that.

    Parameters
    ----------
    settings : InstanceSettings
        The model's own.
    wanted : Adjustment
        Where the sliders are.
    ndim, anisotropy
        As for `adjustment_of`.

    Examples
    --------
    >>> own = InstanceSettings()
    >>> adjusted(own, adjustment_of(own)) == own
    True
    """
    at = adjustment_of(settings, ndim, anisotropy)
    changes: dict[str, Any] = {}
    if not math.isclose(wanted.threshold, at.threshold, abs_tol=1e-6):
        changes["threshold"] = wanted.threshold
    if not math.isclose(wanted.splitting, at.splitting, abs_tol=1e-6):
        changes |= {"seed_distance": wanted.splitting, "border": 1 - wanted.splitting}
    if not math.isclose(wanted.smallest, at.smallest, abs_tol=_TOLERANCE):
        changes["min_size"] = size_of(wanted.smallest, ndim, anisotropy)
    if not _is_same_limit(wanted.largest, at.largest):
        largest = None if wanted.largest is None else max(wanted.largest, wanted.smallest)
        changes["max_size"] = None if largest is None else size_of(largest, ndim, anisotropy)
    changes |= {"fill_holes": wanted.fill_holes, "drop_rim": not wanted.keep_rim}
    return replace(settings, **changes)


def in_a_plane(settings: InstanceSettings, anisotropy: float = 1.0) -> InstanceSettings:
    """Return what comes closest, on one plane alone, to settings for a volume.

    The caps of a large nucleus are small, so that nothing small is left out.
    """
    largest = settings.max_size
    if largest is not None:
        largest = size_of(diameter_of(largest, 3, anisotropy), 2)
    return replace(settings, min_size=None, max_size=largest)


def before_selection(settings: InstanceSettings) -> InstanceSettings:
    """Return what `instances.separated` goes by; it leaves the sizes and the rim to `kept`."""
    return replace(settings, min_size=None, max_size=None, drop_rim=False)


def size_of(diameter: float, ndim: int = 2, anisotropy: float = 1.0) -> int:
    """Return the pixels of a disc or the voxels of a ball of this diameter in pixels.

    Examples
    --------
    >>> size_of(20.0), size_of(20.0, ndim=3, anisotropy=2.0)
    (314, 2094)
    """
    return round(_ball(ndim) * diameter**ndim / _height(ndim, anisotropy))


def diameter_of(size: float, ndim: int = 2, anisotropy: float = 1.0) -> float:
    """Return the diameter, in pixels, of a disc of so many pixels or a ball of so many voxels."""
    return float((size * _height(ndim, anisotropy) / _ball(ndim)) ** (1 / ndim))


def _ball(ndim: int) -> float:
    """Return the part of a square or a cube that its disc or ball fills."""
    return math.pi / 4 if ndim == 2 else math.pi / 6


def _height(ndim: int, anisotropy: float) -> float:
    return anisotropy if ndim == 3 else 1.0


def _splitting(settings: InstanceSettings) -> float:
    """Return where between few and many pieces the seeds are.

    With both maps only the difference of their thresholds counts.
    """
    if settings.seeds == "distance":
        return settings.seed_distance
    if settings.seeds == "border":
        return 1 - settings.border
    return (settings.seed_distance - settings.border + 1) / 2


def _is_same_limit(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, abs_tol=_TOLERANCE)
