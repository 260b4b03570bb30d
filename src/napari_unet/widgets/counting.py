"""The live count of corrections, at most twice a second."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer

from napari_unet.widgets.workers import worker_for

MILLISECONDS_BETWEEN_COUNTS = 500
LARGEST_AT_ONCE = 4_000_000  # px: counting them takes about as long as three frames of the screen
EVENTS = ("labels_update", "paint", "data", "set_data")  # undo is heard of by the last one alone
WATCHED = (*EVENTS, "metadata")  # what is called right changes the metadata alone


class Summary(Protocol):
    """Counts that can be told."""

    def summary(self) -> str:
        """Return them in words."""


class Countable(Protocol):
    """A dataclass of what is counted, with the labels that the user may paint on meanwhile."""

    @property
    def labels(self) -> np.ndarray[Any, Any]:
        """Labels as they are now."""

    def find(self) -> Summary:
        """Return the counts; a ValueError says in one sentence why there are none."""


class Counter:
    """Counts something on one layer, such as what is corrected, whenever that changes.

    Parameters
    ----------
    show : callable
        Called with the counts in words.
    read : callable
        Gives what is counted on a layer.
    events : tuple of str
        Names of the layer's events after which it is counted again.
    """

    def __init__(
        self,
        show: Callable[[str], None],
        read: Callable[[Labels], Countable],
        events: tuple[str, ...] = WATCHED,
    ) -> None:
        self._show = show
        self._read = read
        self._events = events
        self._layer: Labels | None = None
        self._counted: Labels | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(MILLISECONDS_BETWEEN_COUNTS)
        self._timer.timeout.connect(self.count)

    def watch(self, layer: Labels | None) -> None:
        """Count on this layer from now on, on none if it is None."""
        self.leave()
        self._layer = layer
        if layer is not None:
            for name in self._events:
                getattr(layer.events, name).connect(self._count_soon)
        self.count()

    def leave(self) -> None:
        """Count no more."""
        # At napari's end Qt may have deleted the timer first.
        with suppress(RuntimeError):
            self._timer.stop()
        if self._layer is not None:
            for name in self._events:
                getattr(self._layer.events, name).disconnect(self._count_soon)
        self._layer = None

    def count(self) -> None:
        """Count now; in a thread where that takes long."""
        if self._layer is None:
            self._show("")
        elif self._counted is not None:
            self._timer.start()
        else:
            try:
                self._count(self._layer)
            except ValueError as error:
                self._show(str(error))

    def _count(self, layer: Labels) -> None:
        if layer.data.size <= LARGEST_AT_ONCE:
            self._show(summary(self._read(layer)))
            return
        self._counted = layer
        worker = worker_for(_summary_of_copy, self._read(layer))
        worker.returned.connect(self._show_late)
        worker.finished.connect(self._rest)
        worker.start()

    def _count_soon(self, event: Any = None) -> None:
        """Count when half a second has gone by, however much is painted until then."""
        if not self._timer.isActive():
            self._timer.start()

    def _show_late(self, text: str) -> None:
        """Show what a thread counted, if that layer is still watched."""
        if self._counted is self._layer is not None:
            self._show(text)

    def _rest(self) -> None:
        """Be ready to count again, however a thread ended."""
        self._counted = None


def summary(counted: Countable) -> str:
    """Return the counts in words, or in one sentence why there are none."""
    try:
        return counted.find().summary()
    except ValueError as error:
        return str(error)


def _summary_of_copy(counted: Any) -> str:
    """Return the counts of labels that the user may paint on meanwhile."""
    return summary(replace(counted, labels=np.array(counted.labels)))
