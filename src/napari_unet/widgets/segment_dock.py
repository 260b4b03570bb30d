"""The dock "Segment nuclei": choose, click, watch, cancel."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from napari.layers import Image, Labels
from napari.qt.threading import GeneratorWorker
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QFileDialog

from napari_unet.filling import PlaneFound
from napari_unet.network.library import BUILT_IN, list_models
from napari_unet.segmentation import Progress
from napari_unet.widgets.adjust_section import AdjustSection
from napari_unet.widgets.copy_menu import CopyMenu
from napari_unet.widgets.corrections import facts_of, is_result
from napari_unet.widgets.doubt_section import DoubtSection
from napari_unet.widgets.estimating import Estimating
from napari_unet.widgets.filling import Filling, first_plane
from napari_unet.widgets.layers import (
    checked_axes,
    full_resolution,
    layer_axes,
    plane_distance,
    shown_index,
    visible_region,
)
from napari_unet.widgets.measured_layer import likely_axes
from napari_unet.widgets.model_events import ModelList
from napari_unet.widgets.offer import Offer
from napari_unet.widgets.placing import Placing, summary
from napari_unet.widgets.preferences import preferences, use_folder
from napari_unet.widgets.results import Drawn, find_result, result_to_update
from napari_unet.widgets.running import Failed, Finished, Request, TimeLeft, run, seldom
from napari_unet.widgets.segment_form import REGIONS, SegmentForm
from napari_unet.widgets.tracks import show_tracks_of
from napari_unet.widgets.window import PLUGIN, open_dock
from napari_unet.widgets.workers import worker_for

CHOOSE_FILE = "choose a file …"
CANCELLED = "Cancelled, nothing was changed."


class SegmentDock(SegmentForm):
    """Segment the nuclei of an image layer into a Labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Shows the images and takes the result.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:  # type: ignore[name-defined]  # noqa: F821
        self._viewer = napari_viewer
        self._worker: GeneratorWorker | Placing | None = None
        self._request: Request | None = None
        self._filling: Filling | None = None
        self._gone = Event()
        self._files: list[str] = []
        self._chosen_model = BUILT_IN
        self._shown: Image | None = None
        self._typed: dict[object, str] = {}
        self._has_left = self._has_estimate = False
        self._slider = 0
        use_folder()
        super().__init__(self._images, self._model_choices, Offer(napari_viewer))
        self._adjusting = AdjustSection(napari_viewer, self.adjust)
        self._doubting = DoubtSection(napari_viewer, self.doubts)
        self._estimating = Estimating(self._plan, self._show_estimate)
        self._connect()
        self._follow_active()
        self._show_image()
        self._show_axes()

    def _connect(self) -> None:
        """Follow the viewer and the user until the dock is closed."""
        self.image.changed.connect(self._show_image)
        self.axes.changed.connect(self._show_axes)
        self.model.changed.connect(self._choose_model)
        self.button.clicked.connect(self._toggle)
        self.correct.clicked.connect(partial(self._open, "Fine-tune on corrections"))
        self.measure.clicked.connect(partial(self._open, "Measure nuclei"))
        self.tracks.clicked.connect(self._show_tracks)
        self._viewer.layers.events.inserted.connect(self._show_result)
        self._viewer.layers.events.removed.connect(self._show_result)
        self._viewer.layers.selection.events.active.connect(self._follow_active)
        self._viewer.dims.events.current_step.connect(self._follow_channel)
        for choice in self.costly:
            choice.changed.connect(self._estimating.look)
        self._models = ModelList(self.model, self.status)
        self._copies = CopyMenu(self.copy, self._result_and_image, self._tell_copied)
        self._leave_with_window()

    def _leave(self, _: Any = None) -> None:
        """Stop the run and let go of the viewer; the widgets may be gone already."""
        if self._has_left:
            return
        self._has_left = True
        self._gone.set()
        self._viewer.layers.events.inserted.disconnect(self._show_result)
        self._viewer.layers.events.removed.disconnect(self._show_result)
        self._viewer.layers.selection.events.active.disconnect(self._follow_active)
        self._viewer.dims.events.current_step.disconnect(self._follow_channel)
        self._models.leave()
        self.offer.leave()
        self._adjusting.leave()
        self._doubting.leave()
        self._estimating.leave()
        self.cancel()
        if self._filling is not None:
            self._filling.leave()

    def _follow_active(self, event: Any = None) -> None:
        """Choose the layer that is active in the viewer, if it is an image."""
        layer = self._viewer.layers.selection.active
        self.image.reset_choices()
        if isinstance(layer, Image):
            self.image.value = layer
        self._show_adjusting()

    def _show_image(self, _: Any = None) -> None:
        """Guess the axes of an image that was not chosen before."""
        layer = self.image.value
        if layer is None and self._shown in self._viewer.layers:
            # It was renamed: the choices go by name.
            self.image.value = layer = self._shown
        self.first_steps.visible = layer is None
        if self._worker is None:
            self.button.enabled = layer is not None
        if layer is self._shown:
            return
        self._shown = layer
        self.status.value = ""
        self.diameter.native.setSpecialValueText("auto")
        self.axes.value = "" if layer is None else self._typed.get(layer.unique_id, "")
        if layer is not None and not self.axes.value:
            self.axes.value = _guessed_axes(layer)
        self._show_axes()
        self._show_result()

    def _show_result(self, event: Any = None) -> None:
        """Offer to correct the result of the image, or to bring an earlier one back."""
        layer = self._shown if self._shown in self._viewer.layers else None
        result = None if layer is None else find_result(self._viewer.layers, layer)
        for button in (self.correct, self.measure, self.copy):
            button.visible = result is not None
        self.tracks.visible = result is not None and likely_axes(result).startswith("T")
        self._show_adjusting()
        self.offer.look(layer)

    def _result_and_image(self) -> tuple[Labels, Image] | None:
        """Give the result of the image that is active or else the newest, and the image."""
        layer, active = self._shown, self._viewer.layers.selection.active
        if layer is None or layer not in self._viewer.layers:
            return None
        is_own = is_result(active) and facts_of(active)["image_id"] == str(layer.unique_id)
        result = active if is_own else find_result(self._viewer.layers, layer)
        return None if result is None else (result, layer)

    def _show_tracks(self) -> None:
        """Show the tracks of the result in a layer."""
        if (found := self._result_and_image()) is not None:
            show_tracks_of(self._viewer, found[0])

    def _tell_copied(self, sentence: str, is_failed: bool) -> None:
        """Say what is in the clipboard, or why nothing is."""
        if self._has_left:
            return
        if is_failed:
            self._say(sentence)
        else:
            self.status.value = sentence

    def _show_adjusting(self) -> None:
        """Adjust and look through the active result, or else the newest one of the image."""
        active, layers = self._viewer.layers.selection.active, self._viewer.layers
        shown = self._shown if self._shown in layers else None
        newest = None if shown is None else find_result(layers, shown)
        result = active if is_result(active) else newest
        self._adjusting.show(result)
        self._doubting.show(result)

    def _open(self, name: str, _: Any = None) -> None:
        """Open the dock that learns or the one that measures, on the result of the image."""
        if self._shown is None:
            return
        self._viewer.layers.selection.active = find_result(self._viewer.layers, self._shown)
        open_dock(self._viewer, name)

    def _show_axes(self, _: Any = None) -> None:
        """Show what only some images need: a channel, linked planes."""
        layer, axes = self.image.value, ""
        if layer is not None:
            self._typed[layer.unique_id] = str(self.axes.value)
            with suppress(ValueError):
                axes = checked_axes(layer, str(self.axes.value))
        # A plane has only one reading.
        self.axes.visible = layer is not None and layer.ndim > 2
        self.link.visible = self.views.visible = "Z" in axes
        self.channel.visible = "C" in axes
        if "C" in axes:
            self.n_channels = full_resolution(layer).shape[axes.index("C")]
            self.channel.reset_choices()
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
            request = self._new_request(layer)
        except ValueError as error:
            self._say(str(error))
            return
        self._request = request
        if request.first is not None:
            self._filling = Filling(self._viewer, layer, request.axes)
        self._has_estimate = False
        self._adjusting.stop()
        self.show_run()
        worker = worker_for(_background_run, request)
        worker.yielded.connect(partial(self._show_step, TimeLeft()))
        worker.returned.connect(partial(self._end, layer, request))
        # One that was cancelled too late for that ends with neither a result nor an error.
        # Not with the worker: a signal that holds it would keep it, and all that it holds.
        worker.finished.connect(partial(self._end_without_result, request))
        self._worker = worker
        worker.start()

    def cancel(self) -> None:
        """Ask the run to stop; it does so after the tile that it is at."""
        if self._worker is None or self._request is None:
            return
        self._request.cancelled.set()
        if not self._has_left:
            self.show_cancelling()

    def _new_request(self, layer: Image) -> Request:
        """Put the user's choices together, checked as far as that takes no time."""
        pixels = full_resolution(layer)
        axes = checked_axes(layer, str(self.axes.value))
        choices: dict[str, Any] = {
            "channel": int(self.channel.value) if "C" in axes else None,
            "diameter": float(self.diameter.value) or None,
            "link": str(self.link.value),
            "quality": str(self.quality.value),
            "views": str(self.views.value),
            "tile": preferences().tile,
            "anisotropy": plane_distance(layer, axes),
        }
        model = str(self.model.value)
        adjusted = self._adjusting.wanted(
            find_result(self._viewer.layers, layer), model, axes, choices
        )
        if adjusted is not None:
            choices["instances"] = adjusted
        region = visible_region(layer, axes, self._viewer, str(self.region.value))
        path = Path(model) if model in self._files else model
        whole = str(self.region.value) == REGIONS[0]
        first = first_plane(layer, axes, self._viewer) if whole else None
        how = str(self.device.value), preferences().precision
        return Request(pixels, axes, region, path, *how, choices, first)

    def _plan(self) -> tuple[Request, float | None] | None:
        """Give what would be run now, and the diameter that an earlier run found."""
        layer = self.image.value
        if layer is None or self._worker is not None or self._has_left:
            return None
        try:
            request = self._new_request(layer)
        except ValueError:
            # Starting it says what is wrong.
            return None
        result = find_result(self._viewer.layers, layer)
        return request, None if result is None else facts_of(result)["settings"]["diameter"]

    def _show_estimate(self, text: str) -> None:
        """Say what a run would take, unless one goes on; nothing more where that is little."""
        if self._has_left or self._worker is not None:
            return
        if text or self._has_estimate:
            self.status.value = text
        self._has_estimate = bool(text)

    def _show_step(self, left: TimeLeft, progress: Progress) -> None:
        """Show how far the run is, and a plane that is finished."""
        if self._has_left:
            return
        filling = self._filling
        if filling is not None and isinstance(progress, PlaneFound):
            filling.show(progress)
        if self.button.enabled:
            self.show_progress(progress, left, filling.text if filling else "")

    def _end(self, image: Image, request: Request, outcome: Finished | Failed | None) -> None:
        """Show the result, or say what went wrong; a cancelled run has none but finished planes."""
        # Whoever cancels a run that shows its planes keeps what it has by now.
        cancelled = request.cancelled if request.first is None else self._gone
        if outcome is None or self._has_left or cancelled.is_set():
            return
        if isinstance(outcome, Failed):
            self._fail(outcome)
        else:
            shown = partial(self._show_outcome, image, request, outcome)
            placing = Placing(self._viewer, image, outcome, cancelled, shown)
            self._worker = placing
            placing.start()

    def _fail(self, failed: Failed) -> None:
        """Say why there is no result; planes that are shown stay."""
        filling, name = self._filling, "" if self._filling is None else self._filling.leave()
        self._filling = None
        self._rest("")
        more = "" if filling is None or not name else f" {filling.kept_text(name)}"
        self._say(failed.sentence + more)

    def _show_outcome(
        self, image: Image, request: Request, outcome: Finished, drawn: Drawn | Failed | None
    ) -> None:
        """Say what a run brought, or why it brought nothing."""
        if self._has_left:
            return
        if isinstance(drawn, Failed):
            self._fail(drawn)
            return
        if drawn is not None:
            layer = result_to_update(self._viewer.layers, image, outcome)
            self._adjusting.keep(layer, image, outcome)
        self._rest(CANCELLED if drawn is None else summary(outcome, drawn, image))
        if drawn is not None and not request.choices["diameter"] and image is self.image.value:
            self.diameter.native.setSpecialValueText(f"auto: {outcome.diameter:.0f} px")

    def _end_without_result(self, request: Request) -> None:
        """Say that a run was cancelled, if its result has not come first."""
        is_placed = isinstance(self._worker, Placing)
        if self._request is request and not is_placed and not self._has_left:
            self._rest(CANCELLED)

    def _rest(self, text: str) -> None:
        """Show that no run goes on."""
        if self._filling is not None:
            self._filling.take_away()
        self._filling = None
        self._worker = self._request = None
        self._adjusting.go_on()
        self.show_inputs(text)


def _background_run(request: Request) -> Any:
    """Run in napari's worker thread; a function of its own, since napari shows its name.

    Not with a progress bar of napari's: while there is one, its animation draws the whole window
    anew 25 times a second, which took half of the processor from the network.
    """
    return (yield from seldom(run(request), matters=lambda step: isinstance(step, PlaneFound)))


def _guessed_axes(layer: Image) -> str:
    """Return the most likely axes, nothing where there are too many to guess."""
    try:
        return layer_axes(layer)
    except ValueError:
        return ""


def segment_active_layer(viewer: "napari.viewer.Viewer") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Open the dock and segment the active image layer: a command for the palette."""
    if not isinstance(viewer.layers.selection.active, Image):
        show_error("Expected an active image layer; click one in the layer list.")
        return
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.start()
