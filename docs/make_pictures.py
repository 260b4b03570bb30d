"""Make the pictures of the documentation from the real dock.

tools/display .venv/bin/python docs/make_pictures.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

PLUGIN = "napari-unet-nuclei"
FOLDER = Path(__file__).parent / "images"
WINDOW = (1280, 800)
LONGEST_RUN = 120_000  # ms
SETTLE = 1000  # ms, for the canvas to be drawn


def wait(condition: Callable[[], bool], what: str, longest: int = LONGEST_RUN) -> None:
    """Let Qt work until a condition holds."""
    for _ in range(longest // 50):
        QTest.qWait(50)
        if condition():
            return
    raise SystemExit(f"Waited too long for {what}.")


def segmented(sample: str) -> napari.Viewer:
    """Open a sample and click "Segment nuclei" in its dock."""
    viewer = napari.Viewer()
    viewer.window.resize(*WINDOW)
    viewer.open_sample(PLUGIN, sample)
    viewer.layers.selection.active = image_layer(viewer)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.button.native.click()
    wait(lambda: dock.button.text == "Segment nuclei", "Segment nuclei")
    return viewer


def measured(sample: str, x: str, y: str) -> napari.Viewer:
    """Measure what was segmented, and brush over a part of the plot."""
    viewer = segmented(sample)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Measure nuclei", tabify=True)
    dock.button.native.click()
    wait(lambda: dock.button.text == "Measure nuclei", "Measure nuclei")
    dock.native.parent().raise_()
    dock.x.value, dock.y.value = x, y
    QTest.qWait(SETTLE)
    canvas = dock.plot.native.findChild(FigureCanvasQTAgg)
    button, (width, height) = Qt.MouseButton.LeftButton, (canvas.width(), canvas.height())
    QTest.mousePress(canvas, button, pos=QPoint(width * 5 // 9, height // 9))
    QTest.mouseMove(canvas, QPoint(width * 17 // 18, height * 7 // 9))
    QTest.mouseRelease(canvas, button, pos=QPoint(width * 17 // 18, height * 7 // 9))
    return viewer


def image_layer(viewer: napari.Viewer) -> Any:
    return next(layer for layer in viewer.layers if isinstance(layer, napari.layers.Image))


def take(viewer: napari.Viewer, name: str) -> None:
    QTest.qWait(SETTLE)
    viewer.screenshot(str(FOLDER / name), canvas_only=False, flash=False)
    viewer.close()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    take(segmented("field"), "dock.png")
    take(measured("field", "area_um2", "intensity_corrected"), "measure.png")


if __name__ == "__main__":
    main()
