"""A small live plot of a fine-tune."""

import math
import time
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_unet.widgets.form import font_size

HEIGHT = 130  # px
SECONDS_BETWEEN_DRAWINGS = 1.0  # each takes time from the network
FONT_SIZE, LARGEST_FONT = 0.8, 12.0  # of napari's; points: more would be cut off
MARGINS = {"left": 0.11, "right": 0.91, "bottom": 0.17, "top": 0.86}  # of the plot's sides
# Told apart by colour-blind eyes, on dark and light grounds (Okabe, Ito, 2008).
LOSS, MARKS = "#56b4e9", "#e69f00"


def plot_font_size() -> float:
    """Return the size of the texts in a plot, in points."""
    return min(FONT_SIZE * font_size(), LARGEST_FONT)


def load_matplotlib() -> None:
    """Import what draws; in a worker thread the window need not wait for it."""
    import matplotlib.backends.backend_qtagg
    import matplotlib.figure
    import matplotlib.font_manager  # noqa: F401


class Curve(QWidget):
    """Training loss and marks over the seconds of a run.

    Parameters
    ----------
    parent : QWidget
        What it is shown in.
    seconds : float
        Length of the run.
    theme : str
        Name of napari's theme.
    """

    def __init__(self, parent: QWidget, seconds: float, theme: str) -> None:
        super().__init__(parent)
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        self.losses: list[tuple[float, float]] = []
        self.marks: list[tuple[float, float]] = []
        self._drawn = -math.inf
        self._figure = Figure()
        # matplotlib's own layouts take longer than all the rest of a drawing.
        self._figure.subplots_adjust(**MARGINS)
        self._axes = self._figure.add_subplot()
        self._right = self._axes.twinx()
        self._canvas: Any = FigureCanvasQTAgg(self._figure)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas)
        self.setFixedHeight(HEIGHT)
        self._make_lines(seconds)
        self.show_theme(theme)

    def _make_lines(self, seconds: float) -> None:
        """Make empty lines, and axes that say what they are."""
        (self._loss,) = self._axes.plot([], [], color=LOSS, lw=1.2)
        (self._mark,) = self._right.plot([], [], "o-", color=MARKS, ms=3.5, lw=1.2, clip_on=False)
        self._axes.set_xlim(0, seconds)
        self._right.set_ylim(0, 1)
        self._right.set_yticks([0, 0.5, 1])
        self._axes.set_title("training loss", loc="left", color=LOSS, fontsize=plot_font_size())
        title = "overlap with corrections"
        self._axes.set_title(title, loc="right", color=MARKS, fontsize=plot_font_size())
        self._axes.xaxis.set_major_formatter("{x:g} s")

    def show_theme(self, theme: str) -> None:
        """Take on the colours of a theme of napari."""
        from napari.utils.theme import get_theme

        colours = get_theme(theme)
        ground, text = colours.background.as_hex(), colours.text.as_hex()
        self._figure.set_facecolor(ground)
        for axes in (self._axes, self._right):
            axes.set_facecolor("none")
            axes.tick_params(colors=text, labelsize=plot_font_size(), length=2, pad=2)
            for name, spine in axes.spines.items():
                spine.set_visible(name != "top")
                spine.set_color(text)
                spine.set_alpha(0.4)
        self._canvas.draw_idle()

    def add(self, seconds: float, loss: float | None, mark: float | None) -> None:
        """Add what is known at a time; what is not, or no number, leaves its line as it is."""
        is_mark = mark is not None and math.isfinite(mark)
        if loss is not None and math.isfinite(loss):
            self.losses.append((seconds, loss))
        if is_mark:
            self.marks.append((seconds, float(mark or 0)))
        if is_mark or time.monotonic() - self._drawn >= SECONDS_BETWEEN_DRAWINGS:
            self.draw()

    def draw(self) -> None:
        """Draw all that was added."""
        self._drawn = time.monotonic()
        for line, points in ((self._loss, self.losses), (self._mark, self.marks)):
            line.set_data(*_columns(points))
        top = max((loss for _, loss in self.losses), default=1.0)
        self._axes.set_ylim(0, 1.1 * top or 1.0)
        low, high = self._axes.get_xlim()
        self._axes.set_xlim(low, max([high, *(at for at, _ in self.losses)]))
        self._canvas.draw_idle()


def _columns(points: list[tuple[float, float]]) -> Any:
    return tuple(zip(*points, strict=True)) or ((), ())
