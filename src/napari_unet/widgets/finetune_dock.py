"""The dock "Fine-tune on corrections": paint on a result, learn from it, keep what is better."""

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from napari.qt.threading import GeneratorWorker
from napari.utils.notifications import show_error, show_info, show_warning

from napari_unet.learning.cut_off import CutOff, Hold, forget
from napari_unet.network.keeping import free_name, keep
from napari_unet.network.library import list_models
from napari_unet.widgets.before_after import BeforeAfter
from napari_unet.widgets.corrections import labels_axes
from napari_unet.widgets.cut_off import UNDER_WAY
from napari_unet.widgets.finetune_choice import FinetuneChoice
from napari_unet.widgets.finetune_form import SEGMENT_AGAIN
from napari_unet.widgets.messages import PHASES, Glance, Learned, LearnRequest
from napari_unet.widgets.model_events import ModelList, model_chosen
from napari_unet.widgets.preview import Preview
from napari_unet.widgets.running import Failed, one_sentence, seldom
from napari_unet.widgets.strokes import Strokes
from napari_unet.widgets.tuning import learn
from napari_unet.widgets.window import open_dock
from napari_unet.widgets.workers import worker_for

CANCELLED = "Cancelled: there is no new model, and your corrections are still there."
SECONDS_BETWEEN_GLANCES = 1.0  # the time left is told in seconds
ADVICE = "Better discard it, and correct more."
NOTHING_LEARNED = "Nothing was corrected, so nothing was learned."
NOT_SAVED = (
    "Another window of napari learns from the same labels, so what is learned in this one is not "
    "saved on its way."
)


class FinetuneDock(FinetuneChoice):
    """Teach a model with what a user corrects on its result.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Shows the results.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:  # type: ignore[name-defined]  # noqa: F821
        self._worker: GeneratorWorker | None = None
        self._learned: Learned | None = None
        self._preview: Preview | None = None
        self._compared: BeforeAfter | None = None
        self._curve: Any = None
        self._hold: Hold | None = None
        self._kept = ""
        self._strokes = Strokes(self._withhold, self._hand_over)
        super().__init__(napari_viewer)
        self._models = ModelList(self.model, self.status)
        self.learn.clicked.connect(self.start)
        self.cut_off.go_on.clicked.connect(self._go_on)
        self.live.changed.connect(self._switch_live)
        self.redraw.changed.connect(self._switch_preview)
        self.stop.clicked.connect(self.stop_and_keep)
        self.cancel_button.clicked.connect(self.cancel)
        self.side.changed.connect(self._switch_side)
        self.keep.clicked.connect(self._keep)
        self.discard.clicked.connect(self._discard)
        self.segment.clicked.connect(self._open_segmenting)
        self._viewer.events.theme.connect(self._show_theme)
        self._leave_with_window()

    def _leave(self, _: Any = None) -> None:
        """Stop learning and let go of the viewer; the widgets may be gone already."""
        if self._has_left:
            return
        self._has_left = True
        self._viewer.layers.selection.events.active.disconnect(self._follow_active)
        self._viewer.events.theme.disconnect(self._show_theme)
        for event in (self._viewer.layers.events.inserted, self._viewer.layers.events.removed):
            event.disconnect(self._offer)
        self._counter.leave()
        self._models.leave()
        self.offer.leave()
        self.cut_off.leave()
        self.cancel()
        self._keep_undecided()
        self._forget()

    def _show_theme(self, event: Any = None) -> None:
        """Draw the plot in the colours of the viewer's theme."""
        if self._curve is not None:
            self._curve.show_theme(self._viewer.theme)

    def start(self) -> None:
        """Start to learn; say in one sentence why that cannot be."""
        self._start(live=False)

    def _go_on(self) -> None:
        """Go on with the run that was cut off."""
        run = self.cut_off.run
        if run is not None:
            with self.live.changed.blocked():
                self.live.value = run.live
            self._start(live=run.live, run=run)

    def _switch_live(self, on: bool) -> None:
        """Learn while the user paints, or judge what was learned that way."""
        if on:
            self._start(live=True)
        else:
            self.stop_and_keep()

    def _start(self, *, live: bool, run: CutOff | None = None) -> None:
        if self._request is not None:
            show_error("Something is learned in this dock already; keep, discard or cancel it.")
            return
        try:
            layer = self._chosen()
            request = self._held(self._new_request(layer, live=live), run)
        except ValueError as error:
            self._rest("")
            self._say(str(error))
            return
        self._request = request
        self._preview = Preview(self._viewer, layer, labels_axes(request.axes))
        self._tell_view()
        self._show_cut_off()
        self._offer()
        if live:
            self._strokes.watch(layer)
        self.show_learning(live=live)
        worker = worker_for(_background_learning, request)
        worker.yielded.connect(self._show_glance)
        worker.returned.connect(partial(self._end, request))
        worker.finished.connect(partial(self._end_without_result, request))
        self._worker = worker
        worker.start()

    def _held(self, request: LearnRequest, run: CutOff | None) -> LearnRequest:
        """Tell other windows that this run is under way, and go on with another one, if given.

        Raises
        ------
        ValueError
            If that is under way in another window by now.
        """
        if request.saved is None:
            return request
        hold = Hold(request.saved)
        if hold.take():
            self._hold = hold
        elif run is not None:
            raise ValueError(UNDER_WAY)
        else:
            show_info(NOT_SAVED)
            return replace(request, saved=None)
        if run is None:
            return request
        return replace(request, seconds=run.seconds or request.seconds, resumes=True)

    def _tell_view(self) -> None:
        """Tell the worker what the canvas shows now, if that is to be drawn."""
        if self._request is not None and self._preview is not None:
            is_wanted = self.redraw.value and not self._preview.was_removed
            self._request.view.place = self._preview.place() if is_wanted else None

    def _switch_preview(self, on: bool) -> None:
        """Show the view by what is learned, or no longer."""
        if self._preview is not None and self._learned is None:
            self._preview.clear()
            self._tell_view()

    def _show_count(self, text: str) -> None:
        """Show how much is corrected, and hand it on to a run that follows it."""
        super()._show_count(text)
        if not self._strokes.under_way:
            self._hand_over()

    def _withhold(self) -> None:
        """Take back what a run has not read yet: it would find the stroke half drawn in it."""
        if self._request is not None:
            self._request.strokes.clear()

    def _hand_over(self) -> None:
        """Give a run that follows the user what is painted now; it takes the newest when it can."""
        if self._request is not None and self._request.live and self._shown is not None:
            self._request.strokes.append(self._read(self._shown))

    def stop_and_keep(self) -> None:
        """End the learning early, with what is learned so far."""
        if self._request is not None and self._worker is not None:
            # What was painted in the last moments counts as well.
            self._hand_over()
            self._request.stop.set()
            self.stop.enabled = self.live.enabled = False
            self.status.value = "Ending with what is learned so far …"

    def cancel(self) -> None:
        """Ask the learning to stop without a result; it does so after the step that it is at."""
        if self._request is None or self._worker is None:
            return
        self._request.cancelled.set()
        if not self._has_left:
            self.status.value = "Cancelling …"
            self.stop.enabled = self.cancel_button.enabled = self.live.enabled = False

    def _show_glance(self, glance: Glance) -> None:
        """Move bar and curve, show the view; they are asked to once a second."""
        request = self._request
        if self._has_left or request is None or not self.cancel_button.enabled:
            return
        self._tell_view()
        if glance.phase == "learn":
            self._show_curve(request).add(glance.seconds, glance.loss, glance.mark)
            self.bar.value = min(100, int(100 * glance.seconds / request.seconds))
        if glance.sight is not None and self._preview is not None and self.redraw.value:
            self._preview.show(glance.sight)
        if glance.warning:
            show_warning(glance.warning)
        if self.stop.enabled:
            self.status.value = f"{PHASES[glance.phase]}{_time(request, glance)} …"

    def _show_curve(self, request: LearnRequest) -> Any:
        """Give the plot of this run."""
        from napari_unet.widgets.curve import Curve

        if self._curve is None:
            self._curve = Curve(self.plot.native, request.seconds, self._viewer.theme)
            self.show_plot(self._curve)
        return self._curve

    def _end(self, request: LearnRequest, outcome: Learned | Failed | None) -> None:
        """Show what was learned, or say what went wrong; a cancelled run has no outcome."""
        if outcome is None or self._has_left or request.cancelled.is_set():
            return
        if isinstance(outcome, Failed):
            self._rest("")
            self._say(outcome.sentence)
            return
        self._worker = None
        self._learned = outcome
        self._show_curve(request).draw()
        tuned = outcome.tuned
        doubt = f"{tuned.objection} {outcome.advice or ADVICE}" if tuned.objection else ""
        sentences = [tuned.comparison, doubt, outcome.note]
        name = free_name(Path(request.model).stem, [model.name for model in list_models()])
        self.show_outcome("\n".join(filter(None, sentences)), name, doubtful=bool(tuned.objection))
        if self._preview is not None:
            self._compared = BeforeAfter(self._preview, request, outcome)
        self._show_store()

    def _switch_side(self, side: str) -> None:
        """Show the view by the model before, or by the one after."""
        if self._compared is not None:
            self._compared.switch(side)

    def _end_without_result(self, request: LearnRequest) -> None:
        """Say that a run was cancelled, or had nothing to learn from."""
        if request is self._request and self._learned is None and not self._has_left:
            self._decided(CANCELLED if request.cancelled.is_set() else NOTHING_LEARNED)

    def _keep(self) -> None:
        """Save the new model, and choose it wherever models are listed."""
        if self._learned is None:
            return
        try:
            path = keep(self._learned.tuned.model, str(self.model_name.value))
        except (ValueError, OSError) as error:
            self._say(one_sentence(error, "The model could not be saved", "make room on the disk"))
            return
        # A long path has no spaces where its line could end.
        place = str(path.parent).replace(os.sep, f"{os.sep}\u200b")
        self._decided("")
        self.status.value = (
            f"{path.stem!r} is kept in {place}. Segment again with it: what you corrected stays, "
            "the rest is redrawn."
        )
        self._kept = path.stem
        self.segment.text, self.segment.visible = SEGMENT_AGAIN, True
        model_chosen(model=path.stem)

    def _open_segmenting(self) -> None:
        """Open the dock that segments, with the model that was just kept, if one was."""
        with suppress(ValueError):
            self._viewer.layers.selection.active = self._image_below()
        open_dock(self._viewer, "Segment nuclei")
        if self._kept:
            model_chosen(model=self._kept)

    def _keep_undecided(self) -> None:
        """Keep a better model that the user closed the dock on: a minute of learning is in it."""
        if self._learned is None:
            return
        if self._learned.tuned.objection:
            self._forget_saved()
            return
        try:
            path = keep(self._learned.tuned.model, str(self.model_name.value))
        except (ValueError, OSError) as error:
            show_error(one_sentence(error, "The new model could not be saved", "learn it again"))
            return
        self._forget_saved()
        show_info(f"The dock was closed before you decided; {path.stem!r} is kept.")
        model_chosen(model=path.stem)

    def _discard(self) -> None:
        """Forget the new model."""
        self._decided("The new model is discarded; your corrections are still there.")

    def _decided(self, text: str) -> None:
        """Show what came of a run that nobody wants to go on with."""
        self._forget_saved()
        self._rest(text)

    def _forget_saved(self) -> None:
        """Delete the file in which a run was saved; an older run in it is still offered."""
        request = self._request
        if request is not None and request.saved is not None and request.is_saved.is_set():
            forget(request.saved)

    def _rest(self, text: str) -> None:
        """Show that nothing is learned, and let go of all that was."""
        self._forget()
        self.show_inputs(text)
        self._kept = ""
        self._show_store()
        self._show_cut_off()
        self._offer()
        if self._shown is None:
            # It was removed meanwhile.
            self._show_layer()

    def _forget(self) -> None:
        """Let go of a run and its layer."""
        self._strokes.leave()
        compared, preview = self._compared, self._preview
        self._request = self._learned = self._preview = self._compared = None
        self._worker = self._curve = None
        if compared is not None:
            compared.leave()
        if preview is not None:
            preview.clear()
        if self._hold is not None:
            self._hold.let_go()
        self._hold = None


def _time(request: LearnRequest, glance: Glance) -> str:
    """Return how long a run goes on, or has gone on if it has no end; empty if it has not begun."""
    if glance.phase != "learn":
        return ""
    if request.live:
        return f" while you paint, {glance.seconds:.0f} s"
    return f", {max(0.0, request.seconds - glance.seconds):.0f} s left"


def _background_learning(request: LearnRequest) -> Any:
    """Run in napari's worker thread; a function of its own, since napari shows its name.

    Not with a progress bar of napari's: while there is one, its animation draws the whole window
    anew 25 times a second, which took half of the processor from the network.
    """
    is_rare = attrgetter("is_rare")
    return (yield from seldom(learn(request), matters=is_rare, every=SECONDS_BETWEEN_GLANCES))
