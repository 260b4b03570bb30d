"""The diameter of an image's nuclei, where it is not given."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.arrays import read_part
from napari_unet.images.axes import planes
from napari_unet.images.planes import (
    Predict,
    clearest_plane,
    network_input,
    part_of,
    plane_limits,
    stack_limits,
)
from napari_unet.nuclei.sizing import MOST_PIXELS, central_part, estimate_diameter
from napari_unet.segmentation.progress import Progress
from napari_unet.segmentation.settings import SegmentSettings


def with_diameter(
    image: Any, axes: str, predict: Predict, settings: SegmentSettings
) -> Generator[Progress, None, SegmentSettings]:
    """Return the settings with the diameter, estimated where it is not given.

    Parameters
    ----------
    image, axes, predict, settings
        See :func:`napari_unet.segmentation.segment`.

    Yields
    ------
    Progress
        Before and after the estimate; nothing where the diameter is given.
    """
    if settings.diameter is not None:
        return settings
    yield Progress("diameter", 0, 1)
    settings = replace(settings, diameter=image_diameter(image, axes, predict, settings))
    yield Progress("diameter", 1, 1)
    return settings


def image_diameter(image: Any, axes: str, predict: Predict, settings: SegmentSettings) -> float:
    """Return the diameter, in pixels of y and x, of a typical nucleus on the clearest plane.

    Parameters
    ----------
    image, axes, predict
        See :func:`napari_unet.segmentation.segment`.
    settings : SegmentSettings
        Its own diameter does not count; see `napari_unet.nuclei.sizing.estimate_diameter`.

    Raises
    ------
    ValueError, TypeError
        If axes, channel or pixels do not fit.
    """
    plane = _plane_to_measure(image, axes, settings)
    return estimate_diameter(plane, predict, settings.model_diameter, settings.instances)


def _plane_to_measure(image: Any, axes: str, settings: SegmentSettings) -> NDArray[np.float32]:
    """Return the middle of a plane that shows nuclei, as the network wants it."""
    if 0 in image.shape:
        return np.zeros((3, 0, 0), np.float32)
    how, walk = settings.normalisation, list(planes(axes, image.shape, settings.channel))
    plane = clearest_plane(image, walk)
    bounds = stack_limits(image, walk, how) or plane_limits(image, plane, how)
    lengths = (image.shape[axes.index("Y")], image.shape[axes.index("X")])
    middle = part_of(plane, *central_part(lengths, MOST_PIXELS))
    return network_input(read_part(image, middle), how, bounds)
