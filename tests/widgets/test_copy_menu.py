"""The menu is used in a real window, and what it copies is run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.layers import Labels
from napari.settings import get_plugin_settings
from qtpy.QtWidgets import QApplication

from napari_unet.images.files import read_labels
from napari_unet.programs import A_PART, NO_FILE
from napari_unet.widgets.copy_menu import COMMAND, FACTS_MISSING, METHODS, PYTHON
from napari_unet.widgets.segment_dock import SegmentDock

PLUGIN = "napari-unet-nuclei"


@pytest.fixture
def dock(viewer: Any, open_segment: Callable[[Any], SegmentDock]) -> SegmentDock:
    return open_segment(viewer)


def picture(*shape: int) -> np.ndarray:
    image = np.zeros(shape, np.uint8)
    image[..., 5:15, 5:15] = 200
    image[..., 20:32, 30:42] = 200
    return image


def opened(viewer: Any, folder: Path, pixels: np.ndarray) -> Path:
    """Write an image into a folder with a space in its name, and open it as a user does."""
    path = folder / "plate 7" / "my cells.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, pixels, photometric="minisblack")
    viewer.open(path, plugin="napari")
    return path


def segmented(viewer: Any, dock: SegmentDock, qtbot: Any) -> Labels:
    dock.start()
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)
    return next(layer for layer in viewer.layers if isinstance(layer, Labels))


def copy(dock: SegmentDock, kind: str, qtbot: Any) -> str:
    """Choose an entry of the menu and return what is in the clipboard then."""
    clipboard = QApplication.clipboard()
    clipboard.clear()
    dock.copy.native.menu().aboutToShow.emit()
    dock.next_steps.copies.actions[kind].trigger()
    qtbot.waitUntil(lambda: clipboard.text() != "", timeout=60_000)
    return str(clipboard.text())


def labels_of(script: str) -> np.ndarray:
    """Run a script and return the labels that it made."""
    names: dict[str, Any] = {}
    exec(script, names)
    return np.asarray(names["labels"])


def run_in_shell(command: str) -> None:
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, shell=True, env=os.environ | {"PATH": scripts}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_script_and_the_command_make_the_labels_of_the_dock(
    viewer: Any, dock: SegmentDock, qtbot: Any, tmp_path: Path
) -> None:
    path = opened(viewer, tmp_path, picture(40, 50))
    get_plugin_settings(PLUGIN).general.precision = "float32"
    assert dock.copy.native.isHidden()
    layer = segmented(viewer, dock, qtbot)
    assert not dock.copy.native.isHidden()
    assert layer.data.max() == 2
    np.testing.assert_array_equal(labels_of(copy(dock, PYTHON, qtbot)), layer.data)
    assert dock.status.value == "The Python of 'my cells nuclei' is in the clipboard."
    assert "precision='float32')" in copy(dock, PYTHON, qtbot)
    command = copy(dock, COMMAND, qtbot)
    assert "--precision float32" in command
    run_in_shell(command)
    np.testing.assert_array_equal(read_labels(path.with_name("my cells_labels.tif")), layer.data)


def test_every_choice_comes_back_for_a_stack_with_channels(
    viewer: Any, dock: SegmentDock, qtbot: Any, tmp_path: Path
) -> None:
    pixels = np.stack([np.zeros((3, 40, 50), np.uint8), picture(3, 40, 50)], axis=1)
    path = opened(viewer, tmp_path, pixels)
    viewer.layers[0].scale = (4, 1, 1, 1)
    dock.axes.value = "ZCYX"
    dock.channel.value = 1
    dock.diameter.value = 18
    dock.link.value = "overlap"
    dock.quality.value = "best"
    layer = segmented(viewer, dock, qtbot)
    assert layer.data.max() == 2
    np.testing.assert_array_equal(labels_of(copy(dock, PYTHON, qtbot)), layer.data[:, 0])
    command = copy(dock, COMMAND, qtbot)
    for words in ("--channel 1", "--diameter 18", "--link overlap", "--anisotropy 4.0", "best"):
        assert words in command
    run_in_shell(command)
    found = read_labels(path.with_name("my cells_labels.tif"))
    np.testing.assert_array_equal(found, layer.data[:, 0])


def test_the_script_of_a_part_makes_the_labels_there_and_there_is_no_command(
    viewer: Any, dock: SegmentDock, qtbot: Any, tmp_path: Path
) -> None:
    opened(viewer, tmp_path, picture(5, 40, 50))
    viewer.dims.set_current_step(0, 2)
    dock.region.value = "this plane"
    layer = segmented(viewer, dock, qtbot)
    assert layer.data.any(axis=(1, 2)).tolist() == [0, 0, 1, 0, 0]
    np.testing.assert_array_equal(labels_of(copy(dock, PYTHON, qtbot)), layer.data)
    action = dock.next_steps.copies.actions[COMMAND]
    assert not action.isEnabled()
    assert action.toolTip() == A_PART


def test_a_part_that_is_drawn_into_an_earlier_result_says_so(
    viewer: Any, dock: SegmentDock, qtbot: Any, tmp_path: Path
) -> None:
    opened(viewer, tmp_path, picture(5, 40, 50))
    segmented(viewer, dock, qtbot)
    assert "earlier runs" not in copy(dock, METHODS, qtbot)
    dock.region.value = "this plane"
    segmented(viewer, dock, qtbot)
    assert "those of earlier runs" in copy(dock, METHODS, qtbot)
    assert "those of earlier runs" in copy(dock, PYTHON, qtbot)
    dock.region.value = "everything"
    segmented(viewer, dock, qtbot)
    assert "earlier runs" not in copy(dock, METHODS, qtbot)


def test_of_several_results_the_active_one_is_meant(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(2, 40, 50), name="cells")
    dock.axes.value = "CYX"
    first = segmented(viewer, dock, qtbot)
    dock.channel.value = 1
    segmented(viewer, dock, qtbot)
    assert "axes CYX, channel 1" in copy(dock, METHODS, qtbot)
    viewer.layers.selection.active = first
    assert "axes CYX, channel 0" in copy(dock, METHODS, qtbot)


def test_an_image_without_a_file_has_a_script_that_says_what_to_load(
    viewer: Any,
    dock: SegmentDock,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer.add_image(picture(40, 50), name="cells")
    layer = segmented(viewer, dock, qtbot)
    script = copy(dock, PYTHON, qtbot)
    assert "# Load the array of the image layer 'cells' here: shape (40, 50), type uint8." in script
    monkeypatch.chdir(tmp_path)
    np.save("image.npy", viewer.layers["cells"].data)
    np.testing.assert_array_equal(labels_of(script), layer.data)
    action = dock.next_steps.copies.actions[COMMAND]
    assert not action.isEnabled()
    assert action.toolTip() == NO_FILE
    dock.next_steps.copies.copy(COMMAND)
    qtbot.waitUntil(lambda: dock.status.value == NO_FILE, timeout=60_000)


def test_what_was_corrected_by_hand_is_told_and_not_in_the_script(
    viewer: Any, dock: SegmentDock, qtbot: Any, tmp_path: Path
) -> None:
    opened(viewer, tmp_path, picture(40, 50))
    layer = segmented(viewer, dock, qtbot)
    before = layer.data.copy()
    layer.data_setitem(np.nonzero(np.arange(50) >= 45 * np.ones((40, 1))), 9)
    layer.data_setitem(np.nonzero(layer.data == 1), 0)
    assert "Afterwards, 2 nuclei were corrected by hand." in copy(dock, METHODS, qtbot)
    assert dock.status.value == "The methods text of 'my cells nuclei' is in the clipboard."
    script = copy(dock, PYTHON, qtbot)
    assert "# Afterwards, 2 nuclei were corrected by hand. They are not in these" in script
    assert dock.status.value.endswith("makes the labels as they were before you corrected them.")
    np.testing.assert_array_equal(labels_of(script), before)


def test_the_text_for_a_paper_has_model_versions_device_and_date(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(40, 50), name="cells")
    facts = segmented(viewer, dock, qtbot).metadata["napari_unet"]
    text = copy(dock, METHODS, qtbot)
    assert [*facts["versions"]] == [
        PLUGIN, "torch", "numpy", "scikit-image", "napari", "Python"
    ]  # fmt: skip
    for number in (*facts["versions"].values(), facts["model_sha256"], facts["date"][:10]):
        assert number in text
    assert f"on {facts['device']} with" in text


def test_a_model_that_was_renamed_is_found_and_another_one_is_refused(
    viewer: Any, dock: SegmentDock, qtbot: Any, tmp_path: Path, bright_model: Path
) -> None:
    from napari_unet.network.keeping import keep, rename
    from napari_unet.network.library import load_model, models_folder
    from napari_unet.widgets.model_events import model_chosen

    keep(load_model(bright_model, "cpu"), "first")
    model_chosen(model="first")
    opened(viewer, tmp_path, picture(40, 50))
    layer = segmented(viewer, dock, qtbot)
    renamed = rename("first", "plate 7")
    script = copy(dock, PYTHON, qtbot)
    assert repr(str(models_folder() / "plate 7.safetensors")) in script
    np.testing.assert_array_equal(labels_of(script), layer.data)
    load_model("nuclei", "cpu").save(renamed, overwrite=True)
    with pytest.raises(ValueError, match="Expected the model that made the labels"):
        labels_of(script)


def test_a_result_of_an_earlier_version_is_told_in_one_sentence(
    viewer: Any,
    dock: SegmentDock,
    qtbot: Any,
    notes: list[str],
    tmp_path: Path,
) -> None:
    opened(viewer, tmp_path, picture(40, 50))
    del segmented(viewer, dock, qtbot).metadata["napari_unet"]["region"]
    dock.copy.native.menu().aboutToShow.emit()
    assert dock.next_steps.copies.actions[COMMAND].toolTip() == FACTS_MISSING
    dock.next_steps.copies.actions[METHODS].trigger()
    qtbot.waitUntil(lambda: notes == [FACTS_MISSING], timeout=60_000)
