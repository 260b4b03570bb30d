from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from napari.layers import Labels
from qtpy.QtWidgets import QAbstractItemDelegate, QLineEdit

from napari_unet.network.files import known_hash
from napari_unet.network.keeping import delete, import_model, keep, rename
from napari_unet.network.library import (
    BUILT_INS,
    find_again,
    list_models,
    load_model,
    models_folder,
)
from napari_unet.network.model import Model
from napari_unet.widgets import model_actions, models_dock
from napari_unet.widgets.model_events import model_chosen, models_changed
from napari_unet.widgets.models_dock import ModelsDock

PLUGIN = "napari-unet-nuclei"


@pytest.fixture
def family(bright_model: Path) -> None:
    """A model, its child, and the child of that."""
    keep(load_model(bright_model, "cpu"), "first")
    tune("first", "second", 7)
    tune("second", "third", 12)


@pytest.fixture
def dock(viewer: Any, family: None, qtbot: Any) -> ModelsDock:
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Models")
    wait(qtbot, dock)
    return dock


@pytest.fixture
def segment(viewer: Any) -> Any:
    _, segment = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    return segment


def tune(parent: str, name: str, n_nuclei: int) -> None:
    """Keep a model that says that it was tuned from another one."""
    model = load_model(parent, "cpu")
    facts = {
        "parent_name": parent,
        "date": "2026-11-24",
        "n_nuclei": n_nuclei,
        "before": {"corrected": 0.41},
        "after": {"corrected": 0.72},
    }
    card = replace(model.card, parent=model.sha256, training=facts)
    keep(Model(model.network, card), name)


def wait(qtbot: Any, dock: ModelsDock) -> None:
    qtbot.waitUntil(lambda: dock._worker is None, timeout=60_000)


def names() -> list[str]:
    return [model.name for model in list_models()]


def outline(dock: ModelsDock) -> list[str]:
    """Return the tree as text: a dot per level, and the columns."""
    lines = []
    for _, item in dock._items():
        parent, depth = item.parent(), 0
        while parent is not None:
            parent, depth = parent.parent(), depth + 1
        lines.append("." * depth + " ".join(filter(None, map(item.text, range(4)))))
    return lines


def texts(dock: ModelsDock) -> list[list[str]]:
    """Return the rows of the table of facts."""
    table = dock.facts
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def retype(dock: ModelsDock, old: str, new: str) -> None:
    """Type another name as the user does."""
    dock.select([old])
    dock.rename.native.click()
    editor = dock.tree.findChild(QLineEdit)
    editor.setText(new)
    dock.tree.commitData(editor)
    dock.tree.closeEditor(editor, QAbstractItemDelegate.EndEditHint.NoHint)


def test_models_stand_below_their_parents_with_what_each_brought(dock: ModelsDock) -> None:
    assert outline(dock) == [
        *(f"{name} {load_model(name, 'cpu').card.training['date']}" for name in BUILT_INS),
        "first",
        ".second 0.41 → 0.72 7 2026-11-24",
        "..third 0.41 → 0.72 12 2026-11-24",
    ]


def test_only_what_can_be_done_is_offered(dock: ModelsDock) -> None:
    def offered() -> list[str]:
        buttons = (dock.use, dock.go_back, dock.compare, dock.rename, dock.delete, dock.export)
        return [button.text for button in buttons if button.enabled]

    assert offered() == []
    dock.select(["nuclei"])
    assert offered() == ["Use", "Details", "Export …"]
    dock.select(["first"])
    assert offered() == ["Use", "Details", "Rename", "Delete", "Export …"]
    dock.select(["third"])
    assert offered() == ["Use", "Go back", "Details", "Rename", "Delete", "Export …"]
    dock.select(["first", "third"])
    assert offered() == ["Compare"]
    dock.select(["nuclei", "first", "third"])
    assert offered() == []


def test_a_model_is_used_where_images_are_segmented(viewer: Any, dock: ModelsDock) -> None:
    dock.select(["second"])
    dock.use.native.click()
    _, segment = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    assert segment.model.value == "second"
    assert dock.status.value == "Segment nuclei uses 'second' now."


def test_one_click_goes_back_to_the_parent(dock: ModelsDock, segment: Any) -> None:
    dock.select(["third"])
    dock.go_back.native.click()
    assert segment.model.value == "second"
    assert [version.name for version in dock.selected()] == ["second"]
    dock.go_back.native.click()
    assert segment.model.value == "first"
    assert names() == ["nuclei", "nuclei-fast", "first", "second", "third"]


def test_where_the_parent_is_gone_one_cannot_go_back(
    dock: ModelsDock, notes: list[str], qtbot: Any
) -> None:
    dock.select(["second"])
    dock.delete.native.click()
    wait(qtbot, dock)
    assert outline(dock)[3:] == ["second (gone)", ".third 0.41 → 0.72 12 2026-11-24"]
    dock.select(["third"])
    dock.go_back.native.click()
    assert notes == [dock.status.value]
    assert "Expected 'second', from which 'third' was tuned" in notes[0]


def test_a_renamed_model_is_followed_by_docks_and_results(
    viewer: Any,
    dock: ModelsDock,
    segment: Any,
    add_squares: Callable[..., Labels],
    qtbot: Any,
) -> None:
    facts = [add_squares(viewer).metadata["napari_unet"] for _ in range(3)]
    file = models_folder() / "second.safetensors"
    for fact, place in zip(facts, ["second", str(file), "third"], strict=True):
        used = file if place != "third" else file.with_stem("third")
        fact |= {"model_file": place, "model_sha256": known_hash(used)}
    model_chosen(model="second")
    wait(qtbot, dock)
    retype(dock, "second", "plate 7")
    wait(qtbot, dock)
    assert names() == ["nuclei", "nuclei-fast", "first", "plate 7", "third"]
    assert outline(dock)[3:] == [
        ".plate 7 0.41 → 0.72 7 2026-11-24",
        "..third 0.41 → 0.72 12 2026-11-24",
    ]
    assert [version.name for version in dock.selected()] == ["plate 7"]
    assert segment.model.value == "plate 7"
    assert segment.status.value == ""
    found = [find_again(fact["model_file"], fact["model_sha256"]) for fact in facts]
    assert found == ["plate 7", "plate 7", "third"]


def test_a_name_that_is_taken_is_refused_and_the_old_one_stays(
    dock: ModelsDock, notes: list[str], qtbot: Any
) -> None:
    retype(dock, "second", "third")
    wait(qtbot, dock)
    assert notes == ["Expected a new name, got 'third', which is taken; choose another."]
    assert names() == ["nuclei", "nuclei-fast", "first", "second", "third"]
    assert outline(dock)[3] == ".second 0.41 → 0.72 7 2026-11-24"


def test_a_deleted_model_is_used_no_more_and_comes_back_by_one_click(
    dock: ModelsDock, segment: Any, qtbot: Any
) -> None:
    segment.model.value = "third"
    assert dock.undo.native.isHidden()
    dock.select(["third"])
    dock.delete.native.click()
    wait(qtbot, dock)
    assert names() == ["nuclei", "nuclei-fast", "first", "second"]
    assert segment.model.value == "nuclei"
    assert segment.status.value == (
        "The model 'third' is gone from the list; 'nuclei' is chosen instead."
    )
    assert dock.status.value == "'third' is in the trash."
    assert dock.undo.text == "Bring 'third' back"
    dock.undo.native.click()
    wait(qtbot, dock)
    assert dock.undo.native.isHidden()
    assert names() == ["nuclei", "nuclei-fast", "first", "second", "third"]
    assert [version.name for version in dock.selected()] == ["third"]
    assert "third" in segment.model.choices
    assert segment.model.value == "nuclei"


def test_what_is_known_is_shown_for_one_model_and_side_by_side_for_two(dock: ModelsDock) -> None:
    assert dock.facts.isHidden()
    dock.select(["second"])
    dock.compare.native.click()
    assert not dock.facts.isHidden()
    assert dock.facts.horizontalHeaderItem(1).text() == "second"
    assert ["parent", "first"] in texts(dock)
    dock.select(["second", "third"])
    assert dock.facts.isHidden()
    dock.compare.native.click()
    assert dock.facts.horizontalHeaderItem(2).text() == "third"
    assert ["parent", "first", "second"] in texts(dock)
    assert ["corrections", "7 nuclei", "12 nuclei"] in texts(dock)
    assert ["corrected nuclei", "0.41 → 0.72", "0.41 → 0.72"] in texts(dock)


def test_a_model_is_exported_and_imported_through_dialogs(
    dock: ModelsDock, segment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    answers = iter([str(tmp_path / "copy"), str(tmp_path / "copy.safetensors"), ""])
    for dialog in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(
            models_dock.QFileDialog, dialog, lambda *_: (next(answers), models_dock.FILTER)
        )
    dock.select(["third"])
    dock.export.native.click()
    wait(qtbot, dock)
    assert dock.status.value == "'third' is copied to copy.safetensors."
    delete("third")
    dock.import_.native.click()
    wait(qtbot, dock)
    assert dock.status.value == "copy.safetensors is in the list as 'copy'."
    assert [version.name for version in dock.selected()] == ["copy"]
    assert "copy" in segment.model.choices
    dock.import_.native.click()
    assert dock._worker is None
    assert names() == ["nuclei", "nuclei-fast", "copy", "first", "second"]


def test_a_file_is_exported_over_only_if_the_dialog_has_asked(
    dock: ModelsDock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notes: list[str],
    qtbot: Any,
) -> None:
    there = tmp_path / "there.safetensors"
    there.write_bytes(b"precious")
    dock.select(["first"])
    for typed in (tmp_path / "there", there):
        monkeypatch.setattr(
            models_dock.QFileDialog, "getSaveFileName", lambda *_, typed=typed: (str(typed), "")
        )
        dock.export.native.click()
        wait(qtbot, dock)
        if typed != there:
            assert there.read_bytes() == b"precious"
            assert len(notes) == 1
            assert "Expected a new file" in notes[0]
    assert there.read_bytes() == (models_folder() / "first.safetensors").read_bytes()


def test_a_file_that_is_no_model_is_not_imported(
    dock: ModelsDock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notes: list[str],
    qtbot: Any,
) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no model")
    answer = (str(tmp_path / "bad.safetensors"), "")
    monkeypatch.setattr(models_dock.QFileDialog, "getOpenFileName", lambda *_: answer)
    dock.import_.native.click()
    assert dock.status.value == "Checking the file …"
    wait(qtbot, dock)
    assert len(notes) == 1
    assert notes[0].startswith("Expected a model of napari-unet, got ")
    assert names() == ["nuclei", "nuclei-fast", "first", "second", "third"]


def test_a_model_that_another_dock_keeps_is_listed(
    dock: ModelsDock, bright_model: Path, qtbot: Any
) -> None:
    keep(load_model(bright_model, "cpu"), "kept")
    model_chosen(model="kept")
    wait(qtbot, dock)
    assert "kept" in outline(dock)


def test_what_changes_while_models_are_listed_is_listed_as_well(
    dock: ModelsDock, qtbot: Any
) -> None:
    dock._refresh()
    rename("third", "last")
    models_changed(renamed={"third": "last"})
    qtbot.waitUntil(lambda: outline(dock)[4].startswith("..last"), timeout=60_000)
    wait(qtbot, dock)


def test_what_is_asked_for_while_something_is_done_is_done_next_and_in_order(
    dock: ModelsDock, qtbot: Any
) -> None:
    dock._refresh()
    dock._refresh()
    dock._act(partial(model_actions.rename, "second", "plate 7"))
    dock._act(partial(model_actions.delete, "third"))
    dock._refresh()
    assert names() == ["nuclei", "nuclei-fast", "first", "second", "third"]
    wait(qtbot, dock)
    assert names() == ["nuclei", "nuclei-fast", "first", "plate 7"]
    assert outline(dock)[2:] == ["first", ".plate 7 0.41 → 0.72 7 2026-11-24"]
    assert dock.status.value == "'third' is in the trash."


def test_models_that_cannot_be_listed_stay_as_they_were(
    dock: ModelsDock, notes: list[str], monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    def damaged() -> None:
        raise OSError("Input/output error")

    before = outline(dock)
    monkeypatch.setattr(model_actions, "list_versions", damaged)
    dock._refresh()
    wait(qtbot, dock)
    assert len(notes) == 1
    assert notes[0].startswith("The models could not be listed (OSError: Input/output error); ")
    assert outline(dock) == before


def test_a_damaged_model_can_be_deleted_but_not_used(dock: ModelsDock, qtbot: Any) -> None:
    (models_folder() / "bad.safetensors").write_bytes(b"no model")
    models_changed(renamed={})
    wait(qtbot, dock)
    assert "bad damaged" in outline(dock)
    dock.select(["bad"])
    assert not dock.use.enabled
    dock.compare.native.click()
    assert texts(dock)[0][0] == "problem"
    dock.delete.native.click()
    wait(qtbot, dock)
    assert names() == ["nuclei", "nuclei-fast", "first", "second", "third"]


def test_after_the_docks_are_closed_nothing_stays_connected(
    viewer: Any, dock: ModelsDock, segment: Any, qtbot: Any
) -> None:
    dock._refresh()
    viewer.window.remove_dock_widget(dock.native)
    viewer.window.remove_dock_widget(segment.native)
    assert len(model_chosen.callbacks) == len(models_changed.callbacks) == 0
    qtbot.waitUntil(lambda: dock._worker is None, timeout=60_000)


def test_a_package_of_another_program_can_be_chosen_in_the_dock_that_segments(
    viewer, open_segment, other_package
):
    path = import_model(other_package())
    segment = open_segment(viewer)
    assert path.stem in segment.model.choices
