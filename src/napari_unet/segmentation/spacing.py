"""The distance between the planes of a stack, where it is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_unet.images.axes import Plane, planes
from napari_unet.images.planes import Predict, clearest_plane, stack_limits, zoomed
from napari_unet.nuclei.flatness import distance_of_planes
from napari_unet.nuclei.instances import instances
from napari_unet.nuclei.sizing import of_all_sizes
from napari_unet.nuclei.stacking import stacked
from napari_unet.segmentation.diameter import middle_of
from napari_unet.segmentation.settings import SegmentSettings

MOST_PLANES = 32  # that are looked at, around the clearest one
SIDE = 256  # of what is looked at, in pixels as the network sees them
FARTHEST = 20.0  # pixels between planes; nearer than one pixel they hardly ever are


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
    how, side = of_all_sizes(settings.instances), round(SIDE / settings.zoom)
    for plane in chosen:
        pixels = zoomed(middle_of(image, axes, plane, side, settings, bounds), settings.zoom)
        found = instances(predict(pixels), how)
        labels.append(np.where(found > 0, found + highest, 0).astype(np.int32))
        highest += int(found.max(initial=0))
    distance = distance_of_planes(stacked(np.stack(labels)))
    return 1.0 if distance is None else float(np.clip(distance / settings.zoom, 1.0, FARTHEST))


def _around(clearest: Plane, walk: Sequence[Plane]) -> list[Plane]:
    """Return the planes of a plane's own frame that are nearest to it, in the order of Z."""
    own = [plane for plane in walk if plane.frame == clearest.frame]
    first = max(0, min(own.index(clearest) - MOST_PLANES // 2, len(own) - MOST_PLANES))
    return own[first : first + MOST_PLANES]
