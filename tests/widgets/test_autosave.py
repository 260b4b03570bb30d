from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.layers._layer_actions import _duplicate_layer

from napari_unet.learning.autosave import Autosaves, Note
from napari_unet.widgets import autosave
from napari_unet.widgets.autosave import Origin, user_autosaves
from napari_unet.widgets.corrections import (
    METADATA,
    PREDICTION,
    confirm_nucleus,
    confirm_view,
    edited,
    own_id,
    take_back,
)
from napari_unet.widgets.results import bring_back, draw, update_result
from napari_unet.widgets.segmenting import Finished

AddResult = Callable[..., Labels]


@pytest.fixture
def viewer(qapp: Any) -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autosave, "MILLISECONDS_UNTIL_SAVED", 20)


def paint(layer: Labels, number: int, *place: slice | int) -> None:
    """Set pixels as napari's tools do: with an entry in the layer's history."""
    mask = np.zeros(layer.data.shape, bool)
    mask[place] = True
    layer.data_setitem(np.nonzero(mask), number)


def paint_nucleus(layer: Labels) -> None:
    paint(layer, 7, ..., slice(48, 60), slice(10, 25))


def notes_of(image: Any) -> list[Note]:
    notes, problems = user_autosaves().of_image(Origin.of(image).identity())
    assert problems == []
    return notes


def n_saved(image: Any) -> int:
    return len(notes_of(image))


def saved(image: Any) -> Note | None:
    notes = notes_of(image)
    return notes[0] if notes else None


def wait_until_saved(qtbot: Any, image: Any, condition: Callable[[Note], bool]) -> Note:
    found: list[Note | None] = [None]

    def is_there() -> bool:
        found[0] = saved(image)
        return found[0] is not None and condition(found[0])

    qtbot.waitUntil(is_there, timeout=60_000)
    assert found[0] is not None
    return found[0]


def painted(viewer: Any, add_squares: AddResult, qtbot: Any) -> tuple[Labels, Note]:
    """Add a result, paint a nucleus on it, and wait until that is on disk."""
    layer = add_squares(viewer)
    paint_nucleus(layer)
    return layer, wait_until_saved(qtbot, viewer.layers["cells"], lambda note: note.n_nuclei == 1)


def wait_until_forgotten(qtbot: Any, image: Any) -> None:
    qtbot.waitUntil(lambda: saved(image) is None, timeout=60_000)


def test_strokes_are_on_disk_within_five_seconds_while_painting_goes_on(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    image = viewer.layers["cells"]
    paint_nucleus(layer)
    qtbot.waitUntil(lambda: saved(image) is not None, timeout=60_000)
    start = time.monotonic()
    before = 0
    for column in range(26, 60):
        paint(layer, 8, slice(48, 60), column)
        qtbot.wait(100)
        note = saved(image)
        assert note is not None
        if len(note.places) != before:
            before, start = len(note.places), time.monotonic()
        assert time.monotonic() - start < 5
    assert before > 12 * 15


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("axes", ["YX", "YXS", "CYX", "ZYX", "TZCYX"])
def test_what_is_saved_brings_the_result_back(
    viewer: Any, add_squares: AddResult, qtbot: Any, axes: str
) -> None:
    layer = add_squares(viewer, axes)
    image = viewer.layers["cells"]
    paint_nucleus(layer)
    paint(layer, 0, *(0,) * (layer.ndim - 2), slice(5, 20), slice(5, 9))
    layer.corner_pixels = np.array([[0] * layer.ndim, [n - 1 for n in layer.data.shape]])
    confirm_nucleus(layer, 2, is_right=True)
    confirm_view(layer, viewer)
    note = wait_until_saved(qtbot, image, lambda note: len(note.confirmed) == 2)
    said = edited(layer).find().summary()
    viewer.layers.remove(layer)
    prediction = user_autosaves().prediction(note)
    again = bring_back(viewer, image, note, note.labels(prediction), prediction)
    assert own_id(again) == own_id(layer)
    np.testing.assert_array_equal(again.data, layer.data)
    np.testing.assert_array_equal(
        again.metadata[METADATA][PREDICTION], layer.metadata[METADATA][PREDICTION]
    )
    assert edited(again).find().summary() == said
    assert again.metadata[METADATA]["confirmed"] == layer.metadata[METADATA]["confirmed"]
    again.events.set_data()
    qtbot.wait(200)
    assert wait_until_saved(qtbot, image, lambda note: True).date == note.date
    take_back(again)
    take_back(again)
    paint(again, 0, ...)
    wait_until_saved(qtbot, image, lambda note: note.confirmed == () and note.n_nuclei == 2)
    qtbot.waitUntil(lambda: n_saved(image) == 1, timeout=60_000)


@pytest.mark.usefixtures("soon")
def test_two_windows_with_one_result_write_files_of_their_own(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer, note = painted(viewer, add_squares, qtbot)
    image = viewer.layers["cells"]
    prediction = user_autosaves().prediction(note)
    again = bring_back(ViewerModel(), image, note, note.labels(prediction), prediction)
    paint(again, 8, slice(0, 4), slice(0, 4))
    wait_until_saved(qtbot, image, lambda newest: newest.token != note.token)
    qtbot.waitUntil(lambda: n_saved(image) == 1, timeout=60_000)
    paint(layer, 9, slice(60, 64), slice(0, 4))
    qtbot.waitUntil(lambda: n_saved(image) == 2, timeout=60_000)
    found = {it.token: it.values.max() for it in notes_of(image)}
    assert found.pop(note.token) == 9
    assert [*found.values()] == [8]
    paint(again, 0, ...)
    paint(again, 1, slice(5, 20), slice(5, 20))
    paint(again, 2, slice(30, 45), slice(40, 60))
    qtbot.waitUntil(lambda: [it.token for it in notes_of(image)] == [note.token], timeout=60_000)


@pytest.mark.usefixtures("soon")
def test_a_copy_of_a_result_is_saved_beside_it(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer, _ = painted(viewer, add_squares, qtbot)
    image = viewer.layers["cells"]
    viewer.layers.selection.active = layer
    _duplicate_layer(viewer.layers)
    copy = viewer.layers[-1]
    paint(copy, 8, slice(0, 4), slice(0, 4))
    qtbot.waitUntil(lambda: n_saved(image) == 2, timeout=60_000)
    assert sorted(note.n_nuclei for note in notes_of(image)) == [1, 2]
    held = weakref.ref(autosave._watchers[copy])
    viewer.layers.remove(copy)
    gc.collect()
    assert held() is None


@pytest.mark.usefixtures("soon")
def test_undo_works_after_a_save_and_forgets_what_is_undone(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer, _ = painted(viewer, add_squares, qtbot)
    image, after = viewer.layers["cells"], layer.data.copy()
    layer.undo()
    np.testing.assert_array_equal(layer.data, layer.metadata[METADATA][PREDICTION])
    wait_until_forgotten(qtbot, image)
    assert user_autosaves().is_empty()
    layer.redo()
    np.testing.assert_array_equal(layer.data, after)
    wait_until_saved(qtbot, image, lambda note: note.n_nuclei == 1)


@pytest.mark.usefixtures("soon")
def test_a_confirmed_view_is_saved_and_forgotten_when_it_is_taken_back(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    layer.corner_pixels = np.array([[0, 0], [24, 79]])
    confirm_view(layer, viewer)
    note = wait_until_saved(qtbot, viewer.layers["cells"], lambda note: True)
    assert note.confirmed == (((0, 25), (0, 80)),)
    take_back(layer)
    wait_until_forgotten(qtbot, viewer.layers["cells"])


@pytest.mark.usefixtures("soon")
def test_a_run_around_the_corrections_is_saved_with_them(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer, _ = painted(viewer, add_squares, qtbot)
    image = viewer.layers["cells"]
    new = np.zeros((64, 80), np.int32)
    new[5:20, 50:70] = 1
    facts = layer.metadata[METADATA]
    outcome = Finished(new, (slice(None),) * 2, new.shape, 20.0, 0.1, facts | {"model": "other"})
    update_result(layer, image, outcome, draw(outcome, edited(layer)))
    note = wait_until_saved(qtbot, image, lambda note: note.facts["model"] == "other")
    prediction = user_autosaves().prediction(note)
    np.testing.assert_array_equal(prediction, new)
    np.testing.assert_array_equal(note.labels(prediction), layer.data)


@pytest.mark.usefixtures("soon")
def test_the_thread_of_the_window_never_writes(
    viewer: Any, add_squares: AddResult, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers = []
    save = Autosaves.save

    def spy(*args: Any) -> None:
        writers.append(threading.current_thread())
        save(*args)

    monkeypatch.setattr(Autosaves, "save", spy)
    paint_nucleus(add_squares(viewer))
    wait_until_saved(qtbot, viewer.layers["cells"], lambda note: True)
    assert writers
    assert threading.main_thread() not in writers


@pytest.mark.usefixtures("soon")
def test_nothing_is_written_twice_however_often_the_layer_is_drawn(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer, note = painted(viewer, add_squares, qtbot)
    qtbot.wait(1100)
    layer.refresh()
    layer.events.set_data()
    qtbot.wait(300)
    assert wait_until_saved(qtbot, viewer.layers["cells"], lambda _: True).date == note.date


def test_removing_a_layer_saves_its_last_strokes_and_lets_go_of_it(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    paint_nucleus(layer)
    held = [weakref.ref(layer), weakref.ref(autosave._watchers[layer])]
    viewer.layers.remove(layer)
    del layer
    wait_until_saved(qtbot, viewer.layers["cells"], lambda note: note.n_nuclei == 1)
    # napari itself holds the layer that was selected last.
    viewer.layers.selection.active = viewer.layers["cells"]
    qtbot.waitUntil(
        lambda: gc.collect() >= 0 and [it() for it in held] == [None, None], timeout=60_000
    )


def test_a_viewer_that_is_gone_takes_its_results_with_it(qapp: Any, add_squares: AddResult) -> None:
    layer = add_squares(viewer := ViewerModel())
    held = weakref.ref(layer)
    del layer, viewer
    gc.collect()
    assert held() is None


@pytest.mark.usefixtures("soon")
def test_labels_that_were_replaced_do_not_overwrite_what_was_saved(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer, _ = painted(viewer, add_squares, qtbot)
    layer.data = np.zeros((5, 5), np.int32)
    qtbot.wait(300)
    assert saved(viewer.layers["cells"]) is not None


@pytest.mark.usefixtures("soon")
def test_a_disk_that_cannot_be_written_is_told_once(
    viewer: Any,
    add_squares: AddResult,
    qtbot: Any,
    notes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = []

    def full(*_: Any) -> None:
        tries.append(1)
        raise OSError("No space left on device")

    monkeypatch.setattr(Autosaves, "save", full)
    layer = add_squares(viewer)
    paint_nucleus(layer)
    qtbot.waitUntil(lambda: len(tries) == 1, timeout=60_000)
    paint(layer, 8, slice(0, 4), slice(0, 4))
    qtbot.waitUntil(lambda: len(tries) == 2, timeout=60_000)
    assert notes == [
        "The corrections could not be saved (OSError: No space left on device); make room on the "
        "disk, or save the layer yourself."
    ]


@pytest.mark.usefixtures("soon")
def test_an_image_that_cannot_be_read_is_told_and_tried_again(
    viewer: Any,
    add_squares: AddResult,
    qtbot: Any,
    notes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: Origin) -> str:
        raise RuntimeError("no route to host")

    layer = add_squares(viewer)
    with monkeypatch.context() as patch:
        patch.setattr(Origin, "identity", broken)
        paint_nucleus(layer)
        qtbot.waitUntil(lambda: len(notes) == 1, timeout=60_000)
    assert notes[0].startswith("The corrections could not be saved (RuntimeError: no route")
    paint(layer, 8, slice(0, 4), slice(0, 4))
    wait_until_saved(qtbot, viewer.layers["cells"], lambda note: note.n_nuclei == 2)


PAINTER = """
import sys
from dataclasses import asdict
import napari, numpy as np
from qtpy.QtCore import QTimer
from napari_unet.segmentation import SegmentSettings
from napari_unet.widgets.results import add_result, draw
from napari_unet.widgets.segmenting import Finished

pixels = np.random.default_rng(0).integers(0, 255, (3, 64, 80), np.uint8)
labels = np.zeros(pixels.shape, np.int32)
labels[:, 5:20, 5:20] = 1
facts = {
    "axes": "ZYX", "model": "nuclei", "model_file": "nuclei", "line": "nuclei",
    "model_sha256": "", "device_choice": "cpu", "settings": asdict(SegmentSettings(diameter=20.0)),
}
viewer = napari.Viewer()
image = viewer.add_image(pixels, name="cells")
outcome = Finished(labels, (slice(None),) * 3, labels.shape, 20.0, 0.1, facts)
layer = add_result(viewer, image, outcome, draw(outcome))

def paint():
    layer.data_setitem(np.nonzero(np.ones((3, 64, 80), bool) * (np.arange(80) > 70)), 9)
    layer.data_setitem((np.array([1]), np.array([6]), np.array([6])), 0)
    print("painted", flush=True)

QTimer.singleShot(500, paint)
napari.run()
"""


CLOSE = """
def close():
    paint()
    viewer.window._qt_window.close()

QTimer.singleShot(500, close)
"""


def painters_image(viewer: Any) -> Any:
    """Add the image that the painting program segments."""
    pixels = np.random.default_rng(0).integers(0, 255, (3, 64, 80), np.uint8)
    return viewer.add_image(pixels, name="cells")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_corrections_survive_kill_9_and_are_brought_back_by_the_dock(
    make_napari_viewer_proxy: Callable[..., Any],
    killed_once_painted: Callable[..., Any],
    qtbot: Any,
) -> None:
    viewer = make_napari_viewer_proxy()
    image = painters_image(viewer)
    with killed_once_painted(PAINTER):
        qtbot.waitUntil(lambda: saved(image) is not None, timeout=60_000)
    _, dock = viewer.window.add_plugin_dock_widget("napari-unet-nuclei", "Segment nuclei")
    qtbot.waitUntil(lambda: not dock.offer.native.isHidden(), timeout=60_000)
    dock.offer.bring_back.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    layer = viewer.layers["cells nuclei"]
    expected = np.zeros(image.data.shape, np.int32)
    expected[:, 5:20, 5:20], expected[:, :, 71:], expected[1, 6, 6] = 1, 9, 0
    np.testing.assert_array_equal(layer.data, expected)
    assert edited(layer).find().summary() == "1 nucleus added, 1 reshaped on 3 planes"


def test_closing_napari_right_after_a_stroke_saves_it(viewer: Any, qtbot: Any) -> None:
    image = painters_image(viewer)
    closing = PAINTER.replace("QTimer.singleShot(500, paint)", CLOSE)
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", closing], env=environment, timeout=120)
    assert done.returncode == 0
    note = saved(image)
    assert note is not None
    assert note.n_nuclei == 2


@pytest.mark.usefixtures("soon")
def test_a_result_that_nobody_corrects_is_not_written(
    viewer: Any, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    layer.data_setitem((np.array([6]), np.array([6])), 1)
    layer.events.set_data()
    qtbot.wait(300)
    assert not user_autosaves().folder.exists()
