"""The labels of a run put into the viewer, and what is said of them."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from napari.layers import Image, Labels

from napari_unet.images.axes import label_shape
from napari_unet.images.roomy import copied
from napari_unet.widgets.corrections import Edited, edited
from napari_unet.widgets.counting import WATCHED
from napari_unet.widgets.layers import full_resolution, pixel_size
from napari_unet.widgets.own_columns import own_columns
from napari_unet.widgets.results import Drawn, add_result, draw, result_to_update, update_result
from napari_unet.widgets.running import Failed, one_sentence
from napari_unet.widgets.segmenting import Finished
from napari_unet.widgets.workers import worker_for

NONE_FOUND = "No nuclei found"
ADVICE = "try a lower Threshold in Adjust, another Diameter, or another Model"
MOST_TRIES = 3  # of drawing around corrections while they are painted on


class Placing:
    """Puts the labels of a run into the viewer: drawn around what was corrected, or as a layer.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the labels.
    image : Image
        What was segmented.
    outcome : Finished
        The run's result.
    cancelled : threading.Event
        Set to change nothing.
    done : callable
        Called once, with what is shown, with what went wrong, or with None if it was cancelled.
    into : Labels, optional
        The result to draw into; the newest one that fits if not given, or a new one.
    """

    def __init__(
        self,
        viewer: Any,
        image: Image,
        outcome: Finished,
        cancelled: threading.Event,
        done: Callable[[Drawn | Failed | None], None],
        into: Labels | None = None,
    ) -> None:
        self._viewer = viewer
        self._image = image
        self._outcome = outcome
        self._cancelled = cancelled
        self._done = done
        self._into = into
        self._n_tries = 0

    def start(self) -> None:
        """Put them there after a moment in a thread; around what is corrected in an earlier result.

        What is painted meanwhile makes it start over, a few times; then the labels wait for it.
        """
        if self._into is None and (change := self._change_of_image()):
            sentence = f"The image {self._image.name!r} was {change}; its result was not added."
            self._done(Failed(sentence))
            return
        layer = self._into or result_to_update(self._viewer.layers, self._image, self._outcome)
        if layer is None:
            self._draw(None, self._add)
        else:
            self._n_tries += 1
            changes = Changes(layer, are_kept_out=self._n_tries >= MOST_TRIES)
            show = partial(self._update, layer, changes)
            self._draw(edited(layer), show, finds_heirs=bool(own_columns(layer)))

    def _change_of_image(self) -> str:
        """Say what became of the image if the labels fit it no more."""
        if self._image not in self._viewer.layers:
            return "removed"
        shape = tuple(full_resolution(self._image).shape)
        axes = self._outcome.facts["axes"]
        fits = len(axes) == len(shape) and label_shape(axes, shape) == self._outcome.shape
        return "" if fits else "replaced by one of another shape"

    def _draw(
        self,
        earlier: Edited | None,
        show: Callable[[Drawn | Failed | None], None],
        *,
        finds_heirs: bool = False,
    ) -> None:
        """Draw in a thread."""
        worker = worker_for(_redraw, self._outcome, earlier, finds_heirs)
        worker.returned.connect(show)
        worker.start()

    def _update(self, layer: Labels, changes: "Changes", drawn: Drawn | Failed | None) -> None:
        """Show what was drawn around the corrections, unless these are others by now."""
        changes.leave()
        if self._cancelled.is_set() or isinstance(drawn, Failed):
            self._done(None if self._cancelled.is_set() else drawn)
        elif drawn is None:
            self._draw(None, self._add)
        elif layer not in self._viewer.layers or changes.happened:
            self.start()
        elif drawn.heirs is None and own_columns(layer):
            # They were written while it was drawn.
            self.start()
        else:
            update_result(layer, self._image, self._outcome, drawn)
            self._done(drawn)

    def _add(self, drawn: Drawn | Failed | None) -> None:
        """Add a layer of its own."""
        if self._cancelled.is_set() or not isinstance(drawn, Drawn):
            self._done(None if self._cancelled.is_set() else drawn)
        elif self._change_of_image():
            self.start()
        else:
            add_result(self._viewer, self._image, self._outcome, drawn)
            self._done(drawn)


class Changes:
    """Tells whether a result was painted on, or a part of it confirmed, since this was made.

    Parameters
    ----------
    layer : Labels
        The result.
    are_kept_out : bool
        Whether nobody can paint on it until `leave`.
    """

    def __init__(self, layer: Labels, *, are_kept_out: bool = False) -> None:
        self.happened = False
        self._layer, self._are_kept_out = layer, are_kept_out
        self._was_editable, self._mode = layer.editable, layer.mode
        if are_kept_out:
            layer.editable = False
        # A layer that cannot be edited has nothing to undo, which alone is heard of as a redraw.
        self._names = [name for name in WATCHED if not are_kept_out or name != "set_data"]
        for name in self._names:
            getattr(layer.events, name).connect(self._note)

    def leave(self) -> None:
        """Let the layer be painted on, and hear of it no more."""
        for name in self._names:
            getattr(self._layer.events, name).disconnect(self._note)
        if self._are_kept_out and self._layer.editable != self._was_editable:
            self._layer.editable, self._layer.mode = self._was_editable, self._mode

    def _note(self, event: Any = None) -> None:
        self.happened = True


def summary(outcome: Finished, drawn: Drawn, image: Image) -> str:
    """Return what a run found, on which device and how fast, and what was kept."""
    count = _count(outcome.n_nuclei, "nucleus", "nuclei") if outcome.n_nuclei else NONE_FOUND
    kept = _count(drawn.n_kept, "corrected one", "corrected ones")
    left_out = _count(drawn.n_left_out, "removed one", "removed ones")
    cut_short = ""
    if outcome.part:
        cut_short = f"Cancelled; {outcome.part}: "
    parts = [
        f"{cut_short}{count} in {outcome.seconds:.1f} s on {outcome.facts['device']}",
        f"diameter {_diameter_text(outcome.diameter, image)}",
        _distance_text(outcome.facts),
        f"{kept} kept" if drawn.n_kept else "",
        f"{left_out} left out" if drawn.n_left_out else "",
    ]
    told = ", ".join(filter(None, parts))
    return told if outcome.n_nuclei else f"{told}; {ADVICE}"


def _distance_text(facts: dict[str, Any]) -> str:
    """Return how far apart planes were taken to be, where that was estimated."""
    distance = facts["settings"]["anisotropy"]
    is_estimated = distance is not None and not facts["anisotropy_is_given"]
    return f"planes {distance:.2g} px apart" if is_estimated else ""


def _count(n: int, one: str, several: str) -> str:
    return f"1 {one}" if n == 1 else f"{n} {several}"


def _diameter_text(diameter: float, image: Image) -> str:
    """Return a diameter in pixels, and in the layer's unit where it has one."""
    size, unit = pixel_size(image)
    text = f"{diameter:.0f} px"
    return text if unit == "pixel" else f"{text} ({diameter * size:.3g} {unit})"


def _redraw(outcome: Finished, earlier: Edited | None, finds_heirs: bool) -> Drawn | Failed | None:
    """Draw a run around what was corrected; None if the labels there are no corrections.

    A stroke that comes while the labels are copied is one of the `Changes`.
    """
    try:
        if earlier is not None:
            earlier = replace(earlier, labels=copied(earlier.labels))
        return draw(outcome, earlier, finds_heirs=finds_heirs)
    except MemoryError:
        return Failed("There is not enough memory to draw the result; nothing was changed.")
    # Whatever it is: the dock must hear of it.
    except Exception as error:
        if isinstance(error, ValueError) and earlier is not None:
            return None
        advice = "nothing was changed, segment again or remove the earlier result first"
        return Failed(one_sentence(error, "The result could not be drawn", advice))
