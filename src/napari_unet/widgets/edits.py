"""Whether labels are still those that something was made from."""

import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer

from napari_unet.widgets.counting import LARGEST_AT_ONCE, MILLISECONDS_BETWEEN_COUNTS

PAINTED = ("paint", "data")
MOVED = ("scale", "translate", "rotate", "shear", "affine", "units")
REDRAWN = "set_data"  # undo is heard of by this one alone, and much else that changes no label


class Edits:
    """Tells whether a layer was edited or moved since it is watched.

    Parameters
    ----------
    tell : callable
        Called with the answer whenever that changes.
    """

    def __init__(self, tell: Callable[[bool], None]) -> None:
        self._tell = tell
        self._layer: Labels | None = None
        self._hash: int | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(MILLISECONDS_BETWEEN_COUNTS)
        self._timer.timeout.connect(self._compare)

    def watch(self, layer: Labels) -> None:
        """Watch this layer from now on."""
        self.leave()
        self._layer = layer
        self._hash = _hash(layer)
        for name in (*PAINTED, *MOVED):
            getattr(layer.events, name).connect(self._note)
        getattr(layer.events, REDRAWN).connect(self._compare_soon)
        self._tell(False)

    def leave(self) -> None:
        """Watch no more."""
        # At napari's end Qt may have deleted the timer first.
        with suppress(RuntimeError):
            self._timer.stop()
        if self._layer is not None:
            for name in (*PAINTED, *MOVED):
                getattr(self._layer.events, name).disconnect(self._note)
            getattr(self._layer.events, REDRAWN).disconnect(self._compare_soon)
        self._layer = None

    def _note(self, event: Any = None) -> None:
        self._tell(True)

    def _compare_soon(self, event: Any = None) -> None:
        """Look at the labels when half a second has gone by, however much is redrawn."""
        if self._hash is not None and not self._timer.isActive():
            self._timer.start()

    def _compare(self) -> None:
        if self._layer is not None and _hash(self._layer) != self._hash:
            self._tell(True)


def _hash(layer: Labels) -> int | None:
    """Return what labels are known by again; None where looking at all would take long."""
    data = layer.data
    if not isinstance(data, np.ndarray) or data.size > LARGEST_AT_ONCE:
        return None
    return zlib.crc32(np.ascontiguousarray(data).data)
