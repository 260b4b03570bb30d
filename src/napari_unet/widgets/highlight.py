"""Some nuclei of a labels layer shown by colour, until its own colours are put back."""

from collections.abc import Iterable
from typing import Any

from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap, label_colormap

from napari_unet.widgets.curve import LOSS, MARKS

SELECTED, CERTAINTY = "selected nuclei", "confidence of nuclei"
NAMES = (SELECTED, CERTAINTY)  # of colormaps, which tell them from those that the user chooses
OTHERS = (0.5, 0.5, 0.5, 0.45)
CHOSEN, PLAIN = MARKS, LOSS  # colours of selected nuclei and of all, in plot and image

_own: dict[str, Any] = {}  # colormaps of layers that are shown in other colours, by their id


class Highlight:
    """Shows nuclei of one layer in other colours than its own; the newest of several wins.

    Parameters
    ----------
    name : str
        What they are shown for, one of `NAMES`.
    """

    def __init__(self, name: str = SELECTED) -> None:
        self._name = name
        self._layer: Labels | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the layer has these colours, and no others meanwhile."""
        return self._layer is not None and self._layer.colormap.name == self._name

    def show(self, layer: Labels, labels: Iterable[int]) -> None:
        """Show these nuclei in one colour and all others in grey; a hidden layer is shown."""
        self.show_colours(layer, ((int(label), CHOSEN) for label in labels))

    def show_colours(self, layer: Labels, colours: Iterable[tuple[int, Any]]) -> None:
        """Show each nucleus in its colour, those without one in grey; a hidden layer is shown."""
        if self._layer is not None and self._layer != layer:
            self.clear()
        if layer.colormap.name not in NAMES:
            _own[str(layer.unique_id)] = layer.colormap
        self._layer = layer
        layer.visible = True
        every: dict[int | None, Any] = {None: OTHERS, 0: "transparent"}
        every.update(colours)
        layer.colormap = DirectLabelColormap(name=self._name, color_dict=every)

    def clear(self) -> None:
        """Put the layer's own colours back, if it has not got others meanwhile."""
        if self._layer is not None and self.is_shown:
            own = str(self._layer.unique_id)
            # A copy that was made of a layer in these colours has no others to go back to.
            self._layer.colormap = _own.pop(own) if own in _own else label_colormap()
        self._layer = None
