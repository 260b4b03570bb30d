"""What users do while a run goes on: the run ends in a result or one sentence, the dock works on.

The image's blocks wait for a gate, so that what is done comes in the middle of the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_unet.widgets.segment_dock import SegmentDock
from napari_unet.widgets.segment_form import START

PIXELS = np.zeros((40, 50), np.uint8)
PIXELS[5:15, 5:15] = PIXELS[20:32, 30:42] = 200


class Gate:
    """An image that can be read up to a point, and from there on when the gate is opened."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def pixels(self) -> dask.array.Array:
        return dask.array.from_array(PIXELS, chunks=-1).map_blocks(self._block, dtype=np.uint8)

    def _block(self, block: np.ndarray) -> np.ndarray:
        if threading.current_thread() is threading.main_thread():
            return block  # which napari shows
        self.reached.set()
        assert self.open.wait(60)
        if self.error is not None:
            raise self.error
        return block


@pytest.fixture
def gate(unserved: None) -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def open_dock(open_segment: Callable[[Any], SegmentDock]) -> Callable[[Any], SegmentDock]:
    def open_in(viewer: Any) -> SegmentDock:
        dock = open_segment(viewer)
        dock.diameter.value = 20
        return dock

    return open_in


@pytest.fixture
def dock(viewer: Any, open_dock: Callable[[Any], SegmentDock]) -> SegmentDock:
    return open_dock(viewer)


def results(viewer: Any) -> list[Labels]:
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def rest(dock: SegmentDock, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)


def assert_works(viewer: Any, dock: SegmentDock, qtbot: Any) -> None:
    """Segment another image by a click."""
    assert dock.button.text == START
    before = results(viewer)
    viewer.add_image(PIXELS.copy(), name="afterwards")
    dock.button.native.click()
    rest(dock, qtbot)
    (layer,) = (layer for layer in results(viewer) if layer not in before)
    assert layer.name == "afterwards nuclei"
    assert layer.data.max() == 2


def rename(viewer: Any, image: Image) -> None:
    image.name = "renamed"


def replace_by_the_same_shape(viewer: Any, image: Image) -> None:
    image.data = np.zeros_like(PIXELS)


def move(viewer: Any, image: Image) -> None:
    image.translate = (7, 8)


def hide_and_reorder(viewer: Any, image: Image) -> None:
    image.visible = False
    viewer.add_image(np.zeros((3, 40, 50), np.uint8))
    viewer.layers.move(0, 2)


def show_in_3d(viewer: Any, image: Image) -> None:
    viewer.add_image(np.zeros((3, 40, 50), np.uint8))
    viewer.dims.ndisplay = 3


def add_points_and_select_them(viewer: Any, image: Image) -> None:
    viewer.layers.selection.active = viewer.add_points(np.zeros((1, 2)))


HARMLESS = [
    rename, replace_by_the_same_shape, move, hide_and_reorder, show_in_3d,
    add_points_and_select_them,
]  # fmt: skip


@pytest.mark.parametrize("act", HARMLESS, ids=lambda act: act.__name__)
def test_what_does_not_touch_the_run_leaves_its_result(
    viewer: Any, dock: SegmentDock, qtbot: Any, gate: Gate, notes: list[str], act: Any
) -> None:
    image = viewer.add_image(gate.pixels(), name="cells")
    dock.start()
    qtbot.waitUntil(gate.reached.is_set, timeout=60_000)
    act(viewer, image)
    gate.open.set()
    rest(dock, qtbot)
    (layer,) = results(viewer)
    np.testing.assert_array_equal(layer.data > 0, PIXELS > 0)
    assert notes == []
    assert_works(viewer, dock, qtbot)


def test_an_image_that_becomes_another_one_of_other_shape_is_told(
    viewer: Any, dock: SegmentDock, qtbot: Any, gate: Gate, notes: list[str]
) -> None:
    image = viewer.add_image(gate.pixels(), name="cells")
    dock.start()
    qtbot.waitUntil(gate.reached.is_set, timeout=60_000)
    image.data = np.zeros((9, 9), np.uint8)
    gate.open.set()
    rest(dock, qtbot)
    assert results(viewer) == []
    assert len(notes) == 1
    assert "cells" in notes[0]
    assert_works(viewer, dock, qtbot)


ERRORS = [OSError("the share is gone"), RuntimeError("bad block"), KeyError("x"), MemoryError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_image_that_cannot_be_read_any_more_is_told(
    viewer: Any, dock: SegmentDock, qtbot: Any, gate: Gate, notes: list[str], error: Exception
) -> None:
    viewer.add_image(gate.pixels())
    dock.start()
    qtbot.waitUntil(gate.reached.is_set, timeout=60_000)
    gate.error = error
    gate.open.set()
    rest(dock, qtbot)
    assert len(notes) == 1
    assert "\n" not in notes[0]
    assert len(viewer.layers) == 1
    assert_works(viewer, dock, qtbot)


def test_a_result_that_is_removed_during_the_next_run_comes_anew(
    viewer: Any, dock: SegmentDock, qtbot: Any, gate: Gate, notes: list[str]
) -> None:
    gate.open.set()
    viewer.add_image(gate.pixels(), name="cells")
    dock.start()
    rest(dock, qtbot)
    gate.open.clear()
    gate.reached.clear()
    dock.start()
    qtbot.waitUntil(gate.reached.is_set, timeout=60_000)
    viewer.layers.remove(results(viewer)[0])
    gate.open.set()
    rest(dock, qtbot)
    (layer,) = results(viewer)
    assert layer.data.max() == 2
    assert notes == []
    assert_works(viewer, dock, qtbot)


def test_all_layers_removed_at_once_leave_a_dock_that_works(
    viewer: Any, dock: SegmentDock, qtbot: Any, gate: Gate, notes: list[str]
) -> None:
    viewer.add_image(gate.pixels(), name="cells")
    viewer.add_image(PIXELS)
    viewer.layers.selection.active = viewer.layers["cells"]
    dock.start()
    qtbot.waitUntil(gate.reached.is_set, timeout=60_000)
    viewer.layers.clear()
    gate.open.set()
    rest(dock, qtbot)
    assert notes == ["The image 'cells' was removed; its result was not added."]
    assert_works(viewer, dock, qtbot)


def test_a_viewer_closed_during_a_run_ends_it(
    make_napari_viewer_proxy: Callable[..., Any],
    open_dock: Callable[[Any], SegmentDock],
    qtbot: Any,
    gate: Gate,
) -> None:
    viewer = make_napari_viewer_proxy()
    dock = open_dock(viewer)
    viewer.add_image(gate.pixels())
    dock.start()
    qtbot.waitUntil(gate.reached.is_set, timeout=60_000)
    worker, request = dock.run.worker, dock.run.request
    viewer.close()
    assert request.cancelled.is_set()
    gate.open.set()
    qtbot.waitUntil(lambda: not worker.is_running, timeout=60_000)


def test_two_viewers_run_at_once(
    make_napari_viewer_proxy: Callable[..., Any],
    open_dock: Callable[[Any], SegmentDock],
    qtbot: Any,
    notes: list[str],
) -> None:
    viewers = [make_napari_viewer_proxy() for _ in range(2)]
    docks = [open_dock(viewer) for viewer in viewers]
    for viewer, dock in zip(viewers, docks, strict=True):
        viewer.add_image(PIXELS, name="cells")
        dock.start()
    for viewer, dock in zip(viewers, docks, strict=True):
        rest(dock, qtbot)
        np.testing.assert_array_equal(results(viewer)[0].data > 0, PIXELS > 0)
        assert_works(viewer, dock, qtbot)
    assert notes == []


def test_a_model_file_that_goes_before_it_is_read_is_told(
    viewer: Any, dock: SegmentDock, qtbot: Any, bright_model: Path, notes: list[str]
) -> None:
    viewer.add_image(PIXELS)
    content = bright_model.read_bytes()
    bright_model.unlink()
    dock.start()
    rest(dock, qtbot)
    assert len(notes) == 1
    assert bright_model.name in notes[0]
    bright_model.write_bytes(content)
    assert_works(viewer, dock, qtbot)
