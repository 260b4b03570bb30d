"""The view before and after a fine-tune: two sets of outlines, and a switch between them."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari.qt.threading import FunctionWorker
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from napari_unet.widgets.corrections import Place
from napari_unet.widgets.messages import Compared, Learned, LearnRequest
from napari_unet.widgets.preview import Preview
from napari_unet.widgets.running import Failed, one_sentence
from napari_unet.widgets.tuning import compare
from napari_unet.widgets.workers import worker_for

if TYPE_CHECKING:
    from napari_unet.network.model import Model

MILLISECONDS_BETWEEN_LOOKS = 500
BEFORE, AFTER = "before", "after"


class BeforeAfter:
    """Shows the view by one of two models, and draws it anew when it was moved and rests.

    Parameters
    ----------
    preview : Preview
        Shows the outlines.
    request : LearnRequest
        What was learned.
    learned : Learned
        What came of it.
    """

    def __init__(self, preview: Preview, request: LearnRequest, learned: Learned) -> None:
        self._preview = preview
        self._request = request
        self._learned = learned
        self._side = AFTER
        self._view = learned.view
        self._seen = self._drawn = request.view.place
        self._worker: FunctionWorker[Compared | Failed | None] | None = None
        self._timer = QTimer()
        self._timer.setInterval(MILLISECONDS_BETWEEN_LOOKS)
        self._timer.timeout.connect(self._look)
        self._timer.start()
        self._show()

    def switch(self, side: str) -> None:
        """Show "before" or "after"; a layer that was taken away comes back."""
        # napari sets all choices anew whenever layers come and go.
        if side != self._side:
            self._side = side
            if self._preview.was_removed:
                self._preview.clear()
            self._show()

    def leave(self) -> None:
        """Show nothing more."""
        # At napari's end Qt may have deleted the timer first.
        with suppress(RuntimeError):
            self._timer.stop()
        self._preview.clear()
        self._worker = None

    def _show(self) -> None:
        if self._view is not None:
            self._preview.show(getattr(self._view, self._side))

    def _look(self) -> None:
        """Draw a view anew that was the same at two looks."""
        place = self._preview.place()
        rests, self._seen = place == self._seen, place
        if place is None or not rests or place == self._drawn or self._worker is not None:
            return
        if not self._preview.was_removed:
            self._draw(place)

    def _draw(self, place: Place) -> None:
        self._drawn = place
        models = self._learned.parent, self._learned.tuned.model
        worker = worker_for(_compare, self._request, *models, place)
        worker.returned.connect(self._take)
        worker.finished.connect(self._rest)
        self._worker = worker
        worker.start()

    def _take(self, view: Any) -> None:
        """Show what a worker drew, unless it comes too late."""
        if self._worker is None:
            return
        if isinstance(view, Failed):
            show_error(view.sentence)
        else:
            self._view = view
            self._show()

    def _rest(self) -> None:
        self._worker = None


def _compare(
    request: LearnRequest, parent: "Model", tuned: "Model", place: Place
) -> Compared | Failed | None:
    """Return a place by two models; an error becomes a sentence, see `running`."""
    try:
        return compare(request, parent, tuned, place)
    # Whatever the image's own array or the network raises: the user must hear of it.
    except Exception as error:
        advice = "check that the image's file is still there"
        return Failed(one_sentence(error, "This view could not be compared", advice))
