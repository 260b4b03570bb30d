"""The dock "Segment nuclei": choose, click, watch, cancel."""

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from napari.utils.notifications import show_error

from napari_unet.widgets.adjust_section import AdjustSection
from napari_unet.widgets.axes_choice import AxesChoice
from napari_unet.widgets.corrections import facts_of, is_result
from napari_unet.widgets.doubt_section import DoubtSection
from napari_unet.widgets.estimating import Estimating
from napari_unet.widgets.filling import first_plane
from napari_unet.widgets.form import choose_again
from napari_unet.widgets.layers import (
    checked_axes,
    full_resolution,
    plane_distance,
    visible_region,
)
from napari_unet.widgets.model_choice import ModelChoice
from napari_unet.widgets.model_events import ModelList
from napari_unet.widgets.next_steps import NextSteps
from napari_unet.widgets.offer import Offer
from napari_unet.widgets.preferences import preferences, use_folder
from napari_unet.widgets.results import find_result
from napari_unet.widgets.segment_form import REGIONS, SegmentForm
from napari_unet.widgets.segment_run import SegmentRun
from napari_unet.widgets.segmenting import Request
from napari_unet.widgets.warming import warm_up
from napari_unet.widgets.window import open_dock

if TYPE_CHECKING:
    import napari.viewer


class SegmentDock(SegmentForm):
    """Segment the nuclei of an image layer into a Labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Shows the images and takes the result.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = napari_viewer
        self._shown: Image | None = None
        self._has_left = self._has_estimate = False
        self.models = ModelChoice()
        use_folder()
        super().__init__(self._images, self.models.choices, Offer(napari_viewer))
        self._axes = AxesChoice(napari_viewer, self)
        self._adjusting = AdjustSection(napari_viewer, self.adjust)
        self._doubting = DoubtSection(napari_viewer, self.doubts)
        self._estimating = Estimating(self._plan, self._show_estimate)
        self.run = SegmentRun(napari_viewer, self, self._adjusting, self._say)
        self.next_steps = NextSteps(napari_viewer, self, self._image, self._tell_copied)
        self._connect()
        self._follow_active()
        self._show_image()
        self._axes.show()
        model = self.models.model(str(self.model.value))
        warm_up(model, str(self.device.value), preferences().precision)

    def _connect(self) -> None:
        """Follow the viewer and the user until the dock is closed."""
        self.image.changed.connect(self._show_image)
        self.model.changed.connect(partial(self.models.choose, self.model))
        self.button.clicked.connect(self._toggle)
        self._viewer.layers.events.inserted.connect(self._show_result)
        self._viewer.layers.events.removed.connect(self._show_result)
        self._viewer.layers.selection.events.active.connect(self._follow_active)
        for choice in self.costly:
            choice.changed.connect(self._estimating.look)
        self._models = ModelList(self.model, self.status)
        self._leave_with_window()

    def _leave(self, _: Any = None) -> None:
        """Stop the run and let go of the viewer; the widgets may be gone already."""
        if self._has_left:
            return
        self._has_left = True
        self._viewer.layers.events.inserted.disconnect(self._show_result)
        self._viewer.layers.events.removed.disconnect(self._show_result)
        self._viewer.layers.selection.events.active.disconnect(self._follow_active)
        self._axes.leave()
        self._models.leave()
        self.offer.leave()
        self._adjusting.leave()
        self._doubting.leave()
        self._estimating.leave()
        self.run.leave()

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
        if layer is None and choose_again(self.image, self._image()):
            layer = self._shown
        self.first_steps.visible = layer is None
        if self.run.worker is None:
            self.button.enabled = layer is not None
        if layer is self._shown:
            return
        self._shown = layer
        self.status.value = ""
        self.show_auto_diameter()
        self._axes.begin()
        self._show_result()

    def _image(self) -> Image | None:
        """Give the image that is shown, as long as it is in the viewer."""
        return self._shown if self._shown in self._viewer.layers else None

    def _show_result(self, event: Any = None) -> None:
        """Offer to correct the result of the image, or to bring an earlier one back."""
        self.next_steps.show()
        self._show_adjusting()
        self.offer.look(self._image())

    def _show_adjusting(self) -> None:
        """Adjust and look through the active result, or else the newest one of the image."""
        active = self._viewer.layers.selection.active
        result = active if is_result(active) else self.next_steps.newest()
        self._adjusting.show(result)
        self._doubting.show(result)

    def _tell_copied(self, sentence: str, is_failed: bool) -> None:
        """Say what is in the clipboard, or why nothing is."""
        if self._has_left:
            return
        if is_failed:
            self._say(sentence)
        else:
            self.status.value = sentence

    def _images(self, _: Any = None) -> list[Image]:
        """Give the image layers; napari asks again when layers come and go."""
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def _toggle(self) -> None:
        """Start a run, or cancel the one that goes on."""
        if self.run.worker is None:
            self.start()
        else:
            self.run.cancel()

    def start(self) -> None:
        """Start a run with what is chosen; say in one sentence why it cannot start."""
        if self.run.worker is not None:
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
        self._has_estimate = False
        self.run.start(layer, request)

    def cancel(self) -> None:
        """Ask the run to stop; it does so after the tile that it is at."""
        self.run.cancel()

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
        result = find_result(self._viewer.layers, layer)
        adjusted = self._adjusting.wanted(result, model, axes, choices)
        if adjusted is not None:
            choices["instances"] = adjusted
        region = visible_region(layer, axes, self._viewer, str(self.region.value))
        whole = str(self.region.value) == REGIONS[0]
        first = first_plane(layer, axes, self._viewer) if whole else None
        how = str(self.device.value), preferences().precision
        return Request(pixels, axes, region, self.models.model(model), *how, choices, first)

    def _plan(self) -> tuple[Request, float | None] | None:
        """Give what would be run now, and the diameter that an earlier run found."""
        layer = self.image.value
        if layer is None or self.run.worker is not None or self._has_left:
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
        if self._has_left or self.run.worker is not None:
            return
        if text or self._has_estimate:
            self.status.value = text
        self._has_estimate = bool(text)


def segment_active_layer(viewer: "napari.viewer.Viewer") -> None:
    """Open the dock and segment the active image layer: a command for the palette."""
    if not isinstance(viewer.layers.selection.active, Image):
        show_error("Expected an active image layer; click one in the layer list.")
        return
    open_dock(viewer, "Segment nuclei").start()
