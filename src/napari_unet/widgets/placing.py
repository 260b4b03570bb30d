"""The labels of a run put into the viewer, and what is said of them."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.qt.threading import create_worker

from napari_unet.widgets.corrections import Edited, edited
from napari_unet.widgets.layers import pixel_size
from napari_unet.widgets.results import Drawn, add_result, draw, result_to_update, update_result
from napari_unet.widgets.running import Failed, Finished


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
    """

    def __init__(
        self,
        viewer: Any,
        image: Image,
        outcome: Finished,
        cancelled: threading.Event,
        done: Callable[[Drawn | Failed | None], None],
    ) -> None:
        self._viewer = viewer
        self._image = image
        self._outcome = outcome
        self._cancelled = cancelled
        self._done = done
        self._worker: Any = None

    def start(self) -> None:
        """Put them there; where an earlier result is, after a moment in a thread."""
        if self._image not in self._viewer.layers:
            # A layer that is gone gets no result.
            name = self._image.name
            self._done(Failed(f"The image {name!r} was removed; its result was not added."))
            return
        layer = result_to_update(self._viewer.layers, self._image, self._outcome)
        if layer is None:
            self._add()
            return
        earlier = edited(layer, copied=True)
        self._worker = create_worker(_redraw, self._outcome, earlier, _start_thread=False)
        self._worker.returned.connect(partial(self._update, layer, earlier))
        self._worker.finished.connect(partial(self._end, self._worker))
        self._worker.start()

    def _update(self, layer: Labels, earlier: Edited, drawn: Drawn | Failed | None) -> None:
        """Show what was drawn around the corrections, unless these are others by now."""
        self._worker = None
        if self._cancelled.is_set() or isinstance(drawn, Failed):
            self._done(None if self._cancelled.is_set() else drawn)
        elif drawn is None:
            self._add()
        elif layer not in self._viewer.layers or not _is_same(earlier, edited(layer)):
            self.start()
        else:
            update_result(layer, self._image, self._outcome, drawn)
            self._done(drawn)

    def _add(self) -> None:
        """Add a layer of its own."""
        drawn = draw(self._outcome)
        add_result(self._viewer, self._image, self._outcome, drawn)
        self._done(drawn)

    def _end(self, worker: Any) -> None:
        """Give up on a thread that ended without a result: napari has told why."""
        if self._worker is worker:
            self._done(None)


def summary(outcome: Finished, drawn: Drawn, image: Image) -> str:
    """Return what a run found, on which device and how fast, and what was kept."""
    count = _count(outcome.n_nuclei, "nucleus", "nuclei")
    kept = _count(drawn.n_kept, "corrected one", "corrected ones")
    left_out = _count(drawn.n_left_out, "removed one", "removed ones")
    parts = [
        f"{count} in {outcome.seconds:.1f} s on {outcome.facts['device']}",
        f"diameter {_diameter_text(outcome.diameter, image)}",
        f"{kept} kept" if drawn.n_kept else "",
        f"{left_out} left out" if drawn.n_left_out else "",
    ]
    return ", ".join(filter(None, parts))


def _count(n: int, one: str, several: str) -> str:
    return f"1 {one}" if n == 1 else f"{n} {several}"


def _diameter_text(diameter: float, image: Image) -> str:
    """Return a diameter in pixels, and in the layer's unit where it has one."""
    size, unit = pixel_size(image)
    text = f"{diameter:.0f} px"
    return text if unit == "pixel" else f"{text} ({diameter * size:.3g} {unit})"


def _redraw(outcome: Finished, earlier: Edited) -> Drawn | Failed | None:
    """Draw a run around what was corrected; None if the labels there are no corrections."""
    try:
        return draw(outcome, earlier)
    except ValueError:
        return None
    except MemoryError:
        return Failed("There is not enough memory to keep your corrections; nothing was changed.")


def _is_same(one: Edited, other: Edited) -> bool:
    """Tell whether nothing was painted or confirmed in between."""
    is_same_run = np.may_share_memory(one.prediction, other.prediction)
    same = is_same_run and one.confirmed == other.confirmed
    return same and np.array_equal(one.labels, other.labels)
