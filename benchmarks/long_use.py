"""Segments many times in one napari: what stays in memory, threads, callbacks, temporary files.

``tools/display python benchmarks/long_use.py 100 [--side 128]`` opens napari, docks "Segment
nuclei", and segments an image again and again; every other time its result is removed first.
Prints memory (resident), threads, callbacks connected to the viewer's events and temporary files
after the first ten runs and then after each fifty, and what is left when the dock was closed. Ends
with status 1 if memory has grown by more than 5 % since the first ten, or anything else grew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari
import psutil
from qtpy.QtWidgets import QApplication

from napari_unet.images.synthetic import nuclei_field

PLUGIN = "napari-unet-nuclei"
FIRST = 10
EACH = 50  # runs after which the state is printed
MOST_GROWTH = 0.05
LONGEST_RUN = 120.0  # s


def events_of(viewer: Any) -> Iterator[Any]:
    """Yield the emitters of a viewer that docks listen to."""
    for group in (viewer.layers.events, viewer.layers.selection.events, viewer.dims.events):
        yield from group.emitters.values()
    yield from viewer.scene.camera.events.emitters.values()


def state_of(viewer: Any) -> dict[str, float]:
    """Return what should stay the same from run to run."""
    QApplication.processEvents()
    return {
        "memory (MB)": psutil.Process().memory_info().rss / 1e6,
        "threads": threading.active_count(),
        "callbacks": sum(len(emitter.callbacks) for emitter in events_of(viewer)),
        "layers": len(viewer.layers),
        "temporary files": sum(1 for _ in Path(tempfile.gettempdir()).glob("napari-unet-*")),
    }


def segment_once(viewer: Any, dock: Any) -> None:
    """Click, and wait until the dock rests."""
    dock.button.native.click()
    end = time.monotonic() + LONGEST_RUN
    while dock._worker is not None:
        QApplication.processEvents()
        time.sleep(0.005)
        if time.monotonic() > end:
            raise TimeoutError(f"a run of more than {LONGEST_RUN:.0f} s: {dock.status.value}")


def run_many(viewer: Any, dock: Any, first: int, last: int) -> None:
    for number in range(first, last):
        if number % 2 == 0:
            for layer in list(viewer.layers)[1:]:
                viewer.layers.remove(layer)
        segment_once(viewer, dock)


def print_state(title: str, state: dict[str, float]) -> None:
    print(f"{title}: " + ", ".join(f"{value:.0f} {name}" for name, value in state.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n", type=int, help="how many runs, more than ten")
    parser.add_argument("--side", type=int, default=128, help="of the image, in pixels")
    options = parser.parse_args()
    image = nuclei_field((options.side, options.side), n=9, diameter=22, seed=1)[0]
    viewer = napari.Viewer()
    bare = state_of(viewer)
    widget, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.device.value = "cpu"
    dock.diameter.value = 22
    viewer.add_image(image, name="cells")
    run_many(viewer, dock, 0, FIRST)
    before = after = state_of(viewer)
    print_state(f"after {FIRST} runs", before)
    for first in range(FIRST, options.n, EACH):
        last = min(first + EACH, options.n)
        run_many(viewer, dock, first, last)
        after = state_of(viewer)
        print_state(f"after {last} runs", after)
    viewer.window.remove_dock_widget(widget)
    viewer.layers.clear()
    left = state_of(viewer)
    print_state("after the dock was closed", left)
    growth = after["memory (MB)"] / before["memory (MB)"] - 1
    print(
        f"memory grew by {growth:.1%}; callbacks left {left['callbacks'] - bare['callbacks']:.0f}"
    )
    names = ("threads", "callbacks", "layers", "temporary files")
    return int(growth > MOST_GROWTH or any(after[name] > before[name] for name in names))


if __name__ == "__main__":
    sys.exit(main())
