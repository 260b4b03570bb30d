"""The dock "Measure nuclei": a table, a plot of it, and the nuclei that are picked there."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from napari.qt.threading import FunctionWorker, GeneratorWorker
from qtpy.QtWidgets import QFileDialog

from napari_unet.nuclei.measuring import Measured
from napari_unet.nuclei.summary import summarise
from napari_unet.nuclei.table_files import ENDINGS
from napari_unet.widgets.edits import Edits
from napari_unet.widgets.form import choose_again
from napari_unet.widgets.measure_form import EACH_PLANE, TOGETHER, MeasureForm
from napari_unet.widgets.measured_layer import (
    checked_axes,
    each_plane_likely,
    for_file,
    likely_axes,
    sources,
    task_of,
    write_features,
)
from napari_unet.widgets.measuring import MeasureRequest, background_measure, save
from napari_unet.widgets.picking import Picking
from napari_unet.widgets.running import Failed
from napari_unet.widgets.workers import worker_for

if TYPE_CHECKING:
    import napari.viewer

CANCELLED = "Cancelled, nothing was changed."
NO_LABELS = (
    "There are no labels to measure; segment an image with Segment nuclei, or open its labels."
)
OUTDATED = "The table is out of date: the labels were changed after they were measured."
FILTERS = "CSV (*.csv);;Parquet (*.parquet)"


class MeasureDock(MeasureForm):
    """Measure the nuclei of a labels layer into its features.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Shows the layers.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = napari_viewer
        self._worker: GeneratorWorker | FunctionWorker | None = None
        self._request: MeasureRequest | None = None
        self._shown: Labels | None = None
        self._unticked: list[str] = []
        self._has_left = False
        super().__init__(self._layers)
        self._edits = Edits(self._show_outdated)
        self._picking = Picking(napari_viewer, self)
        self._connect()
        self._follow_active()
        self._show_layer()

    def _connect(self) -> None:
        """Follow the viewer and the user until the dock is closed."""
        self.layer.changed.connect(self._show_layer)
        self.axes.changed.connect(self._show_images)
        self.button.clicked.connect(self._toggle)
        self.save.clicked.connect(self._save)
        layers = self._viewer.layers
        layers.events.inserted.connect(self._show_images)
        layers.events.removed.connect(self._show_images)
        layers.selection.events.active.connect(self._follow_active)
        self._leave_with_window()

    def _leave(self, _: Any = None) -> None:
        """Stop measuring and let go of the viewer; the widgets may be gone already."""
        if self._has_left:
            return
        self._has_left = True
        layers = self._viewer.layers
        layers.events.inserted.disconnect(self._show_images)
        layers.events.removed.disconnect(self._show_images)
        layers.selection.events.active.disconnect(self._follow_active)
        self._edits.leave()
        self._picking.leave()
        if self._request is not None:
            self._request.cancelled.set()

    def _layers(self, _: Any = None) -> list[Labels]:
        """Give the labels layers; napari asks again when layers come and go."""
        return [layer for layer in self._viewer.layers if isinstance(layer, Labels)]

    def _follow_active(self, event: Any = None) -> None:
        """Choose the layer that is active in the viewer if it has labels, else any that has."""
        layer = self._viewer.layers.selection.active
        self.layer.reset_choices()
        if isinstance(layer, Labels) and self._request is None:
            self.layer.value = layer
        elif self.layer.value is None:
            self.layer.value = next(reversed(self._layers()), None)

    def _show_layer(self, _: Any = None) -> None:
        """Show what can be chosen for a labels layer; what was measured of another one goes."""
        layer = self.layer.value
        if layer is None and choose_again(self.layer, self._shown):
            layer = self._shown
        # By value: each time one asks, napari wraps a layer anew.
        if layer is not None and layer == self._shown:
            return
        self._shown = layer
        self._forget()
        self.button.enabled = layer is not None or self._request is not None
        if self._request is None:
            self.status.value = NO_LABELS if layer is None else ""
        if layer is not None:
            self.axes.value = likely_axes(layer)
            self.planes.value = EACH_PLANE if each_plane_likely(layer) else TOGETHER
        self._show_images()

    def _forget(self) -> None:
        """Show nothing of what was measured; the features of the layer stay."""
        self._edits.leave()
        self._picking.leave()
        self.outdated.visible = self.results.visible = False

    def _show_images(self, _: Any = None) -> None:
        """List what has the shape of the labels; what was not ticked before is not now."""
        layer, axes = self._shown, ""
        if layer is not None:
            with suppress(ValueError):
                axes = checked_axes(layer, str(self.axes.value))
        self.axes.visible = layer is not None and layer.ndim > 2
        self.planes.visible = "Z" in axes
        listed, unticked = self.ticked(), self.ticked(are=False)
        kept = [name for name in self._unticked if name not in listed]
        self._unticked = list(dict.fromkeys([*kept, *unticked]))
        found = sources(self._viewer.layers, layer, axes) if layer is not None and axes else []
        self.show_images([source.name for source in found], self._unticked)

    def _toggle(self) -> None:
        """Measure, or cancel what is measured."""
        if self._request is None:
            self.start()
        else:
            self._request.cancelled.set()
            self.button.enabled = False

    def start(self) -> None:
        """Measure the nuclei of the chosen layer; say in one sentence why that cannot be."""
        layer = self.layer.value
        try:
            if layer is None:
                raise ValueError(NO_LABELS)
            request = self._new_request(layer)
        except ValueError as error:
            self._say(str(error))
            return
        self._request = request
        self._edits.watch(layer)
        self.show_run()
        worker = worker_for(background_measure, request)
        worker.yielded.connect(self._show_share)
        worker.returned.connect(partial(self._end, layer, request))
        # One that napari stops ends with neither a result nor an error.
        worker.finished.connect(partial(self._end_without_result, request))
        self._worker = worker
        worker.start()

    def _new_request(self, layer: Labels) -> MeasureRequest:
        """Put the user's choices together."""
        axes = checked_axes(layer, str(self.axes.value))
        # An image may have another name by now.
        self._show_images()
        ticked = self.ticked()
        chosen = [it for it in sources(self._viewer.layers, layer, axes) if it.name in ticked]
        each_plane = "Z" in axes and self.planes.value == EACH_PLANE
        return MeasureRequest(task_of(layer, axes, chosen, each_plane=each_plane), layer.name)

    def _show_share(self, share: float) -> None:
        """Move the bar; it is asked to at most four times a second."""
        if not self._has_left:
            self.bar.value = int(100 * share)

    def _end(
        self, layer: Labels, request: MeasureRequest, outcome: Measured | Failed | None
    ) -> None:
        """Write the table into the layer, or say why there is none."""
        if self._has_left or request is not self._request:
            return
        self._request = self._worker = None
        if outcome is None:
            self.show_rest(CANCELLED)
        elif isinstance(outcome, Failed):
            self.show_rest("")
            self._say(outcome.sentence)
        elif layer not in self._layers():
            self.show_rest("")
            self._say(f"{request.name!r} was removed while it was measured; add it and try again.")
        else:
            write_features(layer, outcome.table)
            self.show_rest(" ".join(filter(None, [f"{summarise(outcome).text}.", outcome.remark])))
            self._show_measured(layer, outcome)

    def _end_without_result(self, request: MeasureRequest) -> None:
        """Say that a run was stopped, if it has not ended otherwise."""
        if not self._has_left and request is self._request:
            self._request = self._worker = None
            self.show_rest(CANCELLED)

    def _show_measured(self, layer: Labels, measured: Measured) -> None:
        """Show what was measured, if that layer is still chosen."""
        if layer == self._shown:
            self._picking.show(layer, measured)
            self.results.visible = True

    def _show_outdated(self, is_edited: bool) -> None:
        """Say that the labels are not those that were measured any more."""
        self.outdated.value = OUTDATED
        self.outdated.visible = is_edited and self._shown is not None

    def _save(self) -> None:
        """Ask for a file, and write the features of the layer into it."""
        if self._shown is None or self._worker is not None:
            return
        # No ending is proposed: that of the kind chosen in the dialog is added.
        proposed = self._shown.name
        typed, chosen = QFileDialog.getSaveFileName(self.native, "Save table", proposed, FILTERS)
        if not typed:
            return
        # The dialog asks before a file is written over, but only for what was typed.
        path = Path(typed if Path(typed).suffix.lower() in ENDINGS else typed + _ending(chosen))
        if path != Path(typed) and path.exists():
            self._say(f"Expected a new file, got the existing {path.name}; type another name.")
            return
        worker = worker_for(save, for_file(self._shown.features), path)
        worker.returned.connect(self._end_saving)
        self._worker = worker
        self.button.enabled = self.save.enabled = False
        worker.start()

    def _end_saving(self, outcome: str | Failed) -> None:
        """Say what came of saving."""
        self._worker = None
        if self._has_left:
            return
        self.button.enabled = self.save.enabled = True
        if isinstance(outcome, Failed):
            self._say(outcome.sentence)
        else:
            self.status.value = outcome


def _ending(chosen: str) -> str:
    """Return the ending of the kind of file that is chosen in the dialog, the first if none is."""
    return next((ending for ending in ENDINGS if f"*{ending}" in chosen), ENDINGS[0])
