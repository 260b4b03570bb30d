"""A histogram or scatter plot of nuclei in which they are picked and brushed."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_unet.widgets.curve import plot_font_size
from napari_unet.widgets.highlight import CHOSEN, PLAIN

HEIGHT = 210  # px
MARGINS = {"left": 0.18, "right": 0.97, "bottom": 0.2, "top": 0.96}  # of the plot's sides
NEAR = 8.0  # px: a click this near to a point means it
STILL = 4.0  # px: moved less than this, the mouse has clicked and not brushed
MOST_BARS = 50
POINT_SIZE, SMALL_POINT, MANY = 4.0, 2.5, 1_000  # smaller for so many nuclei
LONGEST_TICK = 4  # digits before ticks are written with an exponent

Rows = NDArray[np.intp]
Values = NDArray[np.float64]
Place = tuple[float, float]


class NucleiPlot(QWidget):
    """One value of all nuclei as a histogram, or two as a scatter plot.

    Parameters
    ----------
    parent : QWidget
        What it is shown in.
    theme : str
        Name of napari's theme.
    picked : callable
        Called with the rows that were clicked or brushed, and whether it was a click on a point.
    """

    def __init__(self, parent: QWidget, theme: str, picked: Callable[[Rows, bool], None]) -> None:
        super().__init__(parent)
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        self._picked = picked
        self._x, self._edges = np.zeros(0), np.zeros(0)
        self._y: Values | None = None
        self._start: Place | None = None
        self._chosen: Any = None
        self._figure = Figure()
        self._figure.subplots_adjust(**MARGINS)
        self._axes = self._figure.add_subplot()
        self._canvas: Any = FigureCanvasQTAgg(self._figure)
        self._canvas.mpl_connect("button_press_event", self._press)
        self._canvas.mpl_connect("motion_notify_event", self._move)
        self._canvas.mpl_connect("button_release_event", self._release)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas)
        self.setFixedHeight(HEIGHT)
        self._theme = theme
        self._add_band()

    def show_theme(self, theme: str) -> None:
        """Take on the colours of a theme of napari."""
        self._theme = theme
        self._colour()
        self._canvas.draw_idle()

    def _colour(self) -> None:
        from napari.utils.theme import get_theme

        colours = get_theme(self._theme)
        text, size = colours.text.as_hex(), plot_font_size()
        self._figure.set_facecolor(colours.background.as_hex())
        axes = self._axes
        axes.set_facecolor("none")
        axes.tick_params(colors=text, labelsize=size, length=2, pad=2)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set(color=text, fontsize=size)
        for offset in (axes.xaxis.get_offset_text(), axes.yaxis.get_offset_text()):
            offset.set(color=text, fontsize=size)
        for name, spine in axes.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            spine.set(color=text, alpha=0.4)
        self._band.set_edgecolor(text)

    def show_values(self, x: Values, y: Values | None, names: tuple[str, str]) -> None:
        """Show a histogram of x, or x against y where there is one, with these names."""
        self._x, self._y, self._start, self._chosen = x, y, None, None
        self._axes.clear()
        if y is None:
            self._edges = bar_edges(x)
            self._axes.stairs(self._counts(x), self._edges, fill=True, color=PLAIN)
        else:
            self._axes.plot(x, y, "o", color=PLAIN, ms=self._point_size(), mew=0, alpha=0.7)
        self._axes.set_xlabel(names[0])
        self._axes.set_ylabel(names[1])
        limits = (-LONGEST_TICK, LONGEST_TICK)
        self._axes.ticklabel_format(scilimits=limits)
        self._add_band()
        self._colour()
        self._canvas.draw_idle()

    def _add_band(self) -> None:
        """Add the rectangle that is drawn with the mouse, which is not there yet."""
        from matplotlib.patches import Rectangle

        self._band = Rectangle((0, 0), 0, 0, fill=False, lw=0.8, ls="--", visible=False)
        self._axes.add_patch(self._band)

    def show_rows(self, rows: Rows) -> None:
        """Show which nuclei are selected."""
        if self._chosen is not None:
            self._chosen.remove()
        limits = self._axes.axis()
        if self._y is None:
            counts = self._counts(self._x[rows])
            self._chosen = self._axes.stairs(counts, self._edges, fill=True, color=CHOSEN)
        else:
            (self._chosen,) = self._axes.plot(
                self._x[rows], self._y[rows], "o", color=CHOSEN, ms=self._point_size() + 1, mew=0
            )
        self._axes.axis(limits)
        self._canvas.draw_idle()

    def _point_size(self) -> float:
        return POINT_SIZE if len(self._x) < MANY else SMALL_POINT

    def _counts(self, values: Values) -> NDArray[np.intp]:
        """Return how high the bars of some nuclei are."""
        return np.histogram(values[np.isfinite(values)], self._edges)[0]

    def _press(self, event: Any) -> None:
        """Note where the mouse went down."""
        if event.button == 1 and event.inaxes is self._axes:
            self._start = (event.x, event.y)

    def _move(self, event: Any) -> None:
        """Show what would be brushed."""
        if self._start is not None and _distance(self._start, event) > STILL:
            (left, bottom), (right, top) = self._brushed(self._start, event)
            self._band.set_bounds(left, bottom, right - left, top - bottom)
            self._band.set_visible(True)
            self._canvas.draw_idle()

    def _release(self, event: Any) -> None:
        """Select what was clicked or brushed."""
        start, self._start = self._start, None
        if start is None:
            return
        self._band.set_visible(False)
        if _distance(start, event) <= STILL:
            self._click(event)
            return
        low, high = self._brushed(start, event)
        inside = (self._x >= low[0]) & (self._x <= high[0])
        if self._y is not None:
            inside &= (self._y >= low[1]) & (self._y <= high[1])
        self._picked(np.flatnonzero(inside), False)

    def _brushed(self, start: Place, event: Any) -> tuple[Values, Values]:
        """Return the lower left and upper right corner that the mouse has drawn, in values."""
        corners = self._axes.transData.inverted().transform([start, (event.x, event.y)])
        if self._y is None:
            corners[:, 1] = self._axes.get_ylim()
        return corners.min(axis=0), corners.max(axis=0)

    def _click(self, event: Any) -> None:
        """Select the nearest point, or all nuclei in a bar; none where there is nothing."""
        if self._y is None:
            value = self._axes.transData.inverted().transform((event.x, event.y))[0]
            self._picked(self._rows_of_bar(value), False)
            return
        points = self._axes.transData.transform(np.column_stack([self._x, self._y]))
        apart = np.hypot(*(points - (event.x, event.y)).T)
        apart[~np.isfinite(apart)] = np.inf
        is_near = bool(apart.min(initial=np.inf) <= NEAR)
        self._picked(np.array([apart.argmin()] if is_near else [], np.intp), is_near)

    def _rows_of_bar(self, value: float) -> Rows:
        """Return the nuclei in the bar that a value lies in; a bar has its left edge."""
        bars = np.searchsorted(self._edges, [value, *self._x], "right")
        # The last bar has both of its edges, as in numpy's histogram.
        bars[1:][self._x == self._edges[-1]] -= 1
        return np.flatnonzero(np.isfinite(self._x) & (bars[1:] == bars[0]))


def bar_edges(values: Values) -> Values:
    """Return the edges of a histogram's bars, at most fifty of them.

    By the rule of Freedman and Diaconis (1981), which one value far from all others would let
    make millions of bars.
    """
    known = values[np.isfinite(values)]
    low, high = known.min(initial=np.inf), known.max(initial=-np.inf)
    if not low < high:
        middle = float(low) if low == high else 0.0
        return np.array([middle - 0.5, middle + 0.5])
    spread = np.subtract(*np.percentile(known, [75, 25]))
    width = max(2 * spread / np.cbrt(len(known)), (high - low) / MOST_BARS)
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)


def _distance(start: Place, event: Any) -> float:
    return float(np.hypot(event.x - start[0], event.y - start[1]))
