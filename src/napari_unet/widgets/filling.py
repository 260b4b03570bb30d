"""A layer that shows the labels of a run as its planes are finished, until its result is there."""

import math
from typing import Any

import numpy as np
from napari.layers import Image, Labels

from napari_unet.filling import Place, PlaneFound, is_one_plane, planes_text
from napari_unet.images.axes import label_shape
from napari_unet.images.roomy import roomy
from napari_unet.segmentation import walk_order
from napari_unet.widgets.corrections import labels_axes
from napari_unet.widgets.layers import (
    add_on_top,
    as_layer_data,
    full_resolution,
    shown_plane,
    spatial_fields,
)
from napari_unet.widgets.results import find_result

LARGEST_AT_ONCE = 1 << 24  # pixels of labels; of more, what is finished is shown
LARGEST_DRAWN = 1 << 25  # pixels of an image of one plane: napari draws all anew, for seconds


def first_plane(image: Image, axes: str, viewer: Any) -> Place | None:
    """Return the frame and plane that a run of a whole image begins with.

    That is the one on the canvas, if it shows one.

    Returns
    -------
    tuple of int
        None for an image that is not large if it is in memory or one plane: nobody waits for parts
        of it.
    """
    pixels = full_resolution(image)
    shape = label_shape(axes, pixels.shape)
    is_in_memory = isinstance(pixels, np.ndarray) and not isinstance(pixels, np.memmap)
    is_flat = is_one_plane(tuple(shape[axis] for axis in walk_order(axes)[0]))
    if (is_in_memory or is_flat) and math.prod(shape) <= LARGEST_AT_ONCE:
        return None
    shown = shown_plane(image, axes.removesuffix("S"), viewer)
    return (0,) * (len(shape) - 2) if shown is None else shown


class Filling:
    """Shows planes of a run, each by itself, in a layer that nobody can paint on.

    An earlier result of the image is hidden meanwhile; it is what the run will change.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer with the first plane.
    image : Image
        What is segmented.
    axes : str
        One letter per axis of its array.
    """

    def __init__(self, viewer: Any, image: Image, axes: str) -> None:
        self._viewer, self._image, self._axes = viewer, image, axes
        self._shape = label_shape(axes, full_resolution(image).shape)
        self._fields = spatial_fields(image, axes)
        self._order, _ = walk_order(axes)
        walked = tuple(self._shape[axis] for axis in self._order)
        self._is_flat = is_one_plane(walked)
        self._is_drawn = not self._is_flat or math.prod(walked) <= LARGEST_DRAWN
        self.n_parts = walked[-2] if self._is_flat else math.prod(walked[:-2])
        self.n_done = self._n_nuclei = 0
        self.layer: Labels | None = None
        self._hidden: Labels | None = None

    @property
    def text(self) -> str:
        """How far it is; empty before the first plane."""
        how = "shown; ids change at the end" if self._is_drawn else "finished"
        return f"{self._parts} {how}" if self.n_done else ""

    def kept_text(self, name: str) -> str:
        """Return what is left of a run that failed, in a layer of this name."""
        return f"{self._parts} were finished and stay in {name!r}."

    @property
    def _parts(self) -> str:
        letter = "Y" if self._is_flat else "Z" if "Z" in self._axes else "T"
        return planes_text(self.n_done, self.n_parts, letter)

    def show(self, found: PlaneFound) -> None:
        """Show a plane that is finished, unless the user has removed the layer."""
        self.n_done = len(found.labels) if self._is_flat else self.n_done + 1
        if self.layer is None and self._is_drawn:
            self._add()
        if self.layer is None or self.layer not in self._viewer.layers:
            return
        new = found.labels[found.new]
        shown = self._labels.transpose(self._order)[found.place][found.new]
        # Ids of rows of one plane differ already.
        np.copyto(shown, new + np.int32(0 if self._is_flat else self._n_nuclei), where=new > 0)
        self._n_nuclei += int(new.max(initial=0))
        if shown_plane(self.layer, labels_axes(self._axes), self._viewer) in (None, found.place):
            self.layer.refresh()

    def take_away(self) -> None:
        """Remove the layer: the result is there, or there is none."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
        self._show_earlier()

    def leave(self) -> str:
        """Leave the layer to the user, as labels of their own; return what it is called.

        Empty if no plane is in a layer.
        """
        self._show_earlier()
        if self.layer is None or self.layer not in self._viewer.layers:
            return ""
        self.layer.editable = True
        return str(self.layer.name)

    def _add(self) -> None:
        """Add the layer, and hide what it covers."""
        self._labels = roomy(self._shape, np.int32)
        self.layer = Labels(
            as_layer_data(self._labels, self._axes),
            name=f"{self._image.name} nuclei so far",
            **self._fields,
        )
        add_on_top(self._viewer, self.layer)
        self.layer.editable = False
        earlier = find_result(self._viewer.layers, self._image)
        if earlier is not None and earlier.visible:
            self._hidden, earlier.visible = earlier, False

    def _show_earlier(self) -> None:
        """Show the earlier result again."""
        if self._hidden is not None and self._hidden in self._viewer.layers:
            self._hidden.visible = True
        self._hidden = None
