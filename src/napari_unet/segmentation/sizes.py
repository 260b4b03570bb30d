"""What a walk has to know of an image's sizes, estimated where it is not given."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from napari_unet.images.planes import Predict
from napari_unet.images.spacing import anisotropy
from napari_unet.segmentation.diameter import image_diameter
from napari_unet.segmentation.progress import Progress
from napari_unet.segmentation.settings import SegmentSettings
from napari_unet.segmentation.spacing import image_spacing

Estimate = Callable[[Any, str, Predict, SegmentSettings], float]


def with_sizes(
    image: Any, axes: str, predict: Predict, settings: SegmentSettings
) -> Generator[Progress, None, SegmentSettings]:
    """Return the settings with diameter and distance of planes, estimated where not given.

    Parameters
    ----------
    image, axes, predict, settings
        See :func:`napari_unet.segmentation.segment`.

    Yields
    ------
    Progress
        Before and after each estimate.
    """

    def estimated(step: str, estimate: Estimate) -> Generator[Progress, None, float]:
        yield Progress(step, 0, 1)
        size = estimate(image, axes, predict, settings)
        yield Progress(step, 1, 1)
        return size

    if settings.diameter is None:
        diameter = yield from estimated("diameter", image_diameter)
        settings = replace(settings, diameter=diameter)
    if settings.anisotropy is None and _needs_spacing(axes, image.shape, settings):
        distance = yield from estimated("spacing", image_spacing)
        settings = replace(settings, anisotropy=distance)
    return settings


def with_distance(
    settings: SegmentSettings, scale: Mapping[str, float], units: Mapping[str, str]
) -> SegmentSettings:
    """Return the settings with the distance of planes by voxel sizes and units, if none is given.

    It is None where these do not tell it; see `napari_unet.images.spacing.anisotropy`.
    """
    if settings.anisotropy is not None:
        return settings
    return replace(settings, anisotropy=anisotropy(scale, units))


def _needs_spacing(axes: str, shape: Sequence[int], settings: SegmentSettings) -> bool:
    """Tell whether the labels of an image depend on the distance between its planes."""
    is_stack = "Z" in axes and shape[axes.index("Z")] > 1
    return is_stack and (settings.link != "none" or settings.views != "planes")
