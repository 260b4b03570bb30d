"""The widgets of the dock "Segment nuclei", and what is shown when."""

from magicgui.widgets import (
    ComboBox,
    Container,
    FloatSpinBox,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    RadioButtons,
)

from napari_unet.network.library import BUILT_IN
from napari_unet.segmentation import LINKS, QUALITIES, STEPS, VIEWS, Progress
from napari_unet.widgets.adjust import AdjustForm
from napari_unet.widgets.doubt_form import DoubtForm
from napari_unet.widgets.form import (
    MINIMUM_WIDTH,
    Choices,
    DockForm,
    align_labels,
    fold,
    let_scroll,
    row,
    use_font,
    wrap,
)
from napari_unet.widgets.offer import Offer
from napari_unet.widgets.preferences import DEVICES, preferences
from napari_unet.widgets.running import TimeLeft

REGIONS = ("everything", "this plane", "this view")
QUALITY_CHOICES = [(QUALITIES[0], QUALITIES[0]), ("best (8 times slower)", QUALITIES[1])]
VIEW_CHOICES = [("planes", VIEWS[0]), ("planes and sides", VIEWS[1])]
START, CANCEL = "Segment nuclei", "Cancel"
DIAMETER = "Of a typical nucleus, in pixels; 0 is auto, which estimates it from the image"
FIRST_STEPS = (
    "1. Open an image (or File > Open Sample).\n"
    "2. Click Segment nuclei: a label for each.\n"
    "3. Paint what is wrong; the model learns."
)


class SegmentForm(DockForm):
    """What is chosen, and what is shown of a run.

    Parameters
    ----------
    images, models : callable
        Give what can be chosen.
    offer : Offer
        Shown above the button where corrections can be brought back.
    """

    def __init__(self, images: Choices, models: Choices, offer: Offer) -> None:
        self._make_inputs(images, models)
        self._make_rare_inputs()
        self.offer = offer
        self.first_steps = Label(value=FIRST_STEPS)
        self.button = PushButton(
            text=START, tooltip="Draw one label per nucleus into a layer; corrected ones stay"
        )
        self.bar = ProgressBar(min=0, max=100, value=0, visible=False)
        self.status = Label(value="")
        self._make_next_steps()
        inputs = [self.image, self.channel, self.axes, self.model, self.diameter, self.region]
        rare = [self.link, self.views, self.quality, self.device]
        self.costly = [*inputs, *rare]
        choices, more = Container(widgets=inputs), Container(widgets=rare)
        for part in (choices, more):
            part.margins = (0, 0, 0, 0)
        align_labels(choices.native, more.native)
        run = [self.offer, self.button, self.bar, self.status]
        after = [self.correct, row(self.measure, self.copy), self.tracks]
        super().__init__(widgets=[self.first_steps, choices, *run, *after], labels=False)
        self.native.setMinimumWidth(MINIMUM_WIDTH)
        wrap(self.first_steps.native)
        wrap(self.status.native)
        self.more = fold("More", more.native, "What seldom needs another choice")
        layout = self.native.layout()
        layout.insertWidget(2, self.more)
        self.adjust = AdjustForm()
        self.doubts = DoubtForm()
        layout.addWidget(self.adjust.section)
        layout.addWidget(self.doubts.section)
        let_scroll(self.native)

    def _make_next_steps(self) -> None:
        """Make the buttons that are shown below a result."""
        self.correct = PushButton(
            text="Correct and learn …",
            tooltip="Repair nuclei on the result, and let the model learn from that",
            visible=False,
        )
        self.copy = PushButton(
            text="Copy …",
            tooltip="How this result was made: for a paper, in Python, as a command",
            visible=False,
        )
        self.measure = PushButton(
            text="Measure …",
            tooltip="A table of the nuclei: sizes, shapes, and how bright they are",
            visible=False,
        )
        self.tracks = PushButton(
            text="Show tracks",
            tooltip="Show the way of each nucleus of the movie, and its daughters",
            visible=False,
        )

    def _make_inputs(self, images: Choices, models: Choices) -> None:
        """Make the widgets that hold the user's choices."""
        self.image = ComboBox(
            label="Image", choices=images, nullable=True, tooltip="The image layer to segment"
        )
        self.n_channels = 1
        # napari asks for all choices again when layers come and go.
        self.channel = ComboBox(
            label="Channel",
            choices=lambda _: range(self.n_channels),
            tooltip="The one that shows the nuclei; the first is 0",
        )
        self.axes = LineEdit(
            label="Axes", tooltip="One letter per axis: T time, Z depth, C channel, Y, X, S colour"
        )
        use_font(self.axes.native)
        self.model = ComboBox(
            label="Model",
            choices=models,
            value=BUILT_IN,
            tooltip="The built-in one, one of your own, or a file",
        )
        self.diameter = FloatSpinBox(
            label="Diameter", min=0, max=2000, step=1, value=0, tooltip=DIAMETER
        )
        self.show_auto_diameter()
        self.diameter.native.setSuffix(" px")
        self.region = RadioButtons(
            label="Region",
            choices=REGIONS,
            tooltip="All of the image, the plane that is shown, or what the canvas shows of it",
        )
        self.region.value = REGIONS[0]

    def _make_rare_inputs(self) -> None:
        """Make the widgets for what seldom needs another choice."""
        self.link = ComboBox(label="Planes", choices=LINKS, tooltip="How planes along Z are joined")
        self.views = ComboBox(
            label="Views",
            choices=VIEW_CHOICES,
            tooltip="Whether the network sees a stack from two sides as well, which is slower",
        )
        self.quality = ComboBox(
            label="Quality",
            choices=QUALITY_CHOICES,
            tooltip="best: the image is seen flipped and turned in eight ways, and averaged",
        )
        self.device = ComboBox(
            label="Device",
            choices=DEVICES,
            value=preferences().device,
            tooltip="What the network runs on; auto is the fastest that works",
        )

    def show_auto_diameter(self, diameter: float | None = None) -> None:
        """Show what a run without a diameter found, in pixels, or that it is still to be found."""
        text = "auto" if diameter is None else f"auto: {diameter:.0f} px"
        self.diameter.native.setSpecialValueText(text)

    def show_run(self) -> None:
        """Show that a run goes on."""
        self.button.text = CANCEL
        self.bar.visible = True
        self.bar.value = 0

    def show_progress(self, progress: Progress, left: TimeLeft, more: str = "") -> None:
        """Move the bar, and say how far it is and more; it is asked to a few times a second."""
        text = STEPS[progress.step].capitalize()
        if progress.step in ("network", "sides"):
            self.bar.value = int(100 * progress.done / progress.total)
            text = ", ".join(filter(None, (text, left.text(progress.done / progress.total))))
        self.status.value = f"{text} … {more}".rstrip()

    def show_cancelling(self) -> None:
        """Show that a run ends as soon as it can."""
        self.status.value = "Cancelling …"
        self.button.enabled = False

    def show_inputs(self, text: str) -> None:
        """Show that no run goes on, with what came of it."""
        self.button.text = START
        self.button.enabled = self.image.value is not None
        self.bar.visible = False
        self.status.value = text
