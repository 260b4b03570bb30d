"""One result, adjusted: the shown plane at once, then all the others; without the network."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray
from qtpy.compat import isalive
from qtpy.QtCore import QTimer

from napari_unet.nuclei.cleaning import distinct
from napari_unet.nuclei.confidence import confidence
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.relabel import Relabelling
from napari_unet.segmentation import finish
from napari_unet.widgets.adjusted_plane import (
    DrawnPlane,
    Known,
    Wanted,
    plane_of,
    ranges_of,
    settings_of,
)
from napari_unet.widgets.corrections import (
    CONFIRMED,
    PREDICTION,
    Place,
    draw_plane,
    edited,
    facts_of,
    labels_axes,
)
from napari_unet.widgets.lane import Lane
from napari_unet.widgets.layers import shown_plane
from napari_unet.widgets.placing import Changes, Placing
from napari_unet.widgets.results import Drawn
from napari_unet.widgets.running import Failed, until
from napari_unet.widgets.segmenting import Finished

MILLISECONDS_OF_REST = 400  # of the sliders, before all planes follow the shown one
ADVICE = "segment the image again"


@dataclass(frozen=True, eq=False)
class DrawnAll:
    """All labels of the run's region by some settings, how many nuclei, and how sure of each."""

    how: InstanceSettings
    labels: NDArray[np.int32]
    n_nuclei: int
    confidence: NDArray[np.float32]


class Adjusting:
    """Draws a result anew with other settings, from the maps that its run left.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows the result.
    image : Image
        What was segmented.
    layer : Labels
        The result.
    outcome : Finished
        The run, with its maps.
    tell : callable
        Told in one sentence how it goes.
    """

    def __init__(
        self,
        viewer: Any,
        image: Image,
        layer: Labels,
        outcome: Finished,
        tell: Callable[[str], None],
    ) -> None:
        if outcome.maps is None or outcome.own is None:
            raise ValueError("Expected a run with its maps, got one without; segment again.")
        self.maps, self.own, self.outcome = outcome.maps, outcome.own, outcome
        self.how = settings_of(outcome.facts).instances
        self._viewer, self._image, self.layer = viewer, image, layer
        self._tell = tell
        self._relabelling: Relabelling | None = None
        self._known: Known | None = None
        self._n_strokes = 0
        self._before: dict[str, tuple[Place, NDArray[np.integer], NDArray[np.int32]]] = {}
        self._changes = Changes(layer)
        self._planes = Lane(self._make_plane, self._show_plane, ADVICE, is_dropped=False)
        self._all = Lane(self._make_all, self._place_all, ADVICE, is_dropped=True)
        self._is_placing = False
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(MILLISECONDS_OF_REST)
        self._timer.timeout.connect(self._draw_all)

    @property
    def is_at_rest(self) -> bool:
        """Whether all planes are as the sliders want them."""
        busy = self._planes.is_busy or self._all.is_busy or self._is_placing
        return not (busy or self._timer.isActive())

    def adjust(self, how: InstanceSettings) -> None:
        """Draw the shown plane anew, then all others."""
        self.how = how
        self._timer.stop()
        self._all.cancel()
        if self.layer not in self._viewer.layers:
            return
        earlier = edited(self.layer)
        if earlier.labels.shape != self.outcome.shape:
            self._tell("Expected the labels of the run, got others; segment the image again.")
            return
        if self._changes.happened:
            self._changes.happened, self._known = False, None
            self._n_strokes += 1
            # A plane that is taken back would take back what was painted on it.
            self._before.clear()
        self._planes.ask(Wanted(how, self._shown_plane(), earlier, self._n_strokes))

    def stop(self) -> None:
        """Leave the result as it was before, if not all planes have followed yet."""
        self._planes.cancel()
        self._all.cancel()
        self._timer.stop()
        # What was painted on a plane since is not taken back with it.
        if self.layer in self._viewer.layers and not self._changes.happened:
            for place, labels, prediction in self._before.values():
                draw_plane(self.layer, place, labels, prediction)
        if self._before:
            self.how = settings_of(facts_of(self.layer)).instances
        self._before.clear()
        self._changes.happened = True

    def leave(self) -> None:
        """Stop, and hear no more of the layer."""
        # Of a program that ends without closing its window, Qt takes the timer first.
        if isalive(self._timer):
            self.stop()
            self._timer.timeout.disconnect(self._draw_all)
        self._changes.leave()

    def _shown_plane(self) -> tuple[int, ...] | None:
        """Return the frame and plane that the canvas shows, if it shows one of the maps."""
        plane = shown_plane(self.layer, labels_axes(self.outcome.facts["axes"]), self._viewer)
        if plane is None:
            return None
        ranges = ranges_of(self.outcome)[:-2]
        inside = all(at in part for at, part in zip(plane, ranges, strict=True))
        return plane if inside else None

    def _make_plane(self, wanted: Wanted, cancelled: threading.Event) -> DrawnPlane:
        """Make a plane; in a thread."""
        # By now: one that was asked for before may have found them.
        return plane_of(wanted, self.outcome, self._relabelling, self._known)

    def _show_plane(self, drawn: DrawnPlane | Failed, _: threading.Event) -> None:
        """Show a plane, unless the result was painted on meanwhile: then it is made again."""
        if isinstance(drawn, Failed):
            self._tell(drawn.sentence)
            return
        self._relabelling = drawn.known.relabelling
        if self._changes.happened or drawn.wanted.n_strokes != self._n_strokes:
            self.adjust(self.how)
            return
        self._known = drawn.known
        if drawn.place is not None and self.layer in self._viewer.layers:
            self._draw(drawn.place, drawn.labels, drawn.prediction)
        self._timer.start()

    def _draw(self, place: Place, labels: NDArray[np.int32], prediction: NDArray[np.int32]) -> None:
        """Show a plane in the layer, and note what was there before the first time."""
        shown, key = edited(self.layer), str(place)
        if key not in self._before:
            self._before[key] = place, shown.labels[place].copy(), shown.prediction[place].copy()
        draw_plane(self.layer, place, labels, prediction)
        self._changes.happened = False

    def _draw_all(self) -> None:
        """Let all planes follow."""
        self._tell("Adjusting all planes …")
        self._all.ask(self.how)

    def _make_all(self, how: InstanceSettings, cancelled: threading.Event) -> DrawnAll | None:
        """Make all labels; in a thread, after that of a plane."""
        if self._relabelling is None:
            return None
        labels = finish(until(cancelled, self._relabelling.everything(how)))
        if labels is None:
            return None
        n_nuclei = int(np.count_nonzero(distinct(labels)))
        return DrawnAll(how, labels, n_nuclei, confidence(self.maps, labels))

    def _place_all(self, drawn: DrawnAll | Failed | None, cancelled: threading.Event) -> None:
        """Put all labels into the result, around what is corrected."""
        if isinstance(drawn, Failed):
            self._tell(drawn.sentence)
        elif drawn is not None and self.layer in self._viewer.layers:
            self._is_placing = True
            outcome = replace(
                self.outcome,
                labels=drawn.labels,
                facts=self._facts(drawn.how),
                confidence=drawn.confidence,
            )
            Placing(
                self._viewer,
                self._image,
                outcome,
                cancelled,
                lambda shown: self._end(drawn, shown),
                into=self.layer,
            ).start()

    def _facts(self, how: InstanceSettings) -> dict[str, Any]:
        """Return what the result says of its run, with other settings."""
        facts = facts_of(self.layer)
        settings = {**facts["settings"], "instances": asdict(how)}
        kept = {name: fact for name, fact in facts.items() if name not in (PREDICTION, CONFIRMED)}
        return {**kept, "settings": settings}

    def _end(self, drawn: DrawnAll, shown: Drawn | Failed | None) -> None:
        """Say how many nuclei there are now."""
        self._is_placing = False
        if isinstance(shown, Failed):
            self._tell(shown.sentence)
        elif shown is not None:
            self._before.clear()
            self._changes.happened = True
            n = drawn.n_nuclei
            self._tell("1 nucleus" if n == 1 else f"{n} nuclei")
