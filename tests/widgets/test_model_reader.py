from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtWidgets import QMessageBox

from napari_unet.network.keeping import import_model
from napari_unet.network.library import list_models
from napari_unet.widgets.model_reader import NO_LAYER, model_reader, offer_model

PLUGIN = "napari-unet-nuclei"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked; the answer is yes."""
    questions: list[str] = []

    def ask(parent: Any, title: str, question: str) -> QMessageBox.StandardButton:
        questions.append(question)
        return QMessageBox.StandardButton.Yes

    monkeypatch.setattr(QMessageBox, "question", ask)
    return questions


def names() -> list[str]:
    return [model.name for model in list_models()]


def test_a_model_that_is_opened_is_in_the_lists_after_a_question(
    viewer: Any, bright_model: Path, asked: list[str], notes: list[str], qtbot: Any
) -> None:
    _, segment = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    _, models = viewer.window.add_plugin_dock_widget(PLUGIN, "Models")
    assert viewer.open(str(bright_model), plugin=PLUGIN) == []
    qtbot.waitUntil(lambda: "bright" in segment.model.choices, timeout=60_000)
    qtbot.waitUntil(lambda: "bright" in [v.name for v in models._listed], timeout=60_000)
    qtbot.waitUntil(lambda: models._worker is None, timeout=60_000)
    assert len(asked) == 1
    assert asked[0].startswith("bright.safetensors is a model")
    assert notes == ["bright.safetensors is in the list as 'bright'."]
    assert len(viewer.layers) == 0
    assert names() == ["nuclei", "nuclei-fast", "bright"]


def test_a_model_that_is_declined_is_left_alone(
    viewer: Any, bright_model: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    started: list[Any] = []
    monkeypatch.setattr("napari_unet.widgets.model_reader.worker_for", started.append)
    assert offer_model(str(bright_model)) == NO_LAYER
    assert (started, notes, names()) == ([], [], ["nuclei", "nuclei-fast"])


def test_a_file_that_is_no_model_is_told_without_a_question(
    viewer: Any, tmp_path: Path, asked: list[str], notes: list[str]
) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no model")
    assert viewer.open(str(bad), plugin=PLUGIN) == []
    assert len(notes) == 1
    assert notes[0].startswith("Expected a model of napari-unet, got ")
    assert (asked, names()) == ([], ["nuclei", "nuclei-fast"])


def test_a_model_that_is_there_already_is_told(
    viewer: Any, bright_model: Path, asked: list[str], notes: list[str], qtbot: Any
) -> None:
    import_model(bright_model, "mine")
    offer_model(str(bright_model))
    qtbot.waitUntil(lambda: len(notes) == 1, timeout=60_000)
    assert "which is here already as 'mine'" in notes[0]
    assert names() == ["nuclei", "nuclei-fast", "mine"]


def test_several_files_at_once_are_left_to_other_plugins() -> None:
    assert model_reader(["a.safetensors", "b.safetensors"]) is None
