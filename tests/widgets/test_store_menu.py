"""Remembered corrections in the dock: exported, imported, forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_unet.learning.crops import Crop
from napari_unet.learning.store import Store
from napari_unet.network.library import models_folder
from napari_unet.widgets.finetune_dock import FinetuneDock

AddResult = Callable[..., Labels]


def store() -> Store:
    return Store.of_line(models_folder().parent, "bright")


def crop(source: str) -> Crop:
    labels = np.array([[0, 1, 0, 2]], np.int32)
    return Crop(labels.astype(np.uint8), labels, labels >= 0, 20.0, (0.0, 2.0), source)


@pytest.fixture
def dock(make_napari_viewer_proxy: Callable[..., Any], add_squares: AddResult) -> FinetuneDock:
    viewer = make_napari_viewer_proxy()
    add_squares(viewer)
    store().add([crop("a.tif")])
    _, dock = viewer.window.add_plugin_dock_widget("napari-unet-nuclei", "Fine-tune on corrections")
    return dock


def answer(monkeypatch: pytest.MonkeyPatch, path: Path | str) -> None:
    """Let every dialog for files be answered with this one; an empty name is a cancelled one."""
    for dialog in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, dialog, lambda *_: (str(path), ""))


def enabled(dock: FinetuneDock) -> list[str]:
    """Return what the menu lets the user do, when it opens."""
    menu = dock.stored.native.menu()
    menu.aboutToShow.emit()
    return [action.text() for action in menu.actions() if action.isEnabled()]


def test_what_is_remembered_goes_to_a_colleague_and_back(
    dock: FinetuneDock, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dock.stored.text.startswith("2 nuclei, 0.0 MB")
    assert enabled(dock) == ["Export …", "Import …", "Forget all …"]
    answer(monkeypatch, tmp_path / "plate.v2.zip")
    dock._menu.export()
    qtbot.waitUntil(
        lambda: dock.status.value == "Exported 1 corrected crop to plate.v2.zip.", timeout=60_000
    )
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    dock._menu.forget()
    assert store().size().n_crops == 1
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    dock._menu.forget()
    qtbot.waitUntil(lambda: dock.status.value == "Forgot 1 corrected crop.", timeout=60_000)
    assert enabled(dock) == ["Import …"]
    assert dock.stored.text == "no nuclei yet"
    dock._menu.import_()
    qtbot.waitUntil(lambda: dock.status.value == "Imported 1 corrected crop.", timeout=60_000)
    assert store().size().n_nuclei == 2


def test_what_cannot_be_taken_in_is_told_and_changes_nothing(
    dock: FinetuneDock, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    notes: list[str],
) -> None:  # fmt: skip
    (tmp_path / "holiday.zip").write_bytes(b"no archive")
    answer(monkeypatch, tmp_path / "holiday.zip")
    dock._menu.import_()
    qtbot.waitUntil(lambda: "holiday.zip" in dock.status.value, timeout=60_000)
    assert notes == [dock.status.value]
    assert store().size().n_crops == 1
    answer(monkeypatch, "")
    dock._menu.export()
    assert notes == [dock.status.value]


def test_the_menu_rests_while_a_model_learns(dock: FinetuneDock) -> None:
    dock.show_learning(live=False)
    assert not dock.stored.enabled
    dock.show_inputs("")
    assert dock.stored.enabled
