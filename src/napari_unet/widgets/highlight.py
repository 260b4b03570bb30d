"""Some nuclei of a labels layer shown by colour, until its own colours are put back."""

from collections.abc import Iterable
from typing import Any

from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_unet.widgets.curve import LOSS, MARKS

NAME = "selected nuclei"  # of the colormap, which tells it from one that the user chooses
OTHERS = (0.5, 0.5, 0.5, 0.45)
CHOSEN, PLAIN = MARKS, LOSS  # colours of selected nuclei and of all, in plot and image


class Highlight:
    """Shows nuclei of one layer in one colour and the others in grey."""

    def __init__(self) -> None:
        self._layer: Labels | None = None
        self._before: Any = None

    def show(self, layer: Labels, labels: Iterable[int]) -> None:
        """Show these nuclei, and no others; a layer that is hidden is shown."""
        if self._layer is not None and self._layer != layer:
            self.clear()
        if self._layer is None or layer.colormap.name != NAME:
            self._before = layer.colormap
        colours: dict[int | None, Any] = dict.fromkeys(map(int, labels), CHOSEN)
        self._layer = layer
        layer.visible = True
        colours = {None: OTHERS, 0: "transparent"} | colours
        layer.colormap = DirectLabelColormap(name=NAME, color_dict=colours)

    def clear(self) -> None:
        """Put the layer's own colours back, if the user has not chosen others meanwhile."""
        if self._layer is not None and self._layer.colormap.name == NAME:
            self._layer.colormap = self._before
        self._layer = self._before = None
