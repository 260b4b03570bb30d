"""The buttons below a result in the dock "Segment nuclei": what comes next."""

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.layers import Image, Labels

from napari_unet.widgets.copy_menu import CopyMenu
from napari_unet.widgets.corrections import facts_of, is_result
from napari_unet.widgets.measured_layer import likely_axes
from napari_unet.widgets.results import find_result
from napari_unet.widgets.segment_form import SegmentForm
from napari_unet.widgets.tracks import show_tracks_of
from napari_unet.widgets.window import open_dock


class NextSteps:
    """Corrects, measures, tracks or tells of the result of an image.

    Parameters
    ----------
    viewer : napari.Viewer
        Holds the results.
    form : SegmentForm
        Has the buttons.
    image : callable
        Gives the image that the dock shows, None if there is none.
    told : callable
        Called with what came of copying, in one sentence, and whether it failed.

    Attributes
    ----------
    copies : CopyMenu
        What can be copied of how a result was made.
    """

    def __init__(
        self,
        viewer: Any,
        form: SegmentForm,
        image: Callable[[], Image | None],
        told: Callable[[str, bool], None],
    ) -> None:
        self._viewer = viewer
        self._form = form
        self._image = image
        form.correct.clicked.connect(partial(self._open, "Fine-tune on corrections"))
        form.measure.clicked.connect(partial(self._open, "Measure nuclei"))
        form.tracks.clicked.connect(self._show_tracks)
        self.copies = CopyMenu(form.copy, self._result_and_image, told)

    def newest(self) -> Labels | None:
        """Return the newest result of the image."""
        layer = self._image()
        return None if layer is None else find_result(self._viewer.layers, layer)

    def show(self) -> None:
        """Show the buttons if there is a result."""
        result = self.newest()
        for button in (self._form.correct, self._form.measure, self._form.copy):
            button.visible = result is not None
        is_movie = result is not None and likely_axes(result).startswith("T")
        self._form.tracks.visible = is_movie

    def _result_and_image(self) -> tuple[Labels, Image] | None:
        """Give the result of the image that is active or else the newest, and the image."""
        layer, active = self._image(), self._viewer.layers.selection.active
        if layer is None:
            return None
        is_own = is_result(active) and facts_of(active)["image_id"] == str(layer.unique_id)
        result = active if is_own else self.newest()
        return None if result is None else (result, layer)

    def _show_tracks(self) -> None:
        """Show the tracks of the result in a layer."""
        if (found := self._result_and_image()) is not None:
            show_tracks_of(self._viewer, found[0])

    def _open(self, name: str, _: Any = None) -> None:
        """Open the dock that learns or the one that measures, on the result of the image."""
        if self._image() is None:
            return
        self._viewer.layers.selection.active = self.newest()
        open_dock(self._viewer, name)
