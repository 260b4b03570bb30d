from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import dask.array
import numpy as np
import pytest
from napari.layers import Labels

from napari_unet.images.identity import identity
from napari_unet.learning.autosave import Autosaves
from napari_unet.network.library import models_folder
from napari_unet.widgets import autosave, offer
from napari_unet.widgets.autosave import Origin, user_autosaves
from napari_unet.widgets.corrections import edited
from napari_unet.widgets.offer import Read, find_saved, read_saved
from napari_unet.widgets.results import find_result
from napari_unet.widgets.running import Failed
from napari_unet.widgets.segment_dock import SegmentDock

PLUGIN = "napari-unet-nuclei"
AddResult = Callable[..., Labels]


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(autosave, "MILLISECONDS_UNTIL_SAVED", 20)
    return make_napari_viewer_proxy()


@pytest.fixture
def open_dock(viewer: Any) -> Callable[[], SegmentDock]:
    return lambda: viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")[1]


@pytest.fixture
def corrected(viewer: Any, add_squares: AddResult, qtbot: Any) -> np.ndarray:
    """Labels that were corrected, saved, and are not in the viewer any more; their image is."""
    layer = add_squares(viewer)
    layer.data_setitem(np.nonzero(np.arange(64 * 80).reshape(64, 80) < 160), 7)
    layer.data_setitem(np.nonzero(layer.data == 2), 0)
    qtbot.waitUntil(lambda: not user_autosaves().is_empty(), timeout=60_000)
    labels = layer.data.copy()
    viewer.layers.remove(layer)
    viewer.layers.selection.active = viewer.layers["cells"]
    return labels


def is_shown(dock: SegmentDock) -> bool:
    return not dock.offer.native.isHidden()


def wait_until_offered(qtbot: Any, dock: SegmentDock) -> None:
    qtbot.waitUntil(lambda: is_shown(dock), timeout=60_000)


def test_corrections_are_offered_and_brought_back(
    viewer: Any, corrected: np.ndarray, open_dock: Callable[[], SegmentDock], qtbot: Any
) -> None:
    dock = open_dock()
    wait_until_offered(qtbot, dock)
    assert dock.offer.text.value.startswith("Corrections of 2 nuclei from ")
    assert dock.offer.text.value.endswith(" were saved for this image.")
    assert dock.correct.native.isHidden()
    dock.offer.bring_back.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    layer = viewer.layers["cells nuclei"]
    np.testing.assert_array_equal(layer.data, corrected)
    assert edited(layer).find().summary() == "1 nucleus added, 1 removed"
    assert not is_shown(dock)
    assert not dock.correct.native.isHidden()
    layer.data = layer.metadata["napari_unet"]["prediction"].copy()
    qtbot.waitUntil(user_autosaves().is_empty, timeout=60_000)


def test_corrections_that_are_not_wanted_are_deleted(
    viewer: Any, corrected: np.ndarray, open_dock: Callable[[], SegmentDock], qtbot: Any
) -> None:
    dock = open_dock()
    wait_until_offered(qtbot, dock)
    dock.offer.delete.native.click()
    assert not is_shown(dock)
    assert list(user_autosaves().folder.iterdir()) == []
    assert len(viewer.layers) == 1


def test_they_are_offered_for_their_image_alone_and_while_it_has_no_result(
    viewer: Any,
    corrected: np.ndarray,
    open_dock: Callable[[], SegmentDock],
    add_squares: AddResult,
    qtbot: Any,
) -> None:
    dock = open_dock()
    wait_until_offered(qtbot, dock)
    image = viewer.layers["cells"]
    other = viewer.add_image(image.data + 1, name="cells")
    assert not is_shown(dock)
    qtbot.wait(300)
    assert not is_shown(dock)
    viewer.layers.selection.active = image
    wait_until_offered(qtbot, dock)
    viewer.layers.remove(image)
    viewer.layers.remove(other)
    assert not is_shown(dock)
    layer = add_squares(viewer)
    qtbot.wait(300)
    assert not is_shown(dock)
    viewer.layers.remove(layer)
    wait_until_offered(qtbot, dock)


def test_they_are_offered_for_the_same_pixels_under_another_name_and_not_while_they_are_shown(
    viewer: Any, add_squares: AddResult, open_dock: Callable[[], SegmentDock], qtbot: Any
) -> None:
    layer = add_squares(viewer)
    layer.data_setitem(np.nonzero(layer.data == 2), 0)
    qtbot.waitUntil(lambda: not user_autosaves().is_empty(), timeout=60_000)
    copy = viewer.add_image(viewer.layers["cells"].data.copy(), name="the same, moved")
    viewer.layers.selection.active = copy
    dock = open_dock()
    qtbot.wait(300)
    assert not is_shown(dock)
    viewer.layers.remove(layer)
    viewer.layers.selection.active = copy
    wait_until_offered(qtbot, dock)
    dock.offer.bring_back.native.click()
    qtbot.waitUntil(lambda: "the same, moved nuclei" in viewer.layers, timeout=60_000)


def test_an_older_result_is_offered_when_the_newer_one_is_deleted(
    viewer: Any,
    corrected: np.ndarray,
    open_dock: Callable[[], SegmentDock],
    add_squares: AddResult,
    qtbot: Any,
) -> None:
    image = viewer.layers["cells"]
    viewer.layers.remove(image)
    layer = add_squares(viewer)
    layer.data_setitem(np.nonzero(layer.data == 2), 0)
    qtbot.waitUntil(lambda: len(list(user_autosaves().folder.glob("*-*.npz"))) == 4, timeout=60_000)
    viewer.layers.remove(layer)
    viewer.layers.selection.active = viewer.layers["cells"]
    dock = open_dock()
    wait_until_offered(qtbot, dock)
    dock.offer.delete.native.click()
    wait_until_offered(qtbot, dock)
    dock.offer.delete.native.click()
    qtbot.wait(300)
    assert not is_shown(dock)
    assert user_autosaves().is_empty()


@pytest.mark.parametrize("which", ["corrections", "labels of the run"])
def test_a_damaged_file_is_told_in_one_sentence_and_set_aside(
    viewer: Any,
    corrected: np.ndarray,
    open_dock: Callable[[], SegmentDock],
    notes: list[str],
    qtbot: Any,
    which: str,
) -> None:
    paths = sorted(user_autosaves().folder.glob("*.npz"), key=lambda path: len(path.name))
    paths[which != "corrections"].write_bytes(b"PK")
    dock = open_dock()
    if which != "corrections":
        wait_until_offered(qtbot, dock)
        dock.offer.bring_back.native.click()
    qtbot.waitUntil(lambda: len(notes) == 1, timeout=60_000)
    assert "set aside as" in notes[0]
    qtbot.wait(300)
    assert not is_shown(dock)
    assert len(viewer.layers) == 1
    assert [path.name.rpartition(".")[2] for path in user_autosaves().folder.iterdir()].count(
        "damaged"
    ) == 1


def test_a_folder_that_cannot_be_written_is_told(
    viewer: Any,
    corrected: np.ndarray,
    open_dock: Callable[[], SegmentDock],
    notes: list[str],
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(Autosaves, "delete", refuse)
    dock = open_dock()
    wait_until_offered(qtbot, dock)
    dock.offer.delete.native.click()
    assert len(notes) == 1
    assert "(PermissionError: not yours); allow writing there" in notes[0]
    wait_until_offered(qtbot, dock)


def test_a_closed_dock_offers_nothing_more(
    viewer: Any,
    corrected: np.ndarray,
    open_dock: Callable[[], SegmentDock],
    qtbot: Any,
) -> None:
    dock = open_dock()
    wait_until_offered(qtbot, dock)
    viewer.window.remove_dock_widget(dock.native)
    viewer.add_image(np.zeros((4, 4)))
    dock.offer._bring_back()
    qtbot.wait(300)
    assert find_result(viewer.layers, viewer.layers["cells"]) is None


def test_strokes_right_before_a_layer_is_removed_are_offered_and_brought_back(
    viewer: Any,
    add_squares: AddResult,
    open_dock: Callable[[], SegmentDock],
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = add_squares(viewer)
    dock = open_dock()
    save = Autosaves.save

    def slow(*given: Any) -> str:
        time.sleep(0.5)
        return save(*given)

    monkeypatch.setattr(Autosaves, "save", slow)
    for number in (7, 8):
        layer.data_setitem((np.array([0]), np.array([number])), number)
        if number == 7:
            qtbot.waitUntil(lambda: not user_autosaves().is_empty(), timeout=60_000)
    painted = layer.data.copy()
    viewer.layers.remove(layer)
    viewer.layers.selection.active = viewer.layers["cells"]
    wait_until_offered(qtbot, dock)
    assert dock.offer.text.value.startswith("Corrections of 2 nuclei")
    dock.offer.bring_back.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    np.testing.assert_array_equal(viewer.layers["cells nuclei"].data, painted)


def test_the_pixels_of_an_image_are_read_once_however_many_layers_come(
    viewer: Any,
    corrected: np.ndarray,
    open_dock: Callable[[], SegmentDock],
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, looks = [], []
    monkeypatch.setattr(autosave, "identity", lambda *given: read.append(1) or identity(*given))
    monkeypatch.setattr(offer, "find_saved", lambda *given: looks.append(1) or find_saved(*given))
    dock = open_dock()
    wait_until_offered(qtbot, dock)
    first = len(looks)
    for _ in range(5):
        viewer.add_points(np.zeros((1, 2)))
    wait_until_offered(qtbot, dock)
    assert len(looks) <= first + 2
    assert read == [1]


def test_what_was_saved_meanwhile_is_read_with_the_name_that_its_model_has_by_now(
    viewer: Any, corrected: np.ndarray, bright_model: Path
) -> None:
    saves = user_autosaves()
    (note,), _ = saves.of_image(Origin.of(viewer.layers["cells"]).identity())
    assert note.facts["model_file"] == str(bright_model)
    gone = note.facts | {"model_file": "old"}
    newer = replace(note, facts=gone, places=note.places[:1], values=note.values[:1])
    saves.save(newer, saves.prediction(note))
    models_folder().mkdir(parents=True)
    copyfile(bright_model, models_folder() / "new.safetensors")
    read = read_saved(saves, note)
    assert isinstance(read, Read)
    assert read.note.facts["model_file"] == "new"
    assert np.count_nonzero(read.labels != read.prediction) == 1
    saves.delete(note.image, note.token)
    failed = read_saved(saves, note)
    assert isinstance(failed, Failed)
    assert failed.sentence.startswith("Expected the corrections that were offered, got none")


def test_an_image_that_cannot_be_read_has_nothing_offered(corrected: np.ndarray) -> None:
    def broken(block: np.ndarray) -> np.ndarray:
        raise OSError("the disk is gone")

    zeros = dask.array.zeros((64, 80), dtype=np.uint8)
    lazy = zeros.map_blocks(broken, dtype=np.uint8, meta=np.zeros((0, 0), np.uint8))
    found = find_saved(user_autosaves(), Origin(lazy, None, "cells"))
    assert (found.notes, found.problems) == ([], [])
