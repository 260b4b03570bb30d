"""The page in napari's Preferences is set as a user does, and acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari import settings
from napari._qt.dialogs.preferences_dialog import PreferencesDialog
from napari.components import ViewerModel
from napari.layers import Labels
from napari.settings import get_plugin_settings
from npe2 import PluginManifest

import napari_unet
from napari_unet.network import PRECISIONS
from napari_unet.network.library import models_folder
from napari_unet.segmentation import SegmentSettings
from napari_unet.widgets import autosave, preferences
from napari_unet.widgets.autosave import user_autosaves
from napari_unet.widgets.model_events import models_changed
from napari_unet.widgets.preferences import DEVICES, PLUGIN, Preferences, use_folder

MANIFEST = PluginManifest.from_file(Path(napari_unet.__file__).with_name("napari.yaml"))


@pytest.fixture
def without_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the usual place be one of the test's."""
    monkeypatch.delenv("NAPARI_UNET_HOME")
    monkeypatch.setattr(
        "napari_unet.network.library.user_data_path", lambda *_, **__: tmp_path / "usual"
    )


def page() -> Any:
    return get_plugin_settings(PLUGIN).general


def open_dock(viewer: Any, name: str) -> Any:
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]


def test_the_manifest_has_the_defaults_and_the_choices_of_the_code() -> None:
    properties = MANIFEST.contributions.configurations["general"].properties
    assert {name: it.default for name, it in properties.items()} == asdict(Preferences())
    assert properties["device"].enum == list(DEVICES)
    assert properties["precision"].enum == list(PRECISIONS)
    assert properties["tile"].minimum == 2 * SegmentSettings.overlap


def test_nobody_needs_to_visit_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preferences.preferences() == Preferences()

    def unknown(plugin: str) -> None:
        raise KeyError(plugin)

    monkeypatch.setattr(preferences, "get_plugin_settings", unknown)
    assert preferences.preferences() == Preferences()


def test_what_is_set_stays_for_the_next_time() -> None:
    page().device, page().tile = "cpu", 640
    assert preferences.preferences() == Preferences(device="cpu", tile=640)
    settings._clear_plugin_settings_cache()
    assert preferences.preferences() == Preferences(device="cpu", tile=640)


@pytest.mark.parametrize("text", ["general: [", "general:\n  device: abacus\n  tile: 12\n"])
def test_a_damaged_file_of_settings_counts_as_none(text: str) -> None:
    file = get_plugin_settings(PLUGIN).config_path
    file.write_text(text, encoding="utf-8")
    settings._clear_plugin_settings_cache()
    assert preferences.preferences() == Preferences()


def test_the_page_is_among_the_preferences_and_sets_them(
    make_napari_viewer: Callable[..., Any],
) -> None:
    dialog = PreferencesDialog(make_napari_viewer().window._qt_window)
    names = [dialog._list.item(row).text() for row in range(dialog._list.count())]
    shown = dialog._stack.widget(names.index("U-Net nuclei")).widget()
    form = shown.layout().itemAt(0).widget().widget
    form.widgets["tile"].setValue(512)
    form.widgets["autosave"].setChecked(False)
    assert preferences.preferences() == Preferences(tile=512, autosave=False)
    dialog.reject()
    assert preferences.preferences() == Preferences()


def test_docks_open_with_what_is_set(viewer: Any) -> None:
    page().device, page().remember = "cpu", False
    assert open_dock(viewer, "Segment nuclei").device.value == "cpu"
    assert open_dock(viewer, "Fine-tune on corrections").remember.value is False


def test_a_run_takes_the_tile_and_the_precision_that_are_set_by_then(
    viewer: Any, bright_model: Path, qtbot: Any
) -> None:
    dock = open_dock(viewer, "Segment nuclei")
    dock.models.files.append(str(bright_model))
    dock.model.reset_choices()
    dock.model.value = str(bright_model)
    viewer.add_image(np.zeros((40, 50), np.uint8))
    dock.device.value = "cpu"
    page().tile, page().precision = 480, "float32"
    dock.start()
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)
    facts = viewer.layers[-1].metadata["napari_unet"]
    assert facts["settings"]["tile"] == 480
    assert (facts["precision_choice"], facts["device"]) == ("float32", "CPU float32")


@pytest.mark.usefixtures("without_variable")
def test_models_are_in_the_folder_that_is_set_from_the_next_dock_on(
    viewer: Any, bright_model: Path, tmp_path: Path, qtbot: Any
) -> None:
    segment = open_dock(viewer, "Segment nuclei")
    assert models_folder() == tmp_path / "usual" / "models"
    folder = tmp_path / "mine" / "models"
    folder.mkdir(parents=True)
    bright_model.rename(folder / "plate 7.safetensors")
    page().folder = str(folder.parent)
    assert "plate 7" not in segment.model.choices
    models = open_dock(viewer, "Models")
    qtbot.waitUntil(lambda: models._worker is None, timeout=60_000)
    assert [name for name, _ in models._items()] == ["nuclei", "nuclei-fast", "plate 7"]
    assert "plate 7" in segment.model.choices
    assert user_autosaves().folder.parent == folder.parent


def test_the_variable_of_the_environment_wins(tmp_path: Path) -> None:
    before = models_folder()
    page().folder = str(tmp_path / "mine")
    use_folder()
    assert models_folder() == before


@pytest.mark.usefixtures("without_variable")
def test_models_are_listed_anew_only_when_the_folder_has_changed(tmp_path: Path) -> None:
    told: list[object] = []
    models_changed.connect(told.append)
    page().folder = str(tmp_path)
    use_folder()
    use_folder()
    models_changed.disconnect(told.append)
    assert len(told) == 1


@pytest.mark.usefixtures("without_variable")
@pytest.mark.parametrize("text", ["models", "~nobody-of-that-name/models"])
def test_a_folder_that_cannot_be_one_is_told_and_the_usual_one_used(
    text: str, tmp_path: Path, notes: list[str]
) -> None:
    page().folder = text
    use_folder()
    assert models_folder() == tmp_path / "usual" / "models"
    assert notes == [
        f"Expected a folder with its whole path for models and corrections, got {text!r}; correct "
        "it in the Preferences. Until then they are in the usual place."
    ]


def test_corrections_are_saved_only_while_autosave_is_on(
    qapp: Any,
    qtbot: Any,
    add_squares: Callable[..., Labels],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(autosave, "MILLISECONDS_UNTIL_SAVED", 20)
    viewer = ViewerModel()
    layer = add_squares(viewer)
    page().autosave = False
    layer.data_setitem((np.array([50, 50]), np.array([10, 11])), 7)
    qtbot.wait(300)
    assert user_autosaves().is_empty()
    page().autosave = True
    layer.data_setitem((np.array([51, 51]), np.array([10, 11])), 7)
    qtbot.waitUntil(lambda: not user_autosaves().is_empty(), timeout=60_000)
    page().autosave = False
    viewer.layers.remove(layer)
