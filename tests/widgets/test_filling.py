"""A lazy stack's labels while its run goes on: the planes of the image wait for gates."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from napari.layers import Image, Labels

import napari_unet.filling
from napari_unet.images import roomy
from napari_unet.images.roomy import is_on_disk
from napari_unet.nuclei.row_by_row import RowByRow
from napari_unet.widgets import filling
from napari_unet.widgets.corrections import PREDICTION, edited, facts_of, is_result
from napari_unet.widgets.filling import first_plane
from napari_unet.widgets.segment_dock import SegmentDock

PLUGIN = "napari-unet-nuclei"
STACK = np.zeros((4, 40, 50), np.uint8)
STACK[:, 5:15, 5:15] = STACK[:, 20:32, 30:42] = 200
EVERY = range(len(STACK))


class Gates:
    """A stack of which a plane can be read as soon as its gate is opened."""

    def __init__(self) -> None:
        self._open = [threading.Event() for _ in EVERY]
        self.error: Exception | None = None

    def open(self, *planes: int) -> None:
        for plane in planes:
            self._open[plane].set()

    def shut(self) -> None:
        for gate in self._open:
            gate.clear()

    def pixels(self) -> dask.array.Array:
        lazy = dask.array.from_array(STACK, chunks=(1, *STACK.shape[1:]))
        return lazy.map_blocks(self._block, dtype=np.uint8)

    def _block(self, block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if threading.current_thread() is threading.main_thread():
            return block  # which napari shows
        assert self._open[block_info[0]["chunk-location"][0]].wait(60)
        if self.error is not None:
            raise self.error
        return block


@pytest.fixture
def gates(unserved: None) -> Iterator[Gates]:
    gates = Gates()
    yield gates
    gates.open(*EVERY)


@pytest.fixture
def dock(viewer: Any, open_segment: Callable[[Any], SegmentDock]) -> SegmentDock:
    dock = open_segment(viewer)
    dock.diameter.value = 20
    return dock


@pytest.fixture
def start(viewer: Any, dock: SegmentDock, gates: Gates) -> Callable[[str], None]:
    """Show plane 2 of the stack, and segment it by a click."""

    def start(link: str) -> None:
        if "cells" not in viewer.layers:
            about = {"name": "cells", "scale": (2, 1, 1), "axis_labels": ("z", "y", "x")}
            viewer.add_image(gates.pixels(), **about)
        viewer.dims.set_current_step(0, 2)
        dock.link.value = link
        dock.button.native.click()

    return start


def labels_in(viewer: Any) -> list[Labels]:
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def shown(dock: SegmentDock, qtbot: Any, n: int) -> Labels:
    """Wait until some planes are shown, and return their layer."""
    qtbot.waitUntil(lambda: dock.run.filling.n_done == n, timeout=60_000)
    layer = dock.run.filling.layer
    assert layer is not None
    return layer


def rest(dock: SegmentDock, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)


@pytest.mark.parametrize("link", ["auto", "overlap", "none"])
def test_the_plane_that_is_looked_at_is_there_before_the_run_has_ended(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any, bright_model: Path,
    link: str,
) -> None:  # fmt: skip
    gates.open(2)
    start(link)
    layer = shown(dock, qtbot, 1)
    assert layer in viewer.layers
    assert layer.name == "cells nuclei so far"
    np.testing.assert_array_equal(layer.data > 0, STACK * (np.arange(4) == 2)[:, None, None] > 0)
    np.testing.assert_array_equal(layer.scale, (2, 1, 1))
    assert layer.get_value((4, 10, 10), world=True) == 1  # what the canvas has
    assert not layer.editable
    assert not is_result(layer)
    assert "1 of 4 planes shown; ids change at the end" in dock.status.value
    assert viewer.layers.selection.active.name == "cells"
    gates.open(*EVERY)
    rest(dock, qtbot)
    (result,) = labels_in(viewer)
    assert result.name == "cells nuclei"
    expected = napari_unet.segment(
        STACK, "ZYX", model=bright_model, scale=(2, 1, 1), diameter=20, link=link, device="cpu"
    )
    np.testing.assert_array_equal(result.data, expected)
    assert facts_of(result)["settings"]["link"] == link


def test_a_cancelled_run_keeps_its_finished_planes(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any, notes: list[str]
) -> None:
    gates.open(2, 1)
    start("overlap")
    shown(dock, qtbot, 2)
    dock.button.native.click()
    gates.open(*EVERY)
    rest(dock, qtbot)
    assert dock.status.value.startswith(
        "Cancelled; 2 of 4 planes were finished and are kept, each for itself: 4 nuclei in "
    )
    (result,) = labels_in(viewer)
    assert result.name == "cells nuclei"
    kept = np.isin(EVERY, (1, 2))[:, None, None]
    np.testing.assert_array_equal(result.data > 0, STACK * kept > 0)
    facts = facts_of(result)
    assert facts["region"] == [(1, 3), (None, None), (None, None)]
    assert facts["settings"]["link"] == "none"
    assert len(result.features) == 4
    assert dock._adjusting.chosen.maps.shape == (3, 2, 40, 50)
    assert notes == []
    # What is missing is done by the next run, in the same layer.
    start("overlap")
    rest(dock, qtbot)
    assert labels_in(viewer) == [result]
    np.testing.assert_array_equal(result.data > 0, STACK > 0)
    assert result.data.max() == 2


def test_large_labels_are_on_disk_painted_on_and_leave_no_file(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any, bright_model: Path,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(roomy, "LARGEST_IN_MEMORY", 0)
    gates.open(2)
    start("overlap")
    assert is_on_disk(shown(dock, qtbot, 1).data)
    gates.open(1)
    shown(dock, qtbot, 2)
    dock.button.native.click()
    gates.open(*EVERY)
    rest(dock, qtbot)
    (result,) = labels_in(viewer)
    assert is_on_disk(result.data)
    assert is_on_disk(facts_of(result)[PREDICTION])
    kept = np.isin(EVERY, (1, 2))[:, None, None]
    np.testing.assert_array_equal(result.data > 0, STACK * kept > 0)
    result.selected_label = 99
    result.brush_size = 4
    result.paint((2, 2, 25), 99)
    assert edited(result).find().summary() == "1 nucleus added on 1 plane"
    result.undo()
    assert not edited(result).find()
    result.redo()
    start("overlap")
    rest(dock, qtbot)
    assert labels_in(viewer) == [result]
    assert is_on_disk(result.data)
    assert result.data[2, 2, 25] == 99
    np.testing.assert_array_equal(edited(result).prediction > 0, STACK > 0)
    assert not any((tmp_path / "temporary").iterdir())


TALL = np.zeros((4200, 50), np.uint8)  # of four tiles
TALL[5:15, 5:15] = TALL[900:912, 20:32] = TALL[4100:4112, 20:32] = 200


@pytest.mark.parametrize("is_drawn", [True, False])
def test_a_large_plane_fills_from_its_first_row_on_and_keeps_what_is_finished(
    viewer: Any, dock: SegmentDock, qtbot: Any, bright_model: Path,
    monkeypatch: pytest.MonkeyPatch, is_drawn: bool,
) -> None:  # fmt: skip
    """One that napari takes long to draw is shown at the end alone, and its rows are counted."""
    gate = threading.Event()

    class Gated(RowByRow):
        def add(self, maps: Any, stop: int) -> slice:
            assert stop < 1500 or gate.wait(60)
            return super().add(maps, stop)

    monkeypatch.setattr(napari_unet.filling, "RowByRow", Gated)
    monkeypatch.setattr(filling, "LARGEST_AT_ONCE", 1000)
    monkeypatch.setattr(filling, "LARGEST_DRAWN", TALL.size if is_drawn else TALL.size - 1)
    viewer.add_image(TALL, name="cells")
    dock.button.native.click()
    qtbot.waitUntil(lambda: dock.run.filling.n_done > 900, timeout=60_000)
    n_done, layers = dock.run.filling.n_done, labels_in(viewer)
    first = TALL * (np.arange(len(TALL))[:, None] < 1500) > 0
    if is_drawn:
        np.testing.assert_array_equal(layers[0].data > 0, first)
        assert f"{n_done:,} of 4,200 rows shown; ids change at the end" in dock.status.value
    else:
        assert layers == []
        assert f"{n_done:,} of 4,200 rows finished" in dock.status.value
    dock.button.native.click()
    gate.set()
    rest(dock, qtbot)
    (result,) = labels_in(viewer)
    np.testing.assert_array_equal(result.data > 0, first)
    n_rows = facts_of(result)["region"][0][1]
    assert n_done <= n_rows < len(TALL)  # those that were at hand, too
    told = f"Cancelled; {n_rows:,} of 4,200 rows were finished and are kept: 2 nuclei in "
    assert dock.status.value.startswith(told)
    # A whole run has the rest, in the same layer.
    dock.button.native.click()
    rest(dock, qtbot)
    assert labels_in(viewer) == [result]
    expected = napari_unet.segment(TALL, model=bright_model, diameter=20, device="cpu")
    np.testing.assert_array_equal(result.data, expected)


def test_a_run_that_is_cancelled_before_a_plane_is_finished_changes_nothing(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any
) -> None:
    start("overlap")
    dock.button.native.click()
    gates.open(*EVERY)
    rest(dock, qtbot)
    assert dock.status.value == "Cancelled, nothing was changed."
    assert labels_in(viewer) == []


def test_a_second_run_keeps_corrections_and_hides_the_result_meanwhile(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any
) -> None:
    gates.open(*EVERY)
    start("none")
    rest(dock, qtbot)
    (result,) = labels_in(viewer)
    painted = np.zeros(STACK.shape, bool)
    painted[2, :3, 20:30] = True
    result.data_setitem(np.nonzero(painted), 99)
    gates.shut()
    gates.open(2)
    start("none")
    layer = shown(dock, qtbot, 1)
    assert labels_in(viewer) == [result, layer]
    assert (result.visible, layer.visible) == (False, True)
    dock.button.native.click()
    gates.open(*EVERY)
    rest(dock, qtbot)
    assert dock.status.value.startswith("Cancelled; 1 of 4 planes were finished")
    assert dock.status.value.endswith("1 corrected one kept")
    assert labels_in(viewer) == [result]
    assert result.visible
    assert (result.data[painted] == 99).all()
    np.testing.assert_array_equal(edited(result).prediction > 0, STACK > 0)


def test_a_plane_that_cannot_be_read_leaves_those_before_it(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any, notes: list[str]
) -> None:
    gates.open(2, 1)
    start("overlap")
    layer = shown(dock, qtbot, 2)
    gates.error = OSError("the share is gone")
    gates.open(*EVERY)
    rest(dock, qtbot)
    assert labels_in(viewer) == [layer]
    assert layer.editable
    (note,) = notes
    assert "the share is gone" in note
    assert note.endswith("2 of 4 planes were finished and stay in 'cells nuclei so far'.")


def test_a_layer_that_is_removed_meanwhile_does_not_come_back_before_the_result(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any, notes: list[str]
) -> None:
    gates.open(2)
    start("overlap")
    viewer.layers.remove(shown(dock, qtbot, 1))
    gates.open(*EVERY)
    rest(dock, qtbot)
    (result,) = labels_in(viewer)
    np.testing.assert_array_equal(result.data > 0, STACK > 0)
    assert notes == []


def test_a_dock_that_is_closed_leaves_the_finished_planes(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any
) -> None:
    gates.open(2)
    start("overlap")
    layer = shown(dock, qtbot, 1)
    worker = dock.run.worker
    viewer.window.remove_dock_widget(dock.native)
    gates.open(*EVERY)
    qtbot.waitUntil(lambda: not worker.is_running, timeout=60_000)
    assert labels_in(viewer) == [layer]
    assert layer.editable


def test_a_viewer_that_is_closed_ends_the_run(
    viewer: Any, dock: SegmentDock, qtbot: Any, gates: Gates, start: Any
) -> None:
    gates.open(2)
    start("overlap")
    shown(dock, qtbot, 1)
    worker, request = dock.run.worker, dock.run.request
    viewer.close()
    assert request.cancelled.is_set()
    gates.open(*EVERY)
    qtbot.waitUntil(lambda: not worker.is_running, timeout=60_000)


@pytest.mark.parametrize(
    ("pixels", "axes", "first"),
    [
        (dask.array.zeros((4, 2, 8, 8), chunks=1), "ZTYX", (1, 3)),
        (dask.array.zeros((4, 2, 8, 8), chunks=1), "ZCYX", (3,)),
        (dask.array.zeros((1, 2, 8, 8), chunks=1), "ZCYX", None),
        (dask.array.zeros((8, 8), chunks=1), "YX", None),
        (np.zeros((4, 8, 8)), "ZYX", None),
        (np.zeros((4, 9, 9)), "ZYX", (3,)),
        (np.zeros((17, 16)), "YX", ()),
        (dask.array.zeros((1, 17, 16), chunks=1), "ZYX", (0,)),
    ],
)
def test_lazy_and_large_images_begin_with_what_is_shown(
    viewer: Any, monkeypatch: pytest.MonkeyPatch, pixels: Any, axes: str, first: Any
) -> None:
    monkeypatch.setattr(filling, "LARGEST_AT_ONCE", 4 * 8 * 8)
    image = viewer.add_layer(Image(pixels))
    for axis, step in enumerate((3, 1)[: pixels.ndim - 2]):
        viewer.dims.set_current_step(axis, step)
    assert first_plane(image, axes, viewer) == first


def test_a_file_mapped_into_memory_is_lazy(viewer: Any, tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "pixels", np.uint8, "w+", shape=STACK.shape)
    image = viewer.add_layer(Image(mapped))
    viewer.dims.ndisplay = 3
    assert first_plane(image, "ZYX", viewer) == (0,)
