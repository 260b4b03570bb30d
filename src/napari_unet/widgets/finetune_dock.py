"""The dock "Fine-tune on corrections": paint on a result, learn from it, keep what is better."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Labels
from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils.notifications import show_error

from napari_unet.network.keeping import free_name, keep
from napari_unet.network.library import list_models, models_folder
from napari_unet.widgets.corrections import (
    confirm_view,
    edited,
    facts_of,
    has_confirmed,
    image_of,
    is_result,
    take_back,
)
from napari_unet.widgets.counting import Counter
from napari_unet.widgets.finetune_form import FinetuneForm
from napari_unet.widgets.layers import full_resolution
from napari_unet.widgets.model_events import model_chosen
from napari_unet.widgets.running import Failed, one_sentence, seldom
from napari_unet.widgets.tuning import (
    PHASES,
    Glance,
    Learned,
    LearnRequest,
    comparison,
    learn,
    store_text,
)

NO_RESULT = (
    "There is no result to correct; segment an image with Segment nuclei first, then paint on the "
    "labels it makes."
)


class FinetuneDock(FinetuneForm):
    """Teach a model with what a user corrects on its result.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Shows the results.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:  # type: ignore[name-defined]  # noqa: F821
        self._viewer = napari_viewer
        self._worker: GeneratorWorker | None = None
        self._request: LearnRequest | None = None
        self._learned: Learned | None = None
        self._shown: Labels | None = None
        self._curve: Any = None
        self._has_left = False
        super().__init__(self._results)
        self._counter = Counter(self._show_count)
        self._connect()
        self._follow_active()
        self._show_layer()

    def _connect(self) -> None:
        """Follow the viewer and the user until the dock is closed."""
        self.layer.changed.connect(self._show_layer)
        self.confirm.clicked.connect(self._confirm)
        self.undo_confirm.clicked.connect(self._take_back)
        self.learn.clicked.connect(self.start)
        self.stop.clicked.connect(self.stop_and_keep)
        self.cancel_button.clicked.connect(self.cancel)
        self.keep.clicked.connect(self._keep)
        self.discard.clicked.connect(self._discard)
        self._viewer.layers.selection.events.active.connect(self._follow_active)
        self._viewer.events.theme.connect(self._show_theme)
        self.native.destroyed.connect(self._leave)
        self.native_parent_changed.connect(self._leave_without_parent)

    def _leave_without_parent(self, parent: Any) -> None:
        """Leave when napari closes the dock: it takes the widget out and keeps it."""
        if parent is None:
            self._leave()

    def _leave(self, _: Any = None) -> None:
        """Stop learning and let go of the viewer; the widgets may be gone already."""
        if self._has_left:
            return
        self._has_left = True
        self._viewer.layers.selection.events.active.disconnect(self._follow_active)
        self._viewer.events.theme.disconnect(self._show_theme)
        self._counter.leave()
        self.cancel()
        self._request = self._learned = None

    def _results(self, _: Any = None) -> list[Labels]:
        """Give the results that can be corrected; napari asks again as layers come and go."""
        return [layer for layer in self._viewer.layers if is_result(layer)]

    def _follow_active(self, event: Any = None) -> None:
        """Choose the layer that is active in the viewer, if it is a result."""
        layer = self._viewer.layers.selection.active
        self.layer.reset_choices()
        if is_result(layer):
            self.layer.value = layer

    def _show_layer(self, _: Any = None) -> None:
        """Count on the chosen result, or say that there is none."""
        layer = self.layer.value
        if layer is None and self._shown in self._results():
            # It was renamed: the choices go by name.
            self.layer.value = layer = self._shown
        # By value: each time one asks, napari wraps a layer anew.
        if layer is None or layer != self._shown:
            self._shown = layer
            self._counter.watch(layer)
            self._show_store()
        self.enable_inputs(layer is not None)
        if self._request is None:
            self.status.value = NO_RESULT if layer is None else ""

    def _show_count(self, text: str) -> None:
        """Show how much is corrected, and whether a view can be taken back."""
        self.counts.value = text
        self.undo_confirm.visible = self._shown is not None and has_confirmed(self._shown)

    def _show_store(self) -> None:
        """Show how much is remembered for the model that made the result."""
        is_known = self._shown is not None
        self.show_size(store_text(_data(), facts_of(self._shown)["line"]) if is_known else "")

    def _show_theme(self, event: Any = None) -> None:
        """Draw the plot in the colours of the viewer's theme."""
        if self._curve is not None:
            self._curve.show_theme(self._viewer.theme)

    def _confirm(self) -> None:
        """Take what the canvas shows for right."""
        try:
            confirm_view(self._chosen(), self._viewer)
        except ValueError as error:
            self._say(str(error))
            return
        self._counter.count()

    def _take_back(self) -> None:
        """Take the last view for unknown again."""
        take_back(self._chosen())
        self._counter.count()

    def _chosen(self) -> Labels:
        """Give the chosen result."""
        if self._shown is None:
            raise ValueError(NO_RESULT)
        return self._shown

    def start(self) -> None:
        """Start to learn; say in one sentence why that cannot be."""
        if self._request is not None:
            show_error("Something is learned in this dock already; keep, discard or cancel it.")
            return
        try:
            request = self._new_request(self._chosen())
        except ValueError as error:
            self._say(str(error))
            return
        self._request = request
        self.show_learning()
        worker = create_worker(
            _background_learning,
            request,
            _start_thread=False,
            _progress={"desc": "Learn from corrections"},
        )
        worker.yielded.connect(self._show_glance)
        worker.returned.connect(partial(self._end, request))
        worker.finished.connect(partial(self._end_without_result, request))
        self._worker = worker
        worker.start()

    def _new_request(self, layer: Labels) -> LearnRequest:
        """Put together what is learned from, as it is now."""
        image, facts = image_of(self._viewer.layers, layer), facts_of(layer)
        return LearnRequest(
            full_resolution(image),
            facts["axes"],
            facts["settings"]["channel"],
            edited(layer, copied=True),
            # An image that is opened and segmented again does not overwrite what was learned then.
            f"{image.source.path or image.name} {layer.unique_id}",
            facts["model_file"],
            facts["device_choice"],
            facts["line"],
            float(self.time.value),
            _data() if self.remember.value else None,
        )

    def stop_and_keep(self) -> None:
        """End the learning early, with what is learned so far."""
        if self._request is not None and self._worker is not None:
            self._request.stop.set()
            self.stop.enabled = False
            self.status.value = "Ending with what is learned so far …"

    def cancel(self) -> None:
        """Ask the learning to stop without a result; it does so after the step that it is at."""
        if self._request is None or self._worker is None:
            return
        self._request.cancelled.set()
        if not self._has_left:
            self.status.value = "Cancelling …"
            self.stop.enabled = self.cancel_button.enabled = False

    def _show_glance(self, glance: Glance) -> None:
        """Move bar and curve; they are asked to at most four times a second."""
        request = self._request
        if self._has_left or request is None or not self.cancel_button.enabled:
            return
        left = max(0.0, request.seconds - glance.seconds)
        if glance.phase == "learn":
            self._show_curve(request).add(glance.seconds, glance.loss, glance.mark)
            self.bar.value = min(100, int(100 * glance.seconds / request.seconds))
        if self.stop.enabled:
            text = f", {left:.0f} s left" if glance.phase == "learn" else ""
            self.status.value = f"{PHASES[glance.phase]}{text} …"

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
        sentences = [comparison(tuned.before, tuned.after), tuned.objection, outcome.note]
        name = free_name(Path(request.model).stem, [model.name for model in list_models()])
        self.show_outcome("\n".join(filter(None, sentences)), name, doubtful=bool(tuned.objection))
        self._show_store()

    def _end_without_result(self, request: LearnRequest) -> None:
        """Say that a run was cancelled, if it was."""
        if request is self._request and self._learned is None and not self._has_left:
            self._rest("Cancelled: there is no new model, and your corrections are still there.")

    def _keep(self) -> None:
        """Save the new model, and choose it wherever models are listed."""
        if self._learned is None or self._request is None:
            return
        try:
            path = keep(self._learned.tuned.model, str(self.model_name.value))
        except (ValueError, OSError) as error:
            self._say(one_sentence(error, "The model could not be saved", "make room on the disk"))
            return
        # A long path has no spaces where its line could end.
        place = str(path.parent).replace(os.sep, f"{os.sep}\u200b")
        self._rest(f"{path.stem!r} is kept in {place}; Segment nuclei lists it.")
        model_chosen(model=path.stem)

    def _discard(self) -> None:
        """Forget the new model."""
        self._rest("The new model is discarded; your corrections are still there.")

    def _rest(self, text: str) -> None:
        """Show that nothing is learned, and let go of all that was."""
        self._worker = self._request = self._learned = None
        self._curve = None
        self.show_inputs(text)
        self._show_store()

    def _say(self, sentence: str) -> None:
        """Tell the user what is wrong, in the dock and in napari's notification area."""
        self.status.value = sentence
        show_error(sentence)


def _data() -> Path:
    """Return the folder of all that the user's models go with."""
    return models_folder().parent


def _background_learning(request: LearnRequest) -> Any:
    """Run in napari's worker thread; a function of its own, since napari shows its name."""
    # Marks are few, and each is a point of the curve.
    return (yield from seldom(learn(request), matters=lambda glance: glance.mark is not None))
