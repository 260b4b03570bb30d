"""The widgets of the dock "Fine-tune on corrections", and what is shown when."""

from collections.abc import Callable
from typing import Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    RadioButtons,
    SpinBox,
)
from qtpy.QtWidgets import QWidget

from napari_unet.widgets.before_after import AFTER, BEFORE
from napari_unet.widgets.cut_off import CutOffLine
from napari_unet.widgets.form import (
    MINIMUM_WIDTH,
    DockForm,
    align_labels,
    let_scroll,
    reveal,
    row,
    use_font,
    wrap,
)
from napari_unet.widgets.offer import Offer
from napari_unet.widgets.preferences import preferences
from napari_unet.widgets.remembering import NOTHING

TIMES = [("about half a minute", 30.0), ("about a minute", 60.0), ("about three minutes", 180.0)]
USUAL_TIME = TIMES[1][1]
LARGEST_VALUE = 2**31 - 1  # of a label
LEARN = "Make a new model from the one that made this result; that one stays as it is"
SCRIBBLES = (
    "Paint background with this value, and nuclei with others: each connected piece counts as one "
    "whole nucleus, so two nuclei must not touch. 0 is not painted."
)
SEGMENT, SEGMENT_AGAIN = "Segment nuclei …", "Segment again …"


Choices = Callable[[Any], list[Any]]


class FinetuneForm(DockForm):
    """What is chosen, what is shown while learning, and what is asked at the end.

    Parameters
    ----------
    layers, images, models : callable
        Give what can be chosen of each.
    offer : Offer
        Offers what was saved before napari ended.
    """

    def __init__(self, layers: Choices, images: Choices, models: Choices, offer: Offer) -> None:
        self._plotted: QWidget | None = None
        self._make_inputs(layers)
        self._make_scribble_inputs(images, models)
        self._make_run()
        self._make_outcome()
        scribbles: list[Any] = [self.background, self.hint, self.image, self.model]
        fields = [self.layer, *scribbles, self.counts, self.views, self.time_place]
        self.choices = Container(widgets=fields)
        self.choices.margins = (0, 0, 0, 0)
        self.offer = offer
        self.cut_off = CutOffLine()
        before = [self.offer, self.cut_off, self.choices, self.remembering, self.redraw, self.begin]
        meanwhile = [self.plot, self.bar, self.running, self.status]
        after = [self.judging, self.outcome, self.segment]
        super().__init__(widgets=[*before, *meanwhile, *after], labels=False)
        self.native.setMinimumWidth(MINIMUM_WIDTH)
        for label in (self.counts, self.hint, self.status):
            wrap(label.native)
        align_labels(self.judging.native)
        self.show_scribbles(False)
        let_scroll(self.native)

    def _make_inputs(self, layers: Choices) -> None:
        """Make what is chosen before learning."""
        self.layer = ComboBox(
            label="Labels",
            choices=layers,
            nullable=True,
            tooltip="Labels that Segment nuclei made: paint, erase and redraw nuclei on them; or "
            "scribbles, which are labels on a layer of your own",
        )
        self.counts = Label(
            label="Changed", tooltip="Nuclei that differ from those the model found, on any plane"
        )
        self.confirm = PushButton(
            text="This view is right",
            tooltip="All nuclei that the canvas shows now are right as they are: learn that too",
        )
        self.undo_confirm = PushButton(
            text="Take back",
            tooltip="The view or nucleus that was called right last is not",
            visible=False,
        )
        self.views = row(self.confirm, self.undo_confirm)
        self.views.label = " "
        self.time = ComboBox(
            choices=TIMES,
            value=USUAL_TIME,
            tooltip="How long to learn; you can stop earlier and keep what is learned",
        )
        self.time_place = row(self.time)
        self.time_place.label = "Time"
        self.remember = CheckBox(
            text="Remember",
            value=preferences().remember,
            tooltip="Keep what you correct on this computer, and learn from it again next time",
        )
        self.stored = PushButton(tooltip="What is remembered: export it, import others', forget it")
        self.remembering = row(self.remember, self.stored)
        self.redraw = CheckBox(
            text="Redraw this view while learning",
            value=True,
            tooltip="Every few seconds, outline the nuclei that the model sees by then",
        )
        self.learn = PushButton(text="Learn from my corrections")
        self.let_learn(False)
        self.live = CheckBox(
            text="Live",
            tooltip="Learn while you paint: what is new joins at once, until you switch this off",
        )
        self.begin = row(self.learn, self.live)

    def _make_scribble_inputs(self, images: Choices, models: Choices) -> None:
        """Make what is chosen for scribbles alone."""
        self.background = SpinBox(
            label="Background",
            value=1,
            min=1,
            max=LARGEST_VALUE,
            tooltip="The value that you paint background with",
        )
        self.image = ComboBox(
            label="Image", choices=images, nullable=True, tooltip="What you painted on"
        )
        self.model = ComboBox(label="Model", choices=models, tooltip="The one that is to learn")
        self.hint = Label(label=" ", value=SCRIBBLES)

    def _make_run(self) -> None:
        """Make what is shown while learning."""
        self.plot: Container[Any] = Container(labels=False, visible=False)
        self.plot.margins = (0, 0, 0, 0)
        self.bar = ProgressBar(min=0, max=100, value=0, visible=False)
        self.stop = PushButton(
            text="Stop and keep", tooltip="End now, and judge what is learned so far"
        )
        self.cancel_button = PushButton(
            text="Cancel", tooltip="End now without a new model; your corrections stay"
        )
        self.running = row(self.stop, self.cancel_button)
        self.running.visible = False
        self.status = Label(value="")

    def _make_outcome(self) -> None:
        """Make what is shown when a model has learned."""
        self.model_name = LineEdit(label="Name", tooltip="Of the new model in the list of models")
        use_font(self.model_name.native)
        self.side = RadioButtons(
            label="Outlines",
            choices=(BEFORE, AFTER),
            orientation="horizontal",
            tooltip="Of the nuclei in this view, by the model before and by the new one",
        )
        self.judging = Container(widgets=[self.side, self.model_name], visible=False)
        self.judging.margins = (0, 0, 0, 0)
        self.keep = PushButton(
            text="Keep", tooltip="Save the new model beside your others, and choose it"
        )
        self.discard = PushButton(text="Discard", tooltip="Forget the new model")
        self.outcome = row(self.keep, self.discard)
        self.outcome.visible = False
        self.segment = PushButton(
            text=SEGMENT, tooltip="Open the dock that makes what can be corrected", visible=False
        )

    def enable_inputs(self, enabled: bool) -> None:
        """Let the user do something, or not."""
        for widget in (self.views, self.time_place, self.remembering, self.redraw, self.begin):
            widget.enabled = enabled

    def let_learn(self, is_corrected: bool) -> None:
        """Let the user learn if something is corrected, or say what to do first."""
        self.learn.enabled = is_corrected
        self.learn.tooltip = LEARN if is_corrected else NOTHING

    def _enable_choices(self, enabled: bool) -> None:
        """Let the user choose what the next run takes; what one is learning from must stay."""
        for widget in (self.time, self.remember, self.stored):
            widget.enabled = enabled
        # How much it is changes while something is learned.
        self.stored.visible = enabled and bool(self.stored.text)

    def show_scribbles(self, are_scribbles: bool) -> None:
        """Show what is chosen for scribbles alone, or for results alone."""
        only: list[Any] = [self.background, self.image, self.model, self.hint]
        for widget in only:
            widget.visible = are_scribbles
        self.views.visible = self.live.visible = not are_scribbles
        align_labels(self.choices.native)

    def show_inputs(self, text: str) -> None:
        """Show that nothing is learned, with what came of it."""
        if self._plotted is not None:
            self._plotted.setParent(None)
            self._plotted.deleteLater()
            self._plotted = None
        for part in (self.plot, self.bar, self.running, self.judging, self.outcome, self.segment):
            part.visible = False
        with self.live.changed.blocked():
            self.live.value = False
        self.layer.enabled = self.live.enabled = True
        self._enable_choices(True)
        self.begin.visible = self.learn.visible = self.redraw.visible = True
        self.status.value = text

    def show_learning(self, *, live: bool) -> None:
        """Show that something is learned; live learning has no end that a bar could show."""
        self.learn.visible = self.segment.visible = False
        self.begin.visible = live
        # Strokes on another layer are not those that are learned from.
        self.layer.enabled = not live
        self._enable_choices(False)
        self.bar.visible = not live
        self.running.visible = True
        self.stop.enabled = self.cancel_button.enabled = True
        self.bar.value = 0
        self.status.value = "Starting …"

    def show_plot(self, plot: QWidget) -> None:
        """Show a plot until `show_inputs`."""
        self._plotted = plot
        self.plot.native.layout().addWidget(plot)
        self.plot.visible = True

    def show_outcome(self, text: str, name: str, *, doubtful: bool) -> None:
        """Ask whether to keep a new model."""
        for part in (self.bar, self.running, self.begin, self.redraw):
            part.visible = False
        self.layer.enabled = True
        self._enable_choices(True)
        self.side.value = AFTER
        self.status.value = text
        self.model_name.value = name
        self.keep.text = "Keep anyway" if doubtful else "Keep"
        self.judging.visible = self.outcome.visible = True
        reveal(self.native, self.outcome.native)

    def show_size(self, size: str) -> None:
        """Show how much is remembered."""
        self.stored.text = size
        self.stored.visible = bool(size)
