"""The runs of the dock "Segment nuclei": started, watched, put into the viewer."""

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

from napari.layers import Image
from napari.qt.threading import GeneratorWorker

from napari_unet.filling import PlaneFound
from napari_unet.segmentation import Progress
from napari_unet.widgets.adjust_section import AdjustSection
from napari_unet.widgets.filling import Filling
from napari_unet.widgets.placing import Placing, summary
from napari_unet.widgets.results import Drawn, result_to_update
from napari_unet.widgets.running import Failed, TimeLeft, seldom
from napari_unet.widgets.segment_form import SegmentForm
from napari_unet.widgets.segmenting import Finished, Request, run
from napari_unet.widgets.workers import worker_for

CANCELLED = "Cancelled, nothing was changed."


class SegmentRun:
    """Runs what a dock asks for, one request at a time; shows how far it is, and what it brought.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the results.
    form : SegmentForm
        Shows how far a run is, and what came of it.
    adjusting : AdjustSection
        Rests while a run goes on, and keeps the maps of its result.
    say : callable
        Tells the user why a run failed, in one sentence.

    Attributes
    ----------
    worker : GeneratorWorker or Placing, optional
        What goes on; None where nothing does.
    request : Request, optional
        What it is about.
    filling : Filling, optional
        The layer that shows planes as they are finished, if the run shows them.
    """

    def __init__(
        self,
        viewer: Any,
        form: SegmentForm,
        adjusting: AdjustSection,
        say: Callable[[str], None],
    ) -> None:
        self._viewer = viewer
        self._form = form
        self._adjusting = adjusting
        self._say = say
        self._gone = Event()
        self.worker: GeneratorWorker | Placing | None = None
        self.request: Request | None = None
        self.filling: Filling | None = None

    def start(self, image: Image, request: Request) -> None:
        """Start a run of an image; none may go on."""
        self.request = request
        if request.first is not None:
            self.filling = Filling(self._viewer, image, request.axes)
        self._adjusting.stop()
        self._form.show_run()
        worker = worker_for(_background_run, request)
        worker.yielded.connect(partial(self._show_step, TimeLeft()))
        worker.returned.connect(partial(self._end, image, request))
        # One that was cancelled too late for that ends with neither a result nor an error.
        # Not with the worker: a signal that holds it would keep it, and all that it holds.
        worker.finished.connect(partial(self._end_without_result, request))
        self.worker = worker
        worker.start()

    def cancel(self) -> None:
        """Ask the run to stop; it does so after the tile that it is at."""
        if self.worker is None or self.request is None:
            return
        self.request.cancelled.set()
        if not self._gone.is_set():
            self._form.show_cancelling()

    def leave(self) -> None:
        """Stop the run for good, and leave to the user what it has shown; the form may be gone."""
        self._gone.set()
        self.cancel()
        if self.filling is not None:
            self.filling.leave()
        # Or it, whose signals end here, and the closed dock would keep each other.
        self.worker = None

    def _show_step(self, left: TimeLeft, progress: Progress) -> None:
        """Show how far the run is, and a plane that is finished."""
        if self._gone.is_set():
            return
        filling = self.filling
        if filling is not None and isinstance(progress, PlaneFound):
            filling.show(progress)
        if self._form.button.enabled:
            self._form.show_progress(progress, left, filling.text if filling else "")

    def _end(self, image: Image, request: Request, outcome: Finished | Failed | None) -> None:
        """Show the result, or say what went wrong; a cancelled run has none but finished planes."""
        # Whoever cancels a run that shows its planes keeps what it has by now.
        cancelled = request.cancelled if request.first is None else self._gone
        if outcome is None or self._gone.is_set() or cancelled.is_set():
            return
        if isinstance(outcome, Failed):
            self._fail(outcome)
        else:
            shown = partial(self._show_outcome, image, request, outcome)
            placing = Placing(self._viewer, image, outcome, cancelled, shown)
            self.worker = placing
            placing.start()

    def _fail(self, failed: Failed) -> None:
        """Say why there is no result; planes that are shown stay."""
        filling, name = self.filling, "" if self.filling is None else self.filling.leave()
        self.filling = None
        self._rest("")
        more = "" if filling is None or not name else f" {filling.kept_text(name)}"
        self._say(failed.sentence + more)

    def _show_outcome(
        self, image: Image, request: Request, outcome: Finished, drawn: Drawn | Failed | None
    ) -> None:
        """Say what a run brought, or why it brought nothing."""
        if self._gone.is_set():
            return
        if isinstance(drawn, Failed):
            self._fail(drawn)
            return
        if drawn is not None:
            layer = result_to_update(self._viewer.layers, image, outcome)
            self._adjusting.keep(layer, image, outcome)
        self._rest(CANCELLED if drawn is None else summary(outcome, drawn, image))
        is_shown = drawn is not None and image is self._form.image.value
        if is_shown and not request.choices["diameter"]:
            self._form.show_auto_diameter(outcome.diameter)

    def _end_without_result(self, request: Request) -> None:
        """Say that a run was cancelled, if its result has not come first."""
        is_placed = isinstance(self.worker, Placing)
        if self.request is request and not is_placed and not self._gone.is_set():
            self._rest(CANCELLED)

    def _rest(self, text: str) -> None:
        """Show that no run goes on."""
        if self.filling is not None:
            self.filling.take_away()
        self.filling = None
        self.worker = self.request = None
        self._adjusting.go_on()
        self._form.show_inputs(text)


def _background_run(request: Request) -> Any:
    """Run in napari's worker thread; a function of its own, since napari shows its name.

    Not with a progress bar of napari's: while there is one, its animation draws the whole window
    anew 25 times a second, which took half of the processor from the network.
    """
    return (yield from seldom(run(request), matters=lambda step: isinstance(step, PlaneFound)))
