"""Labels that a user painted on a layer of their own: each piece of one value is a nucleus."""

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_unet.images.axes import label_shape
from napari_unet.widgets.corrections import is_result
from napari_unet.widgets.layers import full_resolution, layer_axes, shown_index

if TYPE_CHECKING:
    from napari_unet.learning.corrections import Corrections

PREVIEW = "napari_unet_preview"  # in the metadata of a layer that is nobody's work


@dataclass(frozen=True, eq=False)
class Scribbled:
    """What is painted on a layer of its own.

    Parameters
    ----------
    labels : (..., y, x) integers
        0 is not painted.
    background : int
        The value that stands for background.
    """

    labels: NDArray[np.integer]
    background: int

    @property
    def diameter(self) -> float:
        """Of a typical nucleus that is painted, in pixels; nan if none is."""
        labels = self.find().labels
        areas = np.bincount(labels.ravel())[1:]
        return float(2 * np.sqrt(np.median(areas) / np.pi)) if areas.size else float("nan")

    def find(self) -> "Corrections":
        """Return the nuclei and the background that are painted.

        Raises
        ------
        ValueError
            If there are labels that cannot be.
        """
        from napari_unet.learning.corrections import from_scribbles

        return from_scribbles(self.labels, self.background)


def is_scribbles(layer: Any) -> bool:
    """Tell whether a layer is one that a user may have painted on from nothing."""
    # napari lets nobody paint on several resolutions.
    is_paintable = isinstance(layer, Labels) and not layer.multiscale
    return is_paintable and not is_result(layer) and PREVIEW not in layer.metadata


def guess_image(layers: Any, scribbles: Labels) -> Image | None:
    """Return the nearest image below scribbles that they fit, or else any that they fit."""
    order = list(layers)
    below = order[: order.index(scribbles)] if scribbles in order else []
    fitting = [image for image in [*reversed(below), *order] if fits(scribbles, image)]
    return fitting[0] if fitting else None


def scribbled(scribbles: Labels, image: Image, viewer: Any, background: int) -> Scribbled:
    """Return what is painted on an image; on the shown channel, if both have channels.

    Raises
    ------
    ValueError
        If they do not fit, or the image's axes cannot be guessed.
    """
    axes = layer_axes(image)
    if not fits(scribbles, image):
        raise ValueError(
            f"Expected scribbles of the shape {label_shape(axes, _shape(image))} of "
            f"{image.name!r}, got {scribbles.data.shape}; choose another image, or a new layer of "
            "labels on it."
        )
    labels = np.asarray(scribbles.data)
    channel = shown_channel(image, viewer)
    if channel is not None and labels.ndim == len(axes.removesuffix("S")):
        labels = labels.take(channel, axes.index("C"))
    return Scribbled(labels, background)


def shown_channel(image: Image, viewer: Any) -> int | None:
    """Return which channel of an image the viewer shows; None if it has none."""
    axes = layer_axes(image)
    return shown_index(image, viewer, axes.index("C")) if "C" in axes else None


def nucleus_diameter(diameter: float, default: float) -> float:
    """Return a diameter, or a default where none is known."""
    return diameter if isfinite(diameter) else default


def fits(scribbles: Labels, image: Any) -> bool:
    """Tell whether scribbles have an image's shape, with its channels or without."""
    if not isinstance(image, Image):
        return False
    try:
        axes = layer_axes(image)
    except ValueError:
        return False
    shape = _shape(image)
    with_channels = shape[: len(axes.removesuffix("S"))]
    return scribbles.data.shape in (with_channels, label_shape(axes, shape))


def _shape(image: Image) -> tuple[int, ...]:
    return tuple(full_resolution(image).shape)
