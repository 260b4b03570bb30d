from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from napari.layers._layer_actions import _duplicate_layer

from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.widgets import adjusting
from napari_unet.widgets.adjust import readout
from napari_unet.widgets.corrections import edited, facts_of
from napari_unet.widgets.segment_dock import SegmentDock

PLUGIN = "napari-unet-nuclei"
OWN = InstanceSettings()
DIM, BRIGHT = (slice(5, 15), slice(5, 15)), (slice(20, 32), slice(30, 42))


@pytest.fixture
def dock(viewer: Any, open_segment: Callable[[Any], SegmentDock]) -> SegmentDock:
    dock = open_segment(viewer)
    dock.diameter.value = 20
    return dock


def picture(*shape: int) -> np.ndarray:
    """Return a nucleus that the network is hardly sure of, and a bright one."""
    image = np.zeros(shape, np.float32)
    image[..., *DIM], image[..., *BRIGHT] = 0.525, 1.0
    return image


def segment(viewer: Any, dock: SegmentDock, qtbot: Any, *shape: int) -> Labels:
    viewer.add_image(picture(*shape))
    dock.axes.value = "ZYX"[-len(shape) :]
    dock.start()
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)
    return next(layer for layer in viewer.layers if isinstance(layer, Labels))


def rest(dock: SegmentDock, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: dock._adjusting.chosen.is_at_rest, timeout=60_000)


def ids(layer: Labels) -> list[int]:
    return np.unique(layer.data).tolist()


def test_the_section_is_there_when_there_are_maps(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    assert dock.adjust.section.isHidden()
    layer = segment(viewer, dock, qtbot, 40, 50)
    assert not dock.adjust.section.isHidden()
    assert dock.adjust.room.value == "Its maps take 6 kB in memory."
    viewer.layers.remove(layer)
    assert dock.adjust.section.isHidden()
    assert dock._adjusting._every == {}


def test_a_slider_changes_labels_and_settings_and_reset_brings_them_back(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    layer = segment(viewer, dock, qtbot, 40, 50)
    before = layer.data.copy()
    assert ids(layer) == [0, 1, 2]
    dock.adjust.threshold.value = 0.9
    rest(dock, qtbot)
    np.testing.assert_array_equal(layer.data, np.where(before == 1, 0, before))
    assert facts_of(layer)["settings"]["instances"]["threshold"] == 0.9
    assert layer.features["index"].tolist() == [2]
    assert dock.adjust.status.value == "1 nucleus"
    assert edited(layer).find().summary() == "nothing corrected yet"
    dock.adjust.reset.native.click()
    rest(dock, qtbot)
    np.testing.assert_array_equal(layer.data, before)
    assert layer.features["index"].tolist() == [1, 2]
    assert InstanceSettings(**facts_of(layer)["settings"]["instances"]) == OWN
    assert dock.adjust.threshold.value == OWN.threshold


@pytest.mark.parametrize("link", ["auto", "overlap", "none"])
def test_the_shown_plane_comes_first_and_all_follow(
    viewer: Any, dock: SegmentDock, qtbot: Any, link: str
) -> None:
    dock.link.value = link
    layer = segment(viewer, dock, qtbot, 4, 40, 50)
    viewer.dims.set_current_step(0, 2)
    before = layer.data.copy()
    dock.adjust.threshold.value = 0.9
    qtbot.waitUntil(lambda: not layer.data[2, 7, 7], timeout=60_000)
    assert layer.data[[0, 1, 3], 7, 7].all()
    assert edited(layer).find().summary() == "nothing corrected yet"
    rest(dock, qtbot)
    expected = before.copy()
    expected[:, *DIM] = 0
    np.testing.assert_array_equal(layer.data, expected)


def test_corrected_nuclei_stay_and_the_rest_is_adjusted(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    layer = segment(viewer, dock, qtbot, 3, 40, 50)
    added = np.zeros(layer.data.shape, bool)
    added[1, 34:39, 2:8] = True
    layer.data_setitem(np.nonzero(added), 9)
    grown = np.zeros(layer.data.shape, bool)
    grown[0, 15:18, 5:15] = True  # of the dim nucleus, on another plane than the shown one
    layer.data_setitem(np.nonzero(grown), 1)
    viewer.dims.set_current_step(0, 1)
    corrected = layer.data.copy()
    said = edited(layer).find().summary()
    dock.adjust.threshold.value = 0.9
    rest(dock, qtbot)
    np.testing.assert_array_equal(layer.data, corrected)
    dock.adjust.largest.value = 5
    qtbot.waitUntil(lambda: not layer.data[1, 25, 35], timeout=60_000)
    np.testing.assert_array_equal(layer.data[1] == 9, added[1])
    rest(dock, qtbot)
    np.testing.assert_array_equal(layer.data, np.where(corrected == 2, 0, corrected))
    assert edited(layer).find().summary() == said


def test_what_is_painted_while_planes_are_drawn_is_kept(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    layer = segment(viewer, dock, qtbot, 3, 40, 50)
    dock.adjust.threshold.value = 0.9
    added = np.zeros(layer.data.shape, bool)
    added[0, 34:39, 2:8] = True
    layer.data_setitem(np.nonzero(added), 9)
    rest(dock, qtbot)
    np.testing.assert_array_equal(layer.data == 9, added)
    assert ids(layer) == [0, 2, 9]
    assert edited(layer).find().summary() == "1 nucleus added on 1 plane"


def test_a_run_that_starts_before_all_planes_followed_takes_the_first_one_back(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    layer = segment(viewer, dock, qtbot, 3, 40, 50)
    viewer.dims.set_current_step(0, 0)
    before, prediction = layer.data.copy(), edited(layer).prediction.copy()
    dock.adjust.threshold.value = 0.9
    qtbot.waitUntil(lambda: ids(layer) == [0, 1, 2] and not layer.data[0, 7, 7], timeout=60_000)
    dock._adjusting.stop()
    np.testing.assert_array_equal(layer.data, before)
    np.testing.assert_array_equal(edited(layer).prediction, prediction)


def test_sizes_are_told_in_the_units_of_the_image(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(40, 50), scale=(0.5, 0.5), units=("um", "um"))
    dock.start()
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)
    layer = next(layer for layer in viewer.layers if isinstance(layer, Labels))
    assert readout(dock.adjust.smallest).text() == "2.0 µm"
    assert dock.adjust.smallest.value == pytest.approx(1.95, abs=0.03)
    dock.adjust.smallest.value = 6.0  # 12 pixels: the dim one has 100, the other one 144
    rest(dock, qtbot)
    assert ids(layer) == [0, 2]
    assert facts_of(layer)["settings"]["instances"]["min_size"] == 113


def test_the_next_run_of_the_model_goes_by_what_was_adjusted(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    layer = segment(viewer, dock, qtbot, 40, 50)
    dock.adjust.threshold.value = 0.9
    rest(dock, qtbot)
    dock.start()
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)
    assert ids(layer) == [0, 1]
    assert dock.adjust.threshold.value == pytest.approx(0.9)
    dock.adjust.reset.native.click()
    rest(dock, qtbot)
    assert len(ids(layer)) == 3


def test_only_the_region_of_the_run_is_adjusted(viewer: Any, dock: SegmentDock, qtbot: Any) -> None:
    layer = segment(viewer, dock, qtbot, 3, 40, 50)
    viewer.dims.set_current_step(0, 1)
    dock.region.value = "this plane"
    dock.start()
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)
    dock.adjust.threshold.value = 0.9
    rest(dock, qtbot)
    assert (layer.data[:, 7, 7] > 0).tolist() == [True, False, True]
    assert (layer.data[:, 25, 35] > 0).all()


def test_closing_the_dock_lets_go_of_the_maps_and_the_layer(
    viewer: Any, bright_model: Path, qtbot: Any
) -> None:
    widget, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.models.files.append(str(bright_model))
    dock.model.reset_choices()
    dock.model.value = str(bright_model)
    layer = segment(viewer, dock, qtbot, 3, 40, 50)
    before = layer.data.copy()
    section = dock._adjusting
    dock.adjust.threshold.value = 0.9
    viewer.window.remove_dock_widget(widget)
    assert section._every == {}
    layer.data_setitem((np.array([0]), np.array([39]), np.array([0])), 5)
    qtbot.wait(600)
    before[0, 39, 0] = 5
    np.testing.assert_array_equal(layer.data, before)


def test_without_its_image_a_result_is_adjusted_all_the_same(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    layer = segment(viewer, dock, qtbot, 40, 50)
    viewer.layers.remove(viewer.layers[0])
    viewer.layers.selection.active = layer
    dock.adjust.threshold.value = 0.9
    rest(dock, qtbot)
    assert ids(layer) == [0, 2]
    assert facts_of(layer)["settings"]["instances"]["threshold"] == 0.9


def test_in_3d_all_planes_are_drawn_at_once(viewer: Any, dock: SegmentDock, qtbot: Any) -> None:
    layer = segment(viewer, dock, qtbot, 3, 40, 50)
    viewer.dims.ndisplay = 3
    dock.adjust.threshold.value = 0.9
    rest(dock, qtbot)
    assert ids(layer) == [0, 2]


def test_a_copy_of_a_result_is_not_adjusted_with_it(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    layer = segment(viewer, dock, qtbot, 40, 50)
    viewer.layers.selection.active = layer
    _duplicate_layer(viewer.layers)
    copy = viewer.layers[viewer.layers.index(layer) + 1]
    before = copy.data.copy()
    viewer.layers.selection.active = layer
    dock.adjust.threshold.value = 0.9
    rest(dock, qtbot)
    np.testing.assert_array_equal(edited(copy).prediction, before)
    np.testing.assert_array_equal(copy.data, before)


def test_an_error_is_told_in_one_sentence(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("out of luck")

    layer = segment(viewer, dock, qtbot, 40, 50)
    before = layer.data.copy()
    monkeypatch.setattr(adjusting, "plane_of", broken)
    dock.adjust.threshold.value = 0.9
    rest(dock, qtbot)
    assert dock.adjust.status.value == (
        "The result could not be adjusted (RuntimeError: out of luck); segment the image again."
    )
    np.testing.assert_array_equal(layer.data, before)


def test_a_stroke_between_two_moves_is_kept_and_ids_stay(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    layer = segment(viewer, dock, qtbot, 40, 50)
    before = layer.data.copy()
    for threshold in (0.9, 0.8, 0.95):
        dock.adjust.threshold.value = threshold
    dot = (np.array([38]), np.array([3]))
    layer.data_setitem(dot, 9)
    dock.adjust.threshold.value = 0.5
    rest(dock, qtbot)
    before[dot] = 9
    np.testing.assert_array_equal(layer.data, before)
    assert edited(layer).find().summary() == "1 nucleus added"
