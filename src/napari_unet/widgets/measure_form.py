"""The widgets of the dock "Measure nuclei", and what is shown when."""

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import ComboBox, Container, Label, LineEdit, ProgressBar, PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QSizePolicy, QWidget

from napari_unet.widgets.form import (
    MINIMUM_WIDTH,
    Choices,
    DockForm,
    align_labels,
    let_scroll,
    row,
    use_font,
    wrap,
)

START, CANCEL = "Measure nuclei", "Cancel"
TOGETHER, EACH_PLANE = "a nucleus goes across them", "each for itself"
COUNT = "how many"  # instead of a second column: a histogram
MOST_LINES = 4  # of the list of images, before it scrolls
SPACING, FRAME = 2, 2  # px, above and below each line, and around all


class MeasureForm(DockForm):
    """What is measured, and what is shown of it.

    Parameters
    ----------
    layers : callable
        Gives the labels layers.
    """

    def __init__(self, layers: Choices) -> None:
        self._make_inputs(layers)
        self._make_results()
        self.choices = Container(
            widgets=[self.layer, self.axes, self.planes, self._place_of_images]
        )
        self.axes_of_plot = Container(widgets=[self.x, self.y])
        self.results = Container(
            widgets=[self.axes_of_plot, self.plot, self.selecting, self.save], labels=False
        )
        for part in (self.choices, self.axes_of_plot, self.results):
            part.margins = (0, 0, 0, 0)
        run = [self.button, self.bar, self.status, self.outdated]
        super().__init__(widgets=[self.choices, *run, self.results], labels=False)
        self.native.setMinimumWidth(MINIMUM_WIDTH)
        for label in (self.status, self.outdated, self.selected):
            wrap(label.native)
        align_labels(self.choices.native, self.axes_of_plot.native)
        self.outdated.visible = self.results.visible = False
        let_scroll(self.native)

    def _make_inputs(self, layers: Choices) -> None:
        """Make what is chosen before measuring."""
        self.layer = ComboBox(
            label="Labels",
            choices=layers,
            nullable=True,
            tooltip="Whose nuclei are measured",
        )
        self.axes = LineEdit(label="Axes", tooltip="One letter per axis: T time, Z depth, Y, X")
        use_font(self.axes.native)
        self.planes = ComboBox(
            label="Planes",
            choices=(TOGETHER, EACH_PLANE),
            tooltip="Whether the planes of a stack are one volume, or images of their own",
        )
        self.images = QListWidget()
        self.images.setToolTip("Ticked: how bright the nuclei are in it is measured too")
        self.images.setSpacing(SPACING)
        self._place_of_images: Container[Any] = Container(label="Intensity", labels=False)
        self._place_of_images.margins = (0, 0, 0, 0)
        self.images.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.images.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        place = self._place_of_images.native
        place.layout().addWidget(self.images)
        place.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.button = PushButton(
            text=START, tooltip="Write a table of all nuclei into the features of the layer"
        )
        self.bar = ProgressBar(min=0, max=100, value=0, visible=False)
        self.status = Label(value="")
        self.outdated = Label(value="")

    def _make_results(self) -> None:
        """Make what is shown when nuclei are measured."""
        self.x = ComboBox(label="Plot", choices=[], tooltip="The column along the bottom")
        self.y = ComboBox(
            label="Against", choices=[], tooltip=f"{COUNT!r} makes a histogram of the other column"
        )
        self.plot: Container[Any] = Container(labels=False)
        self.plot.margins = (0, 0, 0, 0)
        self.selected = Label(value="")
        self.clear_selection = PushButton(
            text="Clear", tooltip="Select no nuclei, and show the layer in its own colours"
        )
        self.selecting = row(self.selected, self.clear_selection)
        self.save = PushButton(text="Save table …", tooltip="All columns, as CSV or Parquet")

    def show_images(self, names: Sequence[str], unticked: Sequence[str]) -> None:
        """List what may be measured the intensity of, ticked but for some."""
        self.images.clear()
        for name in names:
            item = QListWidgetItem(name)
            item.setToolTip(name)
            is_ticked = name not in unticked
            item.setCheckState(Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked)
            self.images.addItem(item)
        n_lines = min(max(len(names), 1), MOST_LINES)
        self.images.setFixedHeight(n_lines * (self._line_height() + 2 * SPACING) + FRAME)
        self._place_of_images.visible = bool(names)

    def _line_height(self) -> int:
        # A line may have no height yet before it is shown.
        return max(self.images.sizeHintForRow(0), self.images.fontMetrics().height())

    def ticked(self, *, are: bool = True) -> list[str]:
        """Return the names in the list that are ticked, or those that are not."""
        items = [self.images.item(line) for line in range(self.images.count())]
        state = Qt.CheckState.Checked
        return [item.text() for item in items if item and (item.checkState() == state) == are]

    def show_run(self) -> None:
        """Show that nuclei are measured."""
        self.button.text = CANCEL
        self.bar.value = 0
        self.bar.visible = True
        self.choices.enabled = self.save.enabled = False
        self.status.value = "Measuring …"

    def show_rest(self, text: str) -> None:
        """Show that nothing is measured, with what came of it."""
        self.button.text = START
        self.button.enabled = self.choices.enabled = self.save.enabled = True
        self.bar.visible = False
        self.status.value = text

    def show_columns(self, columns: Sequence[str]) -> None:
        """Offer columns for the plot; what was chosen and is still there stays."""
        for choice, names in ((self.x, [*columns]), (self.y, [COUNT, *columns])):
            with choice.changed.blocked():
                before = choice.value
                choice.choices = names
                choice.value = before if before in names else names[0]

    def show_plot(self, plot: QWidget) -> None:
        """Put the plot into its place."""
        self.plot.native.layout().addWidget(plot)

    def show_selected(self, text: str) -> None:
        """Say how many nuclei are selected."""
        self.selected.value = text
        self.selecting.visible = bool(text)
