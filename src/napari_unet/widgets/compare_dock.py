"""The dock "Compare with truth": two layers of labels, what agrees, and where it does not."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.qt.threading import GeneratorWorker
from napari.utils.notifications import show_error

from napari_unet.images.axes import guess_axes
from napari_unet.nuclei.comparison import Comparison, depth_axis, n_by_kind
from napari_unet.widgets.compare_form import FLAT, IN_VOLUME, CompareForm, count_text
from napari_unet.widgets.comparing import CompareRequest, run_comparison
from napari_unet.widgets.corrections import facts_of, is_result, labels_axes
from napari_unet.widgets.error_layer import go_to, new_error_layer
from napari_unet.widgets.layers import add_on_top, full_resolution
from napari_unet.widgets.running import Failed, seldom
from napari_unet.widgets.scribbles import PREVIEW
from napari_unet.widgets.workers import worker_for

if TYPE_CHECKING:
    import napari.viewer

CANCELLED = "Cancelled, nothing was compared."
STALE = "The labels were changed since; compare again."
CHANGES = ("labels_update", "paint", "data")


class CompareDock(CompareForm):
    """Compare labels with the truth, and go through what is wrong.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Shows the layers and takes one that colours nuclei by what is wrong with them.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = napari_viewer
        self._worker: GeneratorWorker | None = None
        self._request: CompareRequest | None = None
        self._pair: tuple[Labels, Labels] | None = None
        self._chosen: dict[str, Labels | None] = {}
        self._comparison: Comparison | None = None
        self._coloured: tuple[Labels, Labels] | None = None
        self._hidden: list[Labels] = []
        self._has_left = False
        super().__init__(self._layers)
        self._connect()
        self._suggest()

    def _connect(self) -> None:
        """Follow the user until the dock is closed."""
        self.found.changed.connect(partial(self._choose, "found"))
        self.truth.changed.connect(partial(self._choose, "truth"))
        self.button.clicked.connect(self._toggle)
        for box in self.kinds.values():
            box.changed.connect(self._show_list)
        self.table.gone_to.connect(self._go)
        self.previous.clicked.connect(partial(self.table.step, -1))
        self.next.clicked.connect(partial(self.table.step, 1))
        self._viewer.layers.events.inserted.connect(self._take_in)
        self._viewer.layers.events.removed.connect(self._show_again)
        self._leave_with_window()

    def _leave(self, _: Any = None) -> None:
        """Stop comparing and let go of the layers; the widgets may be gone already."""
        if self._has_left:
            return
        self._has_left = True
        self._viewer.layers.events.inserted.disconnect(self._take_in)
        self._viewer.layers.events.removed.disconnect(self._show_again)
        self._comparison = None
        self._forget()
        self.cancel()

    def _layers(self, _: Any = None) -> list[Labels]:
        """Give the labels that can be compared; napari asks again when layers come and go."""
        labels = [layer for layer in self._viewer.layers if isinstance(layer, Labels)]
        return [layer for layer in labels if PREVIEW not in layer.metadata]

    def _suggest(self) -> None:
        """Choose a result, and labels of its shape beside it."""
        layers = self._layers()
        active = self._viewer.layers.selection.active
        found = next((layer for layer in reversed(layers) if is_result(layer)), None)
        if found is None and active in layers:
            found = active
        self.found.value = found or next(reversed(layers), None)
        others = [layer for layer in layers if layer != self.found.value]
        self.truth.value = next(
            (layer for layer in others if _same_shape(layer, self.found.value)), None
        )
        self.enable_start()

    def _take_in(self, _: Any = None) -> None:
        """Suggest layers again where there were too few before."""
        self.found.reset_choices()
        self.truth.reset_choices()
        if self.found.value is None or self.truth.value is None:
            self._suggest()

    def _choose(self, side: str, layer: Labels | None) -> None:
        """Keep what was chosen when its layer is renamed; guess what one nucleus is."""
        before = self._chosen.get(side)
        if layer is None and before in self._layers():
            # The choices go by name.
            getattr(self, side).value = before
            return
        self._chosen[side] = layer
        self.enable_start()
        if side == "found":
            self.span.visible = layer is not None and _n_walked(layer) > 0
            if layer is not None and layer != before:
                self.span.value = _span_of(layer)

    def _toggle(self) -> None:
        """Start to compare, or cancel."""
        if self._worker is None:
            self.start()
        else:
            self.cancel()

    def start(self) -> None:
        """Compare what is chosen; say in one sentence why that cannot be."""
        if self._worker is not None:
            show_error("A comparison goes on in this dock; wait for it, or cancel it first.")
            return
        try:
            request = self._new_request()
        except ValueError as error:
            self._say(str(error))
            return
        self._forget()
        self._watch(self.found.value, self.truth.value)
        self._request = request
        self._comparison = None
        self.show_outcome(False)
        self.show_run()
        worker = worker_for(_background_run, request)
        worker.yielded.connect(self._show_step)
        worker.returned.connect(partial(self._end, request))
        # One that was cancelled too late for that ends with neither a result nor an error.
        worker.finished.connect(partial(self._end_without_result, request))
        self._worker = worker
        worker.start()

    def cancel(self) -> None:
        """Ask the comparison to stop; it does so after the part that it is at."""
        if self._request is None:
            return
        self._request.cancelled.set()
        if not self._has_left:
            self.status.value = "Cancelling …"

    def _new_request(self) -> CompareRequest:
        """Put the user's choices together, checked as far as that takes no time."""
        found, truth = self.found.value, self.truth.value
        if found is None or truth is None:
            raise ValueError("There are no two layers to compare; choose a result and its truth.")
        if found == truth:
            raise ValueError(
                f"Expected two layers, got {found.name!r} as result and as truth; choose another "
                "one."
            )
        ours, theirs = full_resolution(found), full_resolution(truth)
        if not _same_shape(found, truth):
            raise ValueError(
                f"Expected labels of one shape, got {tuple(ours.shape)} in {found.name!r} and "
                f"{tuple(theirs.shape)} in {truth.name!r}; choose labels of the same image."
            )
        depth = None if self.span.value == FLAT else _depth_of(found)
        return CompareRequest(ours, theirs, truth.name, depth, float(self.right_from.value))

    def _show_step(self, step: tuple[int, int]) -> None:
        """Show how far the comparison is."""
        if not self._has_left:
            self.bar.value = int(100 * step[0] / step[1])

    def _end(self, request: CompareRequest, outcome: Comparison | Failed | None) -> None:
        """Show what came of it, or say what went wrong; a cancelled one has no outcome."""
        if outcome is None or self._has_left or request.cancelled.is_set() or self._pair is None:
            return
        gone = [layer.name for layer in self._pair if layer not in self._viewer.layers]
        if isinstance(outcome, Failed):
            self._fail(outcome.sentence)
        elif gone:
            self._fail(f"The layer {gone[0]!r} was removed meanwhile; nothing was compared.")
        else:
            # They may have been painted on meanwhile.
            self._rest(STALE if self.status.value == STALE else count_text(outcome.scores))
            self._comparison = outcome
            self._colour(self._pair[0], outcome.image)
            self._hide(*self._pair)
            self.show_scores(outcome.scores, n_by_kind(outcome.findings))
            self.show_outcome(True)
            self._show_list()

    def _end_without_result(self, request: CompareRequest) -> None:
        """Say that it was cancelled, if its result has not come first."""
        if self._request is request and not self._has_left:
            self._forget()
            self._rest(CANCELLED)

    def _rest(self, text: str) -> None:
        """Show that nothing is compared now."""
        self._worker = self._request = None
        self.show_inputs(text)

    def _fail(self, sentence: str) -> None:
        self._forget()
        self._rest("")
        self._say(sentence)

    def _colour(self, found: Labels, image: Any) -> None:
        """Show the error image, in the layer of an earlier comparison of the same labels."""
        judged, layer = self._coloured or (None, None)
        is_there = judged == found and layer in self._viewer.layers
        if layer is not None and is_there and layer.data.shape == image.shape:
            layer.data = image
        else:
            layer = new_error_layer(found, image)
            self._coloured = found, layer
            add_on_top(self._viewer, layer)

    def _hide(self, *labels: Labels) -> None:
        """Hide what the error image covers: its colours would be mixed with those of the labels."""
        for layer in labels:
            if layer.visible:
                layer.visible = False
                self._hidden.append(layer)

    def _show_again(self, event: Any) -> None:
        """Show the labels that were hidden when the error image is removed."""
        if self._coloured is None or event.value != self._coloured[1]:
            return
        for layer in self._hidden:
            layer.visible = True
        self._hidden = []

    def _show_list(self, _: Any = None) -> None:
        """List what is of the chosen kinds."""
        if self._comparison is not None and self._pair is not None:
            findings, n_walked = self._comparison.findings, _n_walked(self._pair[0])
            self.table.show_findings(findings, self.chosen_kinds(), n_walked)
            self._show_position()

    def _show_position(self) -> None:
        n_lines, row = self.table.lines.rowCount(), self.table.currentIndex().row()
        self.position.value = f"{row + 1} of {n_lines}" if row >= 0 else f"{n_lines} listed"
        self.previous.enabled = self.next.enabled = n_lines > 0

    def _go(self) -> None:
        """Show the chosen line in the viewer."""
        self._show_position()
        finding = self.table.chosen
        if finding is None or self._pair is None:
            return
        found = self._pair[0]
        if found not in self._viewer.layers:
            self._say(f"The layer {found.name!r} was removed; compare another one.")
            return
        go_to(self._viewer, found, finding)

    def _watch(self, *pair: Labels) -> None:
        """Hear of what is painted on two layers from now on."""
        self._pair = pair[0], pair[1]
        for layer in pair:
            for name in CHANGES:
                getattr(layer.events, name).connect(self._note_change)

    def _forget(self) -> None:
        """Hear of the layers of the last comparison no more."""
        for layer in self._pair or ():
            for name in CHANGES:
                getattr(layer.events, name).disconnect(self._note_change)
        self._pair = None

    def _note_change(self, event: Any = None) -> None:
        """Say that the labels are not those any more that were compared."""
        self.status.value = STALE


def _background_run(request: CompareRequest) -> Any:
    """Run in napari's worker thread; a function of its own, since napari shows its name."""
    return (yield from seldom(run_comparison(request)))


def _same_shape(one: Labels, other: Labels) -> bool:
    """Tell whether labels have one shape, axes of one entry aside."""
    shapes = [[n for n in full_resolution(it).shape if n > 1] for it in (one, other)]
    return shapes[0] == shapes[1]


def _n_walked(layer: Labels) -> int:
    """Return how many axes longer than 1 there are before y and x."""
    return int(np.count_nonzero(np.array(full_resolution(layer).shape[:-2]) > 1))


def _span_of(layer: Labels) -> int:
    """Return how many axes a nucleus of a layer has, as far as the layer tells."""
    axes = _axes_of(layer)
    # Of one plane it is no volume, and the frames are none either.
    has_planes = "Z" in axes and full_resolution(layer).shape[axes.index("Z")] > 1
    is_flat = is_result(layer) and facts_of(layer)["settings"]["link"] == "none"
    return IN_VOLUME if has_planes and not is_flat else FLAT


def _axes_of(layer: Labels) -> str:
    """Return one letter for each axis of a layer, as far as it tells; empty where it does not."""
    if is_result(layer):
        return labels_axes(facts_of(layer)["axes"])
    try:
        return guess_axes(full_resolution(layer).shape, axis_labels=layer.axis_labels)
    except ValueError:
        return ""


def _depth_of(layer: Labels) -> int | None:
    """Return the axis along which nuclei of a layer have planes; None where they are flat.

    Raises
    ------
    ValueError
        If the layer has frames, and no planes.
    """
    axes, shape = _axes_of(layer), tuple(full_resolution(layer).shape)
    depth = depth_axis(axes, shape)
    if depth is None and _n_walked(layer):
        raise ValueError(
            f"Expected planes along Z for nuclei in 3-D, got the axes {axes} in {layer.name!r}; "
            "choose plane by plane."
        )
    return depth
