"""Outlines over the view: a layer that is there only while something is learned and judged."""

from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils import DirectLabelColormap

from napari_unet.widgets.corrections import Place
from napari_unet.widgets.layers import add_on_top, visible_region
from napari_unet.widgets.messages import Sight
from napari_unet.widgets.scribbles import PREVIEW

COLOUR = "#ffe119"  # seen on dark ground as on stained tissue
CONTOUR = 2  # px
SPATIAL = ("scale", "rotate", "shear", "units", "axis_labels")


class Preview:
    """Shows what a network makes of the view, over the labels that are corrected.

    A layer that the user takes away is not forced back.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer.
    labels : Labels
        Where it lies; need not be in the viewer any more.
    axes : str
        One letter per axis of the labels' layer.
    """

    def __init__(self, viewer: Any, labels: Labels, axes: str) -> None:
        self._viewer = viewer
        self._labels = labels
        self._axes = axes
        self._layer: Labels | None = None

    @property
    def was_removed(self) -> bool:
        """Whether the user took the layer away."""
        return self._layer is not None and self._layer not in self._viewer.layers

    def place(self) -> Place | None:
        """Return what the canvas shows of the labels; None if that is nothing flat."""
        if self._labels not in self._viewer.layers:
            return None
        try:
            place = visible_region(self._labels, self._axes, self._viewer, "this view")
        except ValueError:
            return None
        shape = self._labels.data.shape
        return tuple(slice(*part.indices(n)) for part, n in zip(place, shape, strict=True))

    def show(self, sight: Sight) -> None:
        """Show labels as outlines, unless the user took the layer away."""
        if self.was_removed:
            return
        size = dict(zip("YX", sight.labels.shape, strict=True))
        data = sight.labels.reshape([size.get(letter, 1) for letter in self._axes])
        translate = self._translate(sight.place)
        if self._layer is None:
            self._layer = self._new_layer(data, translate)
            add_on_top(self._viewer, self._layer)
        else:
            self._layer.translate = translate
            self._layer.data = data

    def clear(self) -> None:
        """Take the layer away; it may be shown again."""
        if self._layer is not None and not self.was_removed:
            self._viewer.layers.remove(self._layer)
        self._layer = None

    def _translate(self, place: Place) -> Any:
        """Return where in the labels' own space a place of them begins, before their affine."""
        corner = self._labels.data_to_world([part.start for part in place])
        return self._labels.affine.inverse(corner)

    def _new_layer(self, data: Any, translate: Any) -> Labels:
        fields = {name: getattr(self._labels, name) for name in SPATIAL}
        layer = Labels(
            data,
            name=f"{self._labels.name}, learning",
            metadata={PREVIEW: True},
            translate=translate,
            affine=self._labels.affine.affine_matrix,
            colormap=DirectLabelColormap(color_dict={None: COLOUR, 0: np.zeros(4)}),
            opacity=1,
            **fields,
        )
        layer.contour = CONTOUR
        layer.editable = False
        return layer
