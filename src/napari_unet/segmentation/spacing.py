"""The distance between the planes of a stack, where it is not known."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
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
    zoomed,
)
from napari_unet.images.spacing import anisotropy
from napari_unet.nuclei.flatness import distance_of_planes
from napari_unet.nuclei.instances import instances
from napari_unet.nuclei.sizing import central_part, of_all_sizes
from napari_unet.nuclei.stacking import stacked
from napari_unet.segmentation.diameter import with_diameter
from napari_unet.segmentation.progress import Progress
from napari_unet.segmentation.settings import SegmentSettings

MOST_PLANES = 32  # that are looked at, around the clearest one
SIDE = 256  # of what is looked at, in pixels as the network sees them
FARTHEST = 20.0  # pixels between planes; nearer than one pixel they hardly ever are


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
    settings = yield from with_diameter(image, axes, predict, settings)
    if settings.anisotropy is not None or not needs_spacing(axes, image.shape, settings):
        return settings
    yield Progress("spacing", 0, 1)
    settings = replace(settings, anisotropy=image_spacing(image, axes, predict, settings))
    yield Progress("spacing", 1, 1)
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


def needs_spacing(axes: str, shape: Sequence[int], settings: SegmentSettings) -> bool:
    """Tell whether the labels of an image depend on the distance between its planes."""
    is_stack = "Z" in axes and shape[axes.index("Z")] > 1
    return is_stack and (settings.link != "none" or settings.views != "planes")


def image_spacing(image: Any, axes: str, predict: Predict, settings: SegmentSettings) -> float:
    """Return the distance between planes along Z in pixels, by the shape of the nuclei.

    Nuclei in the middle of the stack are found plane by plane and linked by overlap, and taken to
    be about as high as they are wide.

    Parameters
    ----------
    image, axes, predict
        See :func:`napari_unet.segmentation.segment`.
    settings : SegmentSettings
        With the diameter.

    Returns
    -------
    float
        1 to 20; 1 where too few nuclei lie whole within what was looked at.
    """
    if 0 in image.shape:
        return 1.0
    walk = list(planes(axes, image.shape, settings.channel))
    chosen, labels, highest = _around(clearest_plane(image, walk), walk), [], 0
    bounds = stack_limits(image, walk, settings.normalisation)
    how = of_all_sizes(settings.instances)
    for plane in chosen:
        pixels = zoomed(_middle(image, axes, plane, settings, bounds), settings.zoom)
        found = instances(predict(pixels), how)
        labels.append(np.where(found > 0, found + highest, 0).astype(np.int32))
        highest += int(found.max(initial=0))
    distance = distance_of_planes(stacked(np.stack(labels)))
    return 1.0 if distance is None else float(np.clip(distance / settings.zoom, 1.0, FARTHEST))


def _around(clearest: Plane, walk: Sequence[Plane]) -> list[Plane]:
    """Return the planes of a plane's own frame that are nearest to it, in the order of Z."""
    frame = [at for at in clearest.position if at[0] != "Z"]
    own = [plane for plane in walk if [at for at in plane.position if at[0] != "Z"] == frame]
    first = max(0, min(own.index(clearest) - MOST_PLANES // 2, len(own) - MOST_PLANES))
    return own[first : first + MOST_PLANES]


def _middle(
    image: Any,
    axes: str,
    plane: Plane,
    settings: SegmentSettings,
    bounds: tuple[float, float] | None,
) -> NDArray[np.float32]:
    """Return the middle of a plane, (3, y, x), as the network wants it but for the zoom."""
    how = settings.normalisation
    lengths = image.shape[axes.index("Y")], image.shape[axes.index("X")]
    place = part_of(plane, *central_part(lengths, round(SIDE / settings.zoom)))
    return network_input(read_part(image, place), how, bounds or plane_limits(image, plane, how))
