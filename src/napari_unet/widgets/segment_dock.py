"""The dock "Segment nuclei": choose, click, watch, cancel."""

from contextlib import suppress
from pathlib import Path
from typing import Any

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
from napari.layers import Image
from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QFileDialog

from napari_unet.network.library import BUILT_IN, list_models
from napari_unet.segmentation import LINKS, QUALITIES, STEPS, Progress
from napari_unet.widgets.form import MINIMUM_WIDTH, align_labels, wrap
from napari_unet.widgets.layers import (
    checked_axes,
    full_resolution,
    layer_axes,
    pixel_size,
    plane_distance,
    shown_index,
    visible_region,
)
from napari_unet.widgets.model_events import ModelList
from napari_unet.widgets.results import add_result
from napari_unet.widgets.running import Failed, Finished, Request, TimeLeft, run, seldom

REGIONS = ("everything", "this plane", "this view")
QUALITY_CHOICES = [(QUALITIES[0], QUALITIES[0]), ("best (8 times slower)", QUALITIES[1])]
DEVICES = ("auto", "cuda", "mps", "cpu")
CHOOSE_FILE = "choose a file …"
START, CANCEL = "Segment nuclei", "Cancel"


class SegmentDock(Container[Any]):
    """Segment the nuclei of an image layer into a Labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Shows the images and takes the result.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:  # type: ignore[name-defined]  # noqa: F821
        self._viewer = napari_viewer
        self._worker: GeneratorWorker | None = None
        self._files: list[str] = []
        self._chosen_model = BUILT_IN
        self._shown: Image | None = None
        self._typed: dict[object, str] = {}
        self._has_left = False
        self._slider = 0
        self._make_inputs()
        self.button = PushButton(text=START)
        self.bar = ProgressBar(min=0, max=100, value=0, visible=False)
        self.status = Label(value="")
        inputs = [self.image, self.channel, self.axes, self.model, self.diameter]
        how = [self.link, self.quality, self.region, self.device]
        choices = Container(widgets=[*inputs, *how])
        choices.margins = (0, 0, 0, 0)
        align_labels(choices.native)
        super().__init__(widgets=[choices, self.button, self.bar, self.status], labels=False)
        self.native.setMinimumWidth(MINIMUM_WIDTH)
        wrap(self.status.native)
        self._connect()
        self._follow_active()
        self._show_image()

    def _make_inputs(self) -> None:
        """Make the widgets that hold the user's choices."""
        self.image = ComboBox(label="Image", choices=self._images, nullable=True)
        self.channel = ComboBox(label="Channel", choices=[0])
        self.axes = LineEdit(
            label="Axes", tooltip="One letter per axis: T time, Z depth, C channel, Y, X, S colour"
        )
        self.model = ComboBox(label="Model", choices=self._model_choices, value=BUILT_IN)
        self.diameter = FloatSpinBox(
            label="Diameter", min=0, max=2000, step=1, value=0, tooltip="Of a nucleus, in pixels"
        )
        self.diameter.native.setSpecialValueText("auto")
        self.diameter.native.setSuffix(" px")
        self.link = ComboBox(label="Planes", choices=LINKS, tooltip="How planes along Z are joined")
        self.quality = ComboBox(
            label="Quality",
            choices=QUALITY_CHOICES,
            tooltip="best: the image is seen flipped and turned in eight ways, and averaged",
        )
        self.region = RadioButtons(label="Region", choices=REGIONS)
        self.region.value = REGIONS[0]
        self.device = ComboBox(label="Device", choices=DEVICES)

    def _connect(self) -> None:
        """Follow the viewer and the user until the dock is closed."""
        self.image.changed.connect(self._show_image)
        self.axes.changed.connect(self._show_axes)
        self.model.changed.connect(self._choose_model)
        self.button.clicked.connect(self._toggle)
        self._viewer.layers.selection.events.active.connect(self._follow_active)
        self._viewer.dims.events.current_step.connect(self._follow_channel)
        self._models = ModelList(self.model, self.status)
        self.native.destroyed.connect(self._leave)
        self.native_parent_changed.connect(self._leave_without_parent)

    def _leave_without_parent(self, parent: Any) -> None:
        """Leave when napari closes the dock: it takes the widget out and keeps it."""
        if parent is None:
            self._leave()

    def _leave(self, _: Any = None) -> None:
        """Stop the run and let go of the viewer; the widgets may be gone already."""
        self._has_left = True
        self._viewer.layers.selection.events.active.disconnect(self._follow_active)
        self._viewer.dims.events.current_step.disconnect(self._follow_channel)
        self._models.leave()
        self.cancel()

    def _follow_active(self, event: Any = None) -> None:
        """Choose the layer that is active in the viewer, if it is an image."""
        layer = self._viewer.layers.selection.active
        self.image.reset_choices()
        if isinstance(layer, Image):
            self.image.value = layer

    def _show_image(self, _: Any = None) -> None:
        """Guess the axes of an image that was not chosen before."""
        layer = self.image.value
        if layer is None and self._shown in self._viewer.layers:
            # It was renamed: the choices go by name.
            self.image.value = layer = self._shown
        if layer is self._shown:
            return
        self._shown = layer
        self.status.value = ""
        self.diameter.native.setSpecialValueText("auto")
        self.axes.value = "" if layer is None else self._typed.get(layer.unique_id, "")
        if layer is not None and not self.axes.value:
            self.axes.value = _guessed_axes(layer)
        self._show_axes()

    def _show_axes(self, _: Any = None) -> None:
        """Show what only some images need: a channel, linked planes."""
        layer, axes = self.image.value, ""
        if layer is not None:
            self._typed[layer.unique_id] = str(self.axes.value)
            with suppress(ValueError):
                axes = checked_axes(layer, str(self.axes.value))
        self.link.visible = "Z" in axes
        self.channel.visible = "C" in axes
        if "C" in axes:
            self.channel.choices = range(full_resolution(layer).shape[axes.index("C")])
            self._slider = shown_index(layer, self._viewer, axes.index("C"))
            self.channel.value = self._slider

    def _follow_channel(self, event: Any = None) -> None:
        """Choose the channel that the viewer's slider goes to; others may still be chosen."""
        layer, axes = self.image.value, str(self.axes.value).upper()
        if layer is None or self.channel.native.isHidden():
            return
        index = shown_index(layer, self._viewer, axes.index("C"))
        if index != self._slider:
            self._slider = self.channel.value = index

    def _images(self, _: Any = None) -> list[Image]:
        """Give the image layers; napari asks again when layers come and go."""
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def _model_choices(self, _: Any = None) -> list[tuple[str, str]]:
        """Give what is shown and what is meant: models, files chosen so far, choosing one."""
        names = [model.name for model in list_models()]
        files = [(Path(file).name, file) for file in self._files]
        return [*zip(names, names, strict=True), *files, (CHOOSE_FILE, CHOOSE_FILE)]

    def _choose_model(self, choice: str) -> None:
        """Ask for a model file where the user wants to choose one."""
        if choice != CHOOSE_FILE:
            self._chosen_model = choice
            return
        path, _ = QFileDialog.getOpenFileName(self.native, "Model", "", "Model (*.safetensors)")
        self._files = [*self._files, path] if path and path not in self._files else self._files
        self.model.reset_choices()
        self.model.value = path or self._chosen_model

    def _toggle(self) -> None:
        """Start a run, or cancel the one that goes on."""
        if self._worker is None:
            self.start()
        else:
            self.cancel()

    def start(self) -> None:
        """Start a run with what is chosen; say in one sentence why it cannot start."""
        if self._worker is not None:
            show_error("A run goes on in this dock; wait for it, or cancel it first.")
            return
        layer = self.image.value
        try:
            if layer is None:
                raise ValueError("There is no image to segment; open one or choose its layer.")
            request = self._request(layer)
        except ValueError as error:
            self._say(str(error))
            return
        self._begin()
        worker = create_worker(
            _background_run,
            request,
            _start_thread=False,
            _progress={"desc": "Segment nuclei"},
        )
        left = TimeLeft()
        worker.yielded.connect(lambda progress: self._show_progress(progress, left))
        worker.returned.connect(lambda outcome: self._end(layer, request, outcome))
        # A worker that was asked to quit too late ends with neither a result nor an abort.
        worker.finished.connect(lambda: self._end_without_result(worker))
        self._worker = worker
        worker.start()

    def cancel(self) -> None:
        """Ask the run to stop; it does so after the tile that it is at."""
        if self._worker is None:
            return
        self._worker.quit()
        if not self._has_left:
            self.status.value = "Cancelling …"
            self.button.enabled = False

    def _request(self, layer: Image) -> Request:
        """Put the user's choices together, checked as far as that takes no time."""
        pixels = full_resolution(layer)
        axes = checked_axes(layer, str(self.axes.value))
        choices = {
            "channel": int(self.channel.value) if "C" in axes else None,
            "diameter": float(self.diameter.value) or None,
            "link": str(self.link.value),
            "quality": str(self.quality.value),
            "anisotropy": plane_distance(layer, axes),
        }
        region = visible_region(layer, axes, self._viewer, str(self.region.value))
        model = str(self.model.value)
        path = Path(model) if model in self._files else model
        return Request(pixels, axes, region, path, str(self.device.value), choices)

    def _begin(self) -> None:
        """Show that a run goes on."""
        self.button.text = CANCEL
        self.bar.visible = True
        self.bar.value = 0

    def _show_progress(self, progress: Progress, left: "TimeLeft") -> None:
        """Move the bar; it is asked to at most four times a second."""
        if self._has_left or not self.button.enabled:
            return
        text = STEPS[progress.step].capitalize()
        if progress.step == "network":
            self.bar.value = int(100 * progress.done / progress.total)
            text = ", ".join(filter(None, (text, left.text(progress.done / progress.total))))
        self.status.value = text + " …"

    def _end(self, layer: Image, request: Request, outcome: Finished | Failed) -> None:
        """Show the result, or say what went wrong; a layer that is gone gets no result."""
        if self._has_left:
            return
        self._rest("")
        if isinstance(outcome, Failed):
            self._say(outcome.sentence)
        elif layer not in self._viewer.layers:
            self._say(f"The image {layer.name!r} was removed; its result was not added.")
        else:
            add_result(self._viewer, layer, request.axes, outcome)
            self.status.value = _summary(outcome, layer)
            if not request.choices["diameter"] and layer is self.image.value:
                self.diameter.native.setSpecialValueText(f"auto: {outcome.diameter:.0f} px")

    def _end_without_result(self, worker: GeneratorWorker) -> None:
        """Say that a run was cancelled, if its result has not come first."""
        if self._worker is worker and not self._has_left:
            self._rest("Cancelled, nothing was changed.")

    def _rest(self, text: str) -> None:
        """Show that no run goes on."""
        self._worker = None
        self.button.text = START
        self.button.enabled = True
        self.bar.visible = False
        self.status.value = text

    def _say(self, sentence: str) -> None:
        """Tell the user what is wrong, in the dock and in napari's notification area."""
        self.status.value = sentence
        show_error(sentence)


def _background_run(request: Request) -> Any:
    """Run in napari's worker thread; a function of its own, since napari shows its name."""
    return (yield from seldom(run(request)))


def _guessed_axes(layer: Image) -> str:
    """Return the most likely axes, nothing where there are too many to guess."""
    try:
        return layer_axes(layer)
    except ValueError:
        return ""


def _summary(outcome: Finished, layer: Image) -> str:
    """Return what a run found, on which device and how fast."""
    count = "1 nucleus" if outcome.n_nuclei == 1 else f"{outcome.n_nuclei} nuclei"
    size = _diameter_text(outcome.diameter, layer)
    return f"{count} in {outcome.seconds:.1f} s on {outcome.facts['device']}, diameter {size}"


def _diameter_text(diameter: float, layer: Image) -> str:
    """Return a diameter in pixels, and in the layer's unit where it has one."""
    size, unit = pixel_size(layer)
    text = f"{diameter:.0f} px"
    return text if unit == "pixel" else f"{text} ({diameter * size:.3g} {unit})"


def segment_active_layer(viewer: "napari.viewer.Viewer") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Open the dock and segment the active image layer: a command for the palette."""
    if not isinstance(viewer.layers.selection.active, Image):
        show_error("Expected an active image layer; click one in the layer list.")
        return
    _, dock = viewer.window.add_plugin_dock_widget("napari-unet-nuclei", "Segment nuclei")
    dock.start()
