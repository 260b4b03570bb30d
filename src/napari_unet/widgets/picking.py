"""Nuclei that are picked in a plot of what was measured, and shown in the viewer."""

from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels
from numpy.typing import NDArray

from napari_unet.nuclei.measuring import INDEX_NAMES, Measured
from napari_unet.widgets.certainty import INDEX
from napari_unet.widgets.highlight import Highlight
from napari_unet.widgets.layers import shown_index
from napari_unet.widgets.measure_form import COUNT, MeasureForm
from napari_unet.widgets.nuclei_plot import NucleiPlot, Rows


class Picking:
    """Plots the features of a layer, and selects what is clicked or brushed there.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows the nuclei.
    form : MeasureForm
        Has the place of the plot, and what is chosen for it.
    """

    def __init__(self, viewer: Any, form: MeasureForm) -> None:
        self._viewer = viewer
        self._form = form
        self._layer: Labels | None = None
        self._measured: Measured | None = None
        self._plot: NucleiPlot | None = None
        self._rows: Rows = np.array([], np.intp)
        self._features = pd.DataFrame()
        self._highlight = Highlight()
        form.x.changed.connect(self._draw)
        form.y.changed.connect(self._draw)
        form.clear_selection.clicked.connect(self.clear)

    def show(self, layer: Labels, measured: Measured) -> None:
        """Plot what was measured of a layer, whose features have its rows."""
        self.leave()
        self._layer, self._measured = layer, measured
        self._features = pd.DataFrame(layer.features)
        if self._plot is None:
            self._plot = NucleiPlot(self._form.plot.native, self._viewer.theme, self._pick)
            self._form.show_plot(self._plot)
        self._viewer.events.theme.connect(self._show_theme)
        self._viewer.dims.events.current_step.connect(self._follow_frame)
        self._form.show_columns(plottable(self._features))
        self._draw()

    def leave(self) -> None:
        """Let go of the layer and of the viewer, with the layer's own colours put back."""
        if self._layer is None:
            return
        self._viewer.events.theme.disconnect(self._show_theme)
        self._viewer.dims.events.current_step.disconnect(self._follow_frame)
        self._highlight.clear()
        self._layer, self._rows = None, np.array([], np.intp)

    def clear(self) -> None:
        """Select no nuclei."""
        self._pick(np.array([], np.intp), False)

    def _draw(self, _: Any = None) -> None:
        """Draw the columns that are chosen; what is selected stays."""
        if self._plot is None or self._layer is None:
            return
        x, y = str(self._form.x.value), str(self._form.y.value)
        along = self._features[x].to_numpy(float, na_value=np.nan)
        up = None if y == COUNT else self._features[y].to_numpy(float, na_value=np.nan)
        self._plot.show_theme(self._viewer.theme)
        self._plot.show_values(along, up, (x, "nuclei" if up is None else y))
        self._show_rows()

    def _pick(self, rows: Rows, is_point: bool) -> None:
        """Select nuclei, and go to the one whose point was clicked."""
        if self._layer is None or self._measured is None:
            return
        # The layer may have other labels by now, of which no place in the table is one.
        if self._layer.ndim != self._measured.centroids.shape[1]:
            return
        self._rows = rows
        self._show_rows()
        self._colour()
        if is_point:
            self._layer.selected_label = int(self._features[INDEX][rows[0]])
            self._go_to(rows[0])

    def _show_rows(self) -> None:
        """Show what is selected in the plot and in words."""
        if self._plot is not None:
            self._plot.show_rows(self._rows)
        n, labels = len(self._rows), self._features[INDEX].to_numpy()[self._rows]
        if n == 1:
            self._form.show_selected(f"Nucleus {labels[0]} is selected.")
        else:
            self._form.show_selected(f"{n:,} of {len(self._features):,} selected." if n else "")

    def _colour(self) -> None:
        """Show in the image what is selected; in a movie, in the frame that is shown."""
        if self._layer is None or self._measured is None:
            return
        if not len(self._rows):
            self._highlight.clear()
            return
        walked = list(self._measured.walked)
        index = [shown_index(self._layer, self._viewer, axis) for axis in walked]
        here = (self._measured.centroids[self._rows][:, walked] == index).all(axis=1)
        self._highlight.show(self._layer, self._features[INDEX].to_numpy()[self._rows[here]])

    def _follow_frame(self, event: Any = None) -> None:
        """Colour what is selected in another frame."""
        if len(self._rows) and self._measured is not None and self._measured.n_frames > 1:
            self._colour()

    def _go_to(self, row: int) -> None:
        """Move the sliders to a nucleus, and the view's middle onto it."""
        if self._layer is not None and self._measured is not None:
            world = self._layer.data_to_world(self._measured.centroids[row])
            look_at(self._viewer, np.array(world, float))

    def _show_theme(self, event: Any = None) -> None:
        """Draw the plot in the colours of the viewer's theme."""
        if self._plot is not None:
            self._plot.show_theme(self._viewer.theme)


def plottable(features: pd.DataFrame) -> list[str]:
    """Return the names of columns of numbers, those that only count frames last."""
    numbers = features.select_dtypes(["number", "bool"]).columns
    counting = [name for name in INDEX_NAMES.values() if name in numbers]
    return [*(name for name in numbers if name not in (INDEX, *counting)), *counting]


def look_at(viewer: Any, place: NDArray[np.float64]) -> None:
    """Move the sliders to a place in the world of the last axes, and the view's middle onto it."""
    dims = viewer.dims
    whole = np.array(dims.point, float)
    whole[-len(place) :] = place
    for axis in dims.not_displayed:
        dims.set_point(axis, whole[axis])
    shown = [float(whole[axis]) for axis in dims.displayed]
    viewer.scene.camera.center = (*(0.0,) * (3 - len(shown)), *shown)
