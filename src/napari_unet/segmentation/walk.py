"""The whole walk: an image's diameter, maps and labels."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import parse_axes
from napari_unet.images.planes import Predict
from napari_unet.images.roomy import Room, in_memory
from napari_unet.nuclei.confidence import confidence
from napari_unet.segmentation.labelling import label_maps
from napari_unet.segmentation.predicting import predict_maps
from napari_unet.segmentation.progress import Progress
from napari_unet.segmentation.room import check_room
from napari_unet.segmentation.settings import SegmentSettings
from napari_unet.segmentation.sizes import with_sizes


@dataclass(frozen=True)
class Segmentation:
    """What the walk returns.

    Parameters
    ----------
    labels : int32
        The image's shape less its channel axis, 0 is background.
    maps : (maps, ...) uint8
        0..255 stands for 0..1, in the shape of the labels.
    settings : SegmentSettings
        How, with the diameter of the nuclei and the distance between planes as given or estimated.
    """

    labels: NDArray[np.int32]
    maps: NDArray[np.uint8]
    settings: SegmentSettings

    @property
    def diameter(self) -> float:
        """The nucleus diameter that was given or estimated, in pixels."""
        return self.settings.likely_diameter

    @property
    def confidence(self) -> NDArray[np.float32]:
        """How sure the network is of each nucleus, 0..1, by label; NaN for the background.

        Worked out each time; see :func:`napari_unet.nuclei.confidence.confidence`.
        """
        return confidence(self.maps, self.labels)


def segment(
    image: Any,
    axes: str,
    predict: Predict,
    settings: SegmentSettings | None = None,
    room: Room = in_memory,
) -> Generator[Progress, None, Segmentation]:
    """Segment nuclei; stop iterating to cancel.

    Parameters
    ----------
    image : array-like
        Anything with a shape that NumPy can read slice by slice: NumPy, dask, zarr.
    axes : str
        One letter per axis: T, Z, C, Y, X, and S for colour samples.
    predict : callable
        The network: pixels (3, y, x) float32 to maps (maps, y, x) in 0..1.
    settings : SegmentSettings, optional
        How.
    room : callable
        Gives zeros of a shape and type, for maps and labels.

    Yields
    ------
    Progress
        After every tile and every plane or volume.

    Returns
    -------
    Segmentation
        As the generator's return value; :func:`finish` gets it.

    Raises
    ------
    ValueError, TypeError
        If axes, channel or pixels do not fit, or there is no room for maps and labels.
    """
    axes = parse_axes(axes, image.shape)
    check_room(image, axes, room)
    settings = yield from with_sizes(image, axes, predict, settings or SegmentSettings())
    maps = yield from predict_maps(image, axes, predict, settings, room)
    labels = yield from label_maps(maps, axes, settings, room=room)
    return Segmentation(labels, maps, settings)
