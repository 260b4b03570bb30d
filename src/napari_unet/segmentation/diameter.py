"""The diameter of an image's nuclei, where it is not given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.arrays import read_part
from napari_unet.images.axes import Plane, planes
from napari_unet.images.planes import (
    Predict,
    clearest_plane,
    network_input,
    part_of,
    plane_limits,
    stack_limits,
)
from napari_unet.nuclei.sizing import MOST_PIXELS, central_part, estimate_diameter
from napari_unet.segmentation.settings import SegmentSettings


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
    walk = list(planes(axes, image.shape, settings.channel))
    bounds = stack_limits(image, walk, settings.normalisation)
    return middle_of(image, axes, clearest_plane(image, walk), MOST_PIXELS, settings, bounds)


def middle_of(
    image: Any,
    axes: str,
    plane: Plane,
    side: int,
    settings: SegmentSettings,
    bounds: tuple[float, float] | None,
) -> NDArray[np.float32]:
    """Return the middle of a plane, (3, y, x), in the range that the network wants.

    Parameters
    ----------
    image, axes, settings
        See :func:`napari_unet.segmentation.segment`.
    plane : Plane
        Which.
    side : int
        Of the middle, at most, in pixels.
    bounds : (float, float), optional
        The intensities that become 0 and 1; the plane's own limits if not given.
    """
    how, lengths = (
        settings.normalisation,
        (image.shape[axes.index("Y")], image.shape[axes.index("X")]),
    )
    place = part_of(plane, *central_part(lengths, side))
    return network_input(read_part(image, place), how, bounds or plane_limits(image, plane, how))
