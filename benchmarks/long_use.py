"""Segments many times in one napari: what stays in memory, threads, callbacks, temporary files.

``tools/display python benchmarks/long_use.py 100 [--side 128] [--remove result|all|nothing]`` opens
napari, docks "Segment nuclei", and segments an image again and again; every other time its result
(or all layers, with the image added anew) is removed first. What napari itself keeps of layers that
are removed is measured before, without the dock, with the same layers. Prints memory
(resident), threads, callbacks connected to the viewer's events and temporary files after the first
ten runs and then after each fifty, and what is left when the dock was closed. Ends with status 1 if
memory has grown by more than 5 % since the first ten, beyond what napari itself keeps, or anything
else grew.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import psutil
from qtpy.QtCore import QEventLoop, QTimer

from napari_unet.images.synthetic import nuclei_field
from napari_unet.widgets.canvas import draw_in_own_context

PLUGIN = "napari-unet-nuclei"
FIRST = 10
EACH = 50  # runs after which the state is printed
ALONE = 40  # rounds without the dock, after the first ten
SHOWN = 0.1  # s that each of them is shown
TURN = 0.005  # s that Qt works before it is looked whether a run has ended
MOST_GROWTH = 0.05
LONGEST_RUN = 120.0  # s
MEMORY = "memory (MB)"


def events_of(viewer: Any) -> Iterator[Any]:
    """Yield the emitters of a viewer that docks listen to."""
    for group in (viewer.layers.events, viewer.layers.selection.events, viewer.dims.events):
        yield from group.emitters.values()
    yield from viewer.scene.camera.events.emitters.values()


def state_of(viewer: Any) -> dict[str, float]:
    """Return what should stay the same from run to run."""
    show(SHOWN)
    gc.collect()
    return {
        MEMORY: psutil.Process().memory_info().rss / 1e6,
        "threads": threading.active_count(),
        "callbacks": sum(len(emitter.callbacks) for emitter in events_of(viewer)),
        "layers": len(viewer.layers),
        "temporary files": sum(1 for _ in Path(tempfile.gettempdir()).glob("napari-unet-*")),
    }


def remove(viewer: Any, what: str, image: Any) -> None:
    """Remove the result or all layers; an image is there afterwards."""
    if what == "result":
        for layer in list(viewer.layers)[1:]:
            viewer.layers.remove(layer)
    elif what == "all":
        viewer.layers.clear()
    if not len(viewer.layers):
        viewer.add_image(image, name="cells")


def show(seconds: float) -> None:
    """Let napari draw, in a loop of Qt's own as when a user works.

    Without one, as by `processEvents` alone, Qt deletes nothing of what napari wants to be deleted.
    """
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def kept_by_napari(viewer: Any, what: str, image: Any, labels: Any) -> float:
    """Return the memory (MB) that napari keeps of each round of adding layers and removing them."""
    before = 0.0
    # Without this napari alone comes down on some renderers, see docs/robustness.md.
    removing = viewer.layers.events.removing
    own = removing.connect(lambda event: draw_in_own_context(viewer.window._qt_window))
    for number in range(FIRST + ALONE):
        if number == FIRST:
            before = state_of(viewer)[MEMORY]
        remove(viewer, what, image)
        show(SHOWN)
        viewer.add_labels(labels.copy())
        show(SHOWN)
    removing.disconnect(own)
    return (state_of(viewer)[MEMORY] - before) / ALONE


def segment_once(viewer: Any, dock: Any) -> None:
    """Click, and wait until the dock rests."""
    dock.button.native.click()
    end = time.monotonic() + LONGEST_RUN
    while dock.run.worker is not None:
        show(TURN)
        if time.monotonic() > end:
            raise TimeoutError(f"a run of more than {LONGEST_RUN:.0f} s: {dock.status.value}")


def run_many(viewer: Any, dock: Any, what: str, image: Any, first: int, last: int) -> None:
    for number in range(first, last):
        if number % 2 == 0:
            remove(viewer, what, image)
            show(TURN)
        segment_once(viewer, dock)


def print_state(title: str, state: dict[str, float]) -> None:
    values = ", ".join(f"{value:.0f} {name}" for name, value in state.items())
    print(f"{title}: {values}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n", type=int, help="how many runs, more than ten")
    parser.add_argument("--side", type=int, default=128, help="of the image, in pixels")
    parser.add_argument("--remove", choices=("result", "all", "nothing"), default="result")
    options = parser.parse_args()
    what = options.remove
    image, labels = nuclei_field((options.side, options.side), n=9, diameter=22, seed=1)
    viewer = napari.Viewer()
    kept = 0.0 if what == "nothing" else kept_by_napari(viewer, what, image, np.asarray(labels))
    print(f"napari alone keeps {kept:.2f} MB of each round of layers that are removed")
    viewer.layers.clear()
    bare = state_of(viewer)
    widget, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.device.value = "cpu"
    dock.diameter.value = 22
    remove(viewer, what, image)
    run_many(viewer, dock, what, image, 0, FIRST)
    before = after = state_of(viewer)
    print_state(f"after {FIRST} runs", before)
    for first in range(FIRST, options.n, EACH):
        last = min(first + EACH, options.n)
        run_many(viewer, dock, what, image, first, last)
        after = state_of(viewer)
        print_state(f"after {last} runs", after)
    viewer.window.remove_dock_widget(widget)
    viewer.layers.clear()
    left = state_of(viewer)
    print_state("after the dock was closed", left)
    viewer.close()
    grown = after[MEMORY] - before[MEMORY]
    own = grown - kept * len(range(FIRST, options.n, 2))
    share = own / before[MEMORY]
    print(
        f"memory grew by {grown:.0f} MB ({grown / before[MEMORY]:.1%}), {own:.0f} MB ({share:.1%}) "
        f"beyond napari's own; callbacks left {left['callbacks'] - bare['callbacks']:.0f}"
    )
    names = ("threads", "callbacks", "layers", "temporary files")
    grew = any(after[name] > before[name] for name in names)
    return int(share > MOST_GROWTH or grew or left["callbacks"] > bare["callbacks"])


if __name__ == "__main__":
    sys.exit(main())
