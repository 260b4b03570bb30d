"""The widgets of the dock "Compare with truth": choices, scores, and what is wrong."""

from collections.abc import Mapping

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSpinBox,
    Label,
    ProgressBar,
    PushButton,
)
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout

from napari_unet.nuclei.errors import RIGHT_FROM, Kind
from napari_unet.nuclei.metrics import Scores
from napari_unet.widgets.error_table import ErrorTable, swatch
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

START, CANCEL = "Compare", "Cancel"
FLAT, IN_VOLUME = 2, 3  # how many axes a nucleus has
SPANS = [("plane by plane", FLAT), ("in 3-D", IN_VOLUME)]
MEANINGS = {
    Kind.RIGHT: "Found alone, with a good outline",
    Kind.MISSED: "True, and nothing was found",
    Kind.INVENTED: "Found, and nothing is there",
    Kind.MERGED: "One found nucleus over several true ones",
    Kind.SPLIT: "Several found nuclei over one true one",
    Kind.BADLY_OUTLINED: "Found alone, with an outline that is far off",
}


class CompareForm(DockForm):
    """What is chosen, how well it agrees, and what is wrong.

    Parameters
    ----------
    layers : callable
        Gives the labels that can be chosen.
    """

    def __init__(self, layers: Choices) -> None:
        self._make_inputs(layers)
        self._make_outcome()
        choices = Container(widgets=[self.found, self.truth, self.span, self.right_from])
        choices.margins = (0, 0, 0, 0)
        align_labels(choices.native)
        run = [self.button, self.bar, self.status]
        super().__init__(widgets=[choices, *run, self.outcome], labels=False)
        self.native.layout().addWidget(self.table, stretch=1)
        self.native.layout().addWidget(self.stepping.native)
        self.native.setMinimumWidth(MINIMUM_WIDTH)
        wrap(self.status.native)
        self.show_outcome(False)
        let_scroll(self.native)

    def _make_inputs(self, layers: Choices) -> None:
        """Make the widgets that hold the user's choices."""
        self.found = ComboBox(
            label="Result", choices=layers, nullable=True, tooltip="The labels that are judged"
        )
        self.truth = ComboBox(
            label="Truth", choices=layers, nullable=True, tooltip="The labels that are right"
        )
        self.span = ComboBox(
            label="Nuclei",
            choices=SPANS,
            tooltip="Compare each plane of a stack or frame of a movie for itself, or volumes",
        )
        self.right_from = FloatSpinBox(
            label="Right from IoU",
            min=0,
            max=1,
            step=0.05,
            value=RIGHT_FROM,
            tooltip="How much of a found and a true nucleus together is in both (intersection over "
            "union), from which the outline is right",
        )
        self.button = PushButton(text=START, tooltip="Count and colour what is right and wrong")
        self.bar = ProgressBar(min=0, max=100, value=0, visible=False)
        self.status = Label(value="")

    def _make_outcome(self) -> None:
        """Make what is shown when something was compared."""
        self.scores = Label(value="")
        self.scores.native.setTextFormat(Qt.TextFormat.RichText)
        self.scores.native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.kinds = {
            kind: CheckBox(text=kind.words, value=kind != Kind.RIGHT, tooltip=MEANINGS[kind])
            for kind in Kind
        }
        self.outcome = Container(widgets=[self.scores], labels=False)
        self.outcome.margins = (0, 0, 0, 0)
        self.outcome.native.layout().addLayout(self._legend())
        self.table = ErrorTable()
        use_font(self.table)
        self.table.setToolTip("Click a line to see its nucleus in the viewer")
        self.previous = PushButton(text="Previous", tooltip="Show the line before in the viewer")
        self.next = PushButton(text="Next", tooltip="Show the next line in the viewer")
        self.position = Label(value="")
        self.position.native.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.stepping = row(self.previous, self.position, self.next)

    def _legend(self) -> QGridLayout:
        """Return the kinds with their colours in two columns that line up."""
        grid = QGridLayout()
        grid.setHorizontalSpacing(0)
        for number, (kind, box) in enumerate(self.kinds.items()):
            box.native.setIcon(swatch(kind))
            grid.addWidget(box.native, number // 2, number % 2)
        return grid

    def chosen_kinds(self) -> set[Kind]:
        """Return the kinds that are listed."""
        return {kind for kind, box in self.kinds.items() if box.value}

    def enable_start(self) -> None:
        """Let the user start where there is something to compare, and cancel always."""
        is_idle = self.button.text == START
        self.button.enabled = not is_idle or None not in (self.found.value, self.truth.value)

    def show_outcome(self, visible: bool) -> None:
        """Show what came of it, or nothing."""
        self.outcome.visible = visible
        self.table.setVisible(visible)
        self.stepping.visible = visible

    def show_scores(self, scores: Scores, counts: Mapping[Kind, int]) -> None:
        """Show figures, and how many there are of every kind."""
        self.scores.value = score_text(scores)
        for kind, box in self.kinds.items():
            box.text = f"{kind.words} {counts[kind]}"

    def show_run(self) -> None:
        """Show that a comparison goes on."""
        self.button.text = CANCEL
        self.bar.visible = True
        self.bar.value = 0
        self.status.value = "Comparing …"

    def show_inputs(self, text: str) -> None:
        """Show that none goes on, with what came of it."""
        self.button.text = START
        self.enable_start()
        self.bar.visible = False
        self.status.value = text


def score_text(scores: Scores) -> str:
    """Return the figures as a small table of HTML."""
    figures = [
        ("AP50", scores.ap50),
        ("AP75", scores.ap75),
        ("AP50:95", scores.mean_ap_95),
        ("F1", scores.f1),
        ("PQ", scores.pq),
        ("Dice", scores.dice),
    ]
    cells = [f"<td>{name}&nbsp;</td><td><b>{x:.3f}</b>&nbsp;</td>" for name, x in figures]
    return (
        f"<table cellspacing='0'><tr>{''.join(cells[:3])}</tr><tr>{''.join(cells[3:])}</tr></table>"
    )


def count_text(scores: Scores) -> str:
    """Return how many nuclei there are on both sides."""
    return f"{scores.n_predicted} found, {scores.n_truth} true nuclei."
