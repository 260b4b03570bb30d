"""Scribbles are on disk seconds after a stroke, and offered back with their run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_unet.learning.autosave import Note
from napari_unet.learning.cut_off import FOLDER
from napari_unet.network.library import load_model, models_folder
from napari_unet.widgets import autosave, finetune_form, saving
from napari_unet.widgets.autosave import Keeper, Origin, user_autosaves
from napari_unet.widgets.corrections import own_id
from napari_unet.widgets.finetune_dock import FinetuneDock
from napari_unet.widgets.offer import THERE
from napari_unet.widgets.scribbles import Scribbled

PLUGIN = "napari-unet-nuclei"


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(autosave, "MILLISECONDS_UNTIL_SAVED", 20)
    return make_napari_viewer_proxy()


@pytest.fixture
def dock(viewer: Any) -> FinetuneDock:
    return opened(viewer)


def opened(viewer: Any) -> FinetuneDock:
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Fine-tune on corrections")
    return dock


def wait_for(qtbot: Any, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=60_000)


def add_image(viewer: Any, name: str = "cells", value: int = 200) -> Image:
    pixels = np.zeros((64, 80), np.uint8)
    pixels[5:20, 5:20] = value
    return viewer.add_image(pixels, name=name, scale=(0.5, 0.5))


def paint(layer: Labels, label: int, place: tuple[Any, ...]) -> None:
    mask = np.zeros(layer.data.shape, bool)
    mask[place] = True
    layer.data_setitem(np.nonzero(mask), label)


def notes_of(image: Any) -> list[Note]:
    return user_autosaves().of_image(Origin.of(image).identity())[0]


def scribbled(viewer: Any, dock: FinetuneDock) -> Labels:
    """Scribbles of one nucleus and background, painted before they are chosen."""
    layer = viewer.add_labels(np.zeros((64, 80), np.uint8), name="mine", scale=(0.5, 0.5))
    paint(layer, 1, np.s_[5:20, 5:20])
    paint(layer, 3, np.s_[30:40, 5:70])
    dock.background.value = 3
    dock.layer.value = layer
    return layer


def saved_scribbles(viewer: Any, dock: FinetuneDock, qtbot: Any) -> tuple[Image, Labels]:
    """Return an image, and chosen scribbles on it once they are saved."""
    image = add_image(viewer)
    layer = scribbled(viewer, dock)
    wait_for(qtbot, lambda: len(notes_of(image)) == 1)
    return image, layer


def test_scribbles_are_saved_offered_and_brought_back(
    viewer: Any, dock: FinetuneDock, qtbot: Any
) -> None:
    image, layer = saved_scribbles(viewer, dock, qtbot)
    paint(layer, 2, np.s_[45:60, 45:60])
    wait_for(qtbot, lambda: [note.n_nuclei for note in notes_of(image)] == [2])
    assert dock.offer.native.isHidden()
    painted, known = layer.data.copy(), own_id(layer)
    viewer.layers.remove(layer)
    viewer.window.remove_dock_widget(dock.native)
    again = opened(viewer)
    assert again.background.value == 1
    wait_for(qtbot, lambda: not again.offer.native.isHidden())
    assert again.offer.text.value.startswith("Scribbles 'mine' from ")
    again.offer.bring_back.native.click()
    wait_for(qtbot, lambda: again.layer.value is not None)
    layer = viewer.layers["mine"]
    assert again.layer.value == layer
    assert again.background.value == 3
    assert again.image.value == image
    np.testing.assert_array_equal(layer.data, painted)
    assert tuple(layer.scale) == (0.5, 0.5)
    assert own_id(layer) == known
    assert again.offer.native.isHidden()
    before = notes_of(image)[0].token
    paint(layer, 0, np.s_[45:60, 45:60])
    wait_for(qtbot, lambda: [note.n_nuclei for note in notes_of(image)] == [1])
    assert notes_of(image)[0].token != before
    layer.data = np.zeros_like(layer.data)
    wait_for(qtbot, user_autosaves().is_empty)


def test_scribbles_are_saved_for_the_image_and_the_background_that_are_chosen(
    viewer: Any, dock: FinetuneDock, qtbot: Any
) -> None:
    first, second = add_image(viewer, "first", 100), add_image(viewer, "second")
    scribbled(viewer, dock)
    assert dock.image.value == second
    wait_for(qtbot, lambda: len(notes_of(second)) == 1)
    dock.image.value = first
    wait_for(qtbot, lambda: len(notes_of(first)) == 1)
    wait_for(qtbot, lambda: notes_of(second) == [])
    dock.background.value = 1
    wait_for(qtbot, lambda: [note.facts["background"] for note in notes_of(first)] == [1])


def test_scribbles_stay_saved_where_the_image_that_is_chosen_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(autosave, "show_warning", said.append)
    pixels, painted = np.ones((8, 8), np.uint8), np.zeros((8, 8), np.int32)
    painted[2:5, 2:5] = 2
    facts = {"scribbles": "mine", "background": 1, "result": "a"}
    facts |= {"prediction": np.zeros_like(painted), "confirmed": []}
    first, keeper = Origin(pixels, None, "first"), Keeper(Origin(pixels, None, "first"))
    keeper.keep(Scribbled(painted, 1), facts)
    keeper.move(Origin(Unreadable(), None, "second"))
    keeper.keep(Scribbled(painted, 1), facts)
    assert len(said) == 1
    assert len(user_autosaves().of_image(first.identity())[0]) == 1
    third = Origin(pixels + 1, None, "third")
    keeper.move(third)
    keeper.keep(Scribbled(painted, 1), facts)
    assert user_autosaves().of_image(first.identity())[0] == []
    assert len(user_autosaves().of_image(third.identity())[0]) == 1
    keeper.move(Origin(pixels + 1, None, "third"))
    keeper.keep(Scribbled(painted, 1), facts)
    assert len(user_autosaves().of_image(third.identity())[0]) == 1


class Unreadable:
    """An image whose file is gone."""

    shape, dtype = (8, 8), np.dtype(np.uint8)

    def __getitem__(self, place: Any) -> Any:
        raise OSError("gone")


def test_scribbles_that_are_put_back_are_saved_again(
    viewer: Any, dock: FinetuneDock, qtbot: Any
) -> None:
    image, layer = saved_scribbles(viewer, dock, qtbot)
    viewer.layers.remove(layer)
    viewer.add_layer(layer)
    dock.layer.value = layer
    paint(layer, 2, np.s_[45:60, 45:60])
    wait_for(qtbot, lambda: 2 in [note.n_nuclei for note in notes_of(image)])


def test_a_copy_of_scribbles_is_another_layer_and_is_saved_when_it_is_chosen(
    viewer: Any, dock: FinetuneDock, qtbot: Any
) -> None:
    image, layer = saved_scribbles(viewer, dock, qtbot)
    copy = viewer.add_layer(Labels.create(*layer.as_layer_data_tuple()))
    assert own_id(copy) != own_id(layer)
    dock.background.value = 1
    dock.layer.value = copy
    assert dock.background.value == 3
    wait_for(qtbot, lambda: len(notes_of(image)) == 2)
    assert {note.facts["result"] for note in notes_of(image)} == {own_id(copy), own_id(layer)}


def test_scribbles_that_are_there_by_now_are_not_brought_back_again(
    viewer: Any, dock: FinetuneDock, notes: list[str], qtbot: Any
) -> None:
    _, layer = saved_scribbles(viewer, dock, qtbot)
    viewer.layers.remove(layer)
    wait_for(qtbot, lambda: not dock.offer.native.isHidden())
    dock.offer.bring_back.native.click()
    dock.offer._is_missing = lambda *_: False
    wait_for(qtbot, lambda: notes == [THERE])
    assert [it.name for it in viewer.layers] == ["cells"]


@pytest.mark.usefixtures("quick")
def test_a_run_on_scribbles_goes_on_when_they_were_brought_back(
    viewer: Any, bright_model: Path, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(finetune_form, "TIMES", [("long", 1e4)])
    monkeypatch.setattr(finetune_form, "USUAL_TIME", 1e4)
    models_folder().mkdir(parents=True)
    load_model(bright_model, "cpu").save(models_folder() / "mine.safetensors")
    image, dock = add_image(viewer), opened(viewer)
    layer = scribbled(viewer, dock)
    dock.model.value = "mine"
    wait_for(qtbot, lambda: len(notes_of(image)) == 1)
    runs = models_folder().parent / FOLDER
    dock.start()
    wait_for(qtbot, lambda: len(list(runs.glob("[!.]*.safetensors"))) == 1)
    worker = dock._worker
    viewer.window.remove_dock_widget(dock.native)
    wait_for(qtbot, lambda: not worker.is_running)
    viewer.layers.remove(layer)
    again = opened(viewer)
    wait_for(qtbot, lambda: not again.offer.native.isHidden())
    again.offer.bring_back.native.click()
    wait_for(qtbot, lambda: again.layer.value is not None)
    assert again.cut_off.native.isHidden()
    again.model.value = "mine"
    assert again.cut_off.text.value == "A run of 10000 s on 'mine' was cut off at 0%."
    again.cut_off.go_on.native.click()
    wait_for(qtbot, lambda: again._curve is not None)
    again.stop.native.click()
    wait_for(qtbot, lambda: again._worker is None)
    assert again._learned.tuned.history[0].number > 1


PAINTER = """
import napari, numpy as np
from qtpy.QtCore import QTimer
pixels = np.zeros((64, 80), np.uint8)
pixels[5:20, 5:20] = 200
viewer = napari.Viewer()
viewer.add_image(pixels, name="cells")
_, dock = viewer.window.add_plugin_dock_widget("napari-unet-nuclei", "Fine-tune on corrections")
layer = viewer.add_labels(np.zeros((64, 80), np.int32), name="mine")
dock.layer.value = layer

def paint():
    layer.data_setitem(np.nonzero(np.ones((64, 80), bool) * (np.arange(80) > 70)), 9)
    print("painted", flush=True)

QTimer.singleShot(500, paint)
napari.run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_scribbles_survive_kill_9(
    viewer: Any, killed_once_painted: Callable[..., Any], qtbot: Any
) -> None:
    image = add_image(viewer)
    with killed_once_painted(PAINTER):
        wait_for(qtbot, lambda: len(notes_of(image)) == 1)
    (note,) = notes_of(image)
    labels = note.labels(user_autosaves().prediction(note))
    assert np.array_equal(labels, np.broadcast_to(9 * (np.arange(80) > 70), (64, 80)))
