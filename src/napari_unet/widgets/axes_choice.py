"""How the axes of the image in the dock "Segment nuclei" are read, and what follows from them."""

from contextlib import suppress
from typing import Any

from napari.layers import Image

from napari_unet.widgets.layers import checked_axes, full_resolution, layer_axes, shown_index
from napari_unet.widgets.segment_form import SegmentForm

MOST_IMAGES = 100  # whose axes are remembered; those of removed ones too, as they may come back


class AxesChoice:
    """Guesses the axes of the image of a form, and shows what only images with some axes need.

    Parameters
    ----------
    viewer : napari.Viewer
        Its slider along the channels chooses one.
    form : SegmentForm
        Holds the image, its axes and its channel.
    """

    def __init__(self, viewer: Any, form: SegmentForm) -> None:
        self._viewer = viewer
        self._form = form
        self._typed: dict[object, str] = {}
        self._slider = 0
        form.axes.changed.connect(self.show)
        viewer.dims.events.current_step.connect(self._follow_slider)

    def leave(self) -> None:
        """Let go of the viewer."""
        self._viewer.dims.events.current_step.disconnect(self._follow_slider)

    def begin(self) -> None:
        """Write what was typed for the image before, or else what its axes most likely are."""
        layer: Image | None = self._form.image.value
        self._form.axes.value = "" if layer is None else self._typed.get(layer.unique_id, "")
        if layer is not None and not self._form.axes.value:
            self._form.axes.value = _guessed_axes(layer)
        self.show()

    def show(self, _: Any = None) -> None:
        """Show what only some images need: a channel, linked planes."""
        form, layer, axes = self._form, self._form.image.value, ""
        if layer is not None:
            self._remember(layer)
            with suppress(ValueError):
                axes = checked_axes(layer, str(form.axes.value))
        # A plane has only one reading.
        form.axes.visible = layer is not None and layer.ndim > 2
        form.link.visible = form.views.visible = "Z" in axes
        form.channel.visible = "C" in axes
        if "C" in axes:
            form.n_channels = full_resolution(layer).shape[axes.index("C")]
            form.channel.reset_choices()
            self._slider = shown_index(layer, self._viewer, axes.index("C"))
            form.channel.value = self._slider

    def _remember(self, layer: Image) -> None:
        """Note what is typed for an image, and forget the oldest of too many."""
        self._typed.pop(layer.unique_id, None)
        self._typed[layer.unique_id] = str(self._form.axes.value)
        if len(self._typed) > MOST_IMAGES:
            self._typed.pop(next(iter(self._typed)))

    def _follow_slider(self, event: Any = None) -> None:
        """Choose the channel that the viewer's slider goes to; others may still be chosen."""
        form, layer = self._form, self._form.image.value
        if layer is None or form.channel.native.isHidden():
            return
        index = shown_index(layer, self._viewer, str(form.axes.value).upper().index("C"))
        if index != self._slider:
            self._slider = form.channel.value = index


def _guessed_axes(layer: Image) -> str:
    """Return the most likely axes, nothing where there are too many to guess."""
    try:
        return layer_axes(layer)
    except ValueError:
        return ""
