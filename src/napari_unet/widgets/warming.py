"""What the first click needs, loaded while the user still looks at the dock."""

import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
from qtpy.QtCore import QTimer

from napari_unet.widgets.running import load

MILLISECONDS_OF_REST = 200  # for the window to draw the dock, which Python's lock would hold up
SIDE = 64  # px of the tile that the network sees


def warm_up(model: str | Path, device: str, precision: str) -> None:
    """Load torch and a model in a thread soon, if torch is not there yet.

    A click meanwhile waits for what is left of it. Nothing is said of what fails: the click does.
    Warnings are told as those of a click are, for to silence them in one thread silences all.
    """
    if "torch" not in sys.modules:
        QTimer.singleShot(MILLISECONDS_OF_REST, partial(_start, model, device, precision))


def _start(model: str | Path, device: str, precision: str) -> None:
    """Begin; no worker of napari's does it: one that outlives the window would fail aloud."""
    Thread(target=_load_and_run, args=(model, device, precision)).start()


def _load_and_run(model: str | Path, device: str, precision: str) -> None:
    """Let a model see a tile, for its libraries begin slowly; in a thread."""
    with suppress(Exception):
        load(model, device, precision).predict(np.zeros((3, SIDE, SIDE), np.float32))
