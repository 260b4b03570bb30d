from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_model.types import KeyBinding
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap, label_colormap
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from skimage.draw import disk

from napari_unet.images.axes import label_axes
from napari_unet.network.files import known_hash
from napari_unet.segmentation import SegmentSettings
from napari_unet.widgets.corrections import edited, is_confirmed
from napari_unet.widgets.doubt_form import DELETE, NEXT, PREVIOUS, RIGHT, SPLIT
from napari_unet.widgets.doubt_section import NONE_LEFT, UNKNOWN
from napari_unet.widgets.highlight import Highlight
from napari_unet.widgets.results import add_result, draw
from napari_unet.widgets.segment_dock import SegmentDock
from napari_unet.widgets.segmenting import Finished

PLUGIN = "napari-unet-nuclei"
KEYS = (NEXT, PREVIOUS, RIGHT, DELETE, SPLIT)
SURE = (0.9, 0.3, 0.65)  # of the nuclei 1, 2, 3


@pytest.fixture
def other(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    return make_napari_viewer_proxy()


@pytest.fixture
def shown(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    return make_napari_viewer_proxy(show=True)


def three(*shape: int) -> np.ndarray:
    """Return three nuclei; the second is two discs in a row."""
    labels = np.zeros((*shape, 80, 120), np.int32)
    plane = labels[(0,) * len(shape)]
    plane[5:20, 5:20] = 1
    for middle in (50, 70):
        plane[disk((50, middle), 12)] = 2
    labels[(-1,) * len(shape)][10:22, 90:110] = 3
    return labels


@pytest.fixture
def add(bright_model: Path) -> Callable[..., Labels]:
    """Add an image and the result of a run, which was so sure of its nuclei."""

    def to(viewer: Any, axes: str = "YX", labels: np.ndarray | None = None, **at: Any) -> Labels:
        labels = three(*(4,) * (len(label_axes(axes)) - 2)) if labels is None else labels
        pixels = np.zeros(labels.shape, np.uint8)
        if "C" in axes:
            pixels = np.stack([pixels] * 2, axes.index("C"))
        image = viewer.add_image(pixels, name="cells", **at)
        facts = {
            "model": "bright",
            "model_file": str(bright_model),
            "model_sha256": known_hash(bright_model),
            "line": "bright",
            "device_choice": "cpu",
            "device": "cpu",
            "axes": axes,
            "settings": asdict(SegmentSettings(diameter=20.0)),
        }
        sure = np.array([np.nan, *SURE], np.float32)
        place = (slice(None),) * labels.ndim
        outcome = Finished(labels, place, labels.shape, 20.0, 0.1, facts, confidence=sure)
        return add_result(viewer, image, outcome, draw(outcome))

    return to


def opened(viewer: Any) -> SegmentDock:
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    return dock


def summary(layer: Labels) -> str:
    return edited(layer).find().summary()


def press(dock: SegmentDock, key: str) -> None:
    """Press a key in the dock's window as a keyboard does."""
    shift = Qt.KeyboardModifier.ShiftModifier
    held = shift if key.startswith("Shift+") else Qt.KeyboardModifier.NoModifier
    QTest.keyClick(dock.native.window(), getattr(Qt.Key, f"Key_{key[-1]}"), held)


@pytest.mark.usefixtures("viewer")
def test_no_key_is_one_that_napari_binds_itself() -> None:
    taken = {str(key) for it in (ViewerModel, Labels, Image) for key in it.class_keymap}
    assert {"M", "P", "Left", "O"} <= taken
    assert taken.isdisjoint(KEYS)


def test_a_result_is_counted_and_its_keys_are_shown(viewer: Any, add: Any) -> None:
    dock = opened(viewer)
    assert dock.doubts.section.isHidden()
    assert not set(KEYS) & {str(key) for key in viewer.keymap}
    add(viewer)
    assert not dock.doubts.section.isHidden()
    assert dock.doubts.counts.value == "3 nuclei, 2 doubtful"
    assert [button.text for button in dock.doubts.buttons.values()] == [
        "Previous  Shift+N",
        "Next  N",
        "Is right  R",
        "Delete  D",
        "Split  S",
    ]
    assert set(KEYS) <= {str(key) for key in viewer.keymap}


def test_a_run_in_the_dock_says_how_sure_it_was(
    viewer: Any, bright_model: Path, qtbot: Any
) -> None:
    dock = opened(viewer)
    dock.models.files.append(str(bright_model))
    dock.model.reset_choices()
    dock.model.value, dock.device.value = str(bright_model), "cpu"
    viewer.add_image(np.where(three() > 0, 200, 0).astype(np.uint8))
    dock.button.native.click()
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)
    assert dock.doubts.counts.value == "3 nuclei, 0 doubtful"
    dock.doubts.next.native.click()
    assert dock.doubts.status.value.startswith("Nucleus ")


def test_keys_go_to_the_least_certain_nuclei_and_back(shown: Any, add: Any) -> None:
    layer, dock = add(shown), opened(shown)
    assert not dock.doubts.section.isExpanded()
    for key, number in ((NEXT, 2), (NEXT, 3), (NEXT, 1), (PREVIOUS, 3), (NEXT, 1), (NEXT, 2)):
        press(dock, key)
        assert layer.selected_label == number
    assert dock.doubts.status.value == "Nucleus 2, confidence 0.30"
    assert dock.doubts.section.isExpanded()
    assert shown.scene.camera.center[-2:] == (50, 60)


def test_keys_do_nothing_while_a_dock_has_nothing_to_go_to(shown: Any) -> None:
    dock = opened(shown)
    layer = shown.add_labels(three())
    before = layer.data.copy()
    for key in KEYS:
        press(dock, key)
    assert layer.selected_label == 1
    np.testing.assert_array_equal(layer.data, before)


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "TZYX", "ZCYX", "CZYX"])
def test_a_nucleus_is_shown_on_its_plane(viewer: Any, add: Any, axes: str) -> None:
    layer, dock = add(viewer, axes), opened(viewer)
    walked = [viewer.dims.ndim - layer.ndim + i for i in range(layer.ndim - 2)]
    walked = [i for i in walked if axes.endswith("ZYX") or axes == "TYX" or i == 0]
    dock.doubts.next.native.click()
    dock.doubts.next.native.click()
    assert layer.selected_label == 3
    assert all(viewer.dims.current_step[i] == viewer.dims.nsteps[i] - 1 for i in walked)
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], (15.5, 99.5))
    dock.doubts.previous.native.click()
    assert all(viewer.dims.current_step[i] == 0 for i in walked)


def test_a_turned_and_scaled_layer_is_centred_where_it_lies(viewer: Any, add: Any) -> None:
    layer = add(viewer, scale=(0.5, 0.25), translate=(10, 20), rotate=30)
    dock = opened(viewer)
    dock.doubts.next.native.click()
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], layer.data_to_world((50, 60)))
    assert layer.world_to_data(viewer.scene.camera.center[-2:])[0] == pytest.approx(50)


def test_a_stack_shown_in_3d_is_centred_too(viewer: Any, add: Any) -> None:
    add(viewer, "ZYX")
    dock = opened(viewer)
    viewer.dims.ndisplay = 3
    dock.doubts.next.native.click()
    assert viewer.scene.camera.center == (0, 50, 60)


def test_a_nucleus_that_is_right_counts_as_a_correction_and_leaves_the_list(
    viewer: Any, add: Any
) -> None:
    layer, dock = add(viewer), opened(viewer)
    assert not dock.doubts.right.enabled
    dock.doubts.next.native.click()
    dock.doubts.right.native.click()
    assert is_confirmed(layer, 2)
    assert summary(layer) == "1 nucleus confirmed"
    assert dock.doubts.counts.value == "3 nuclei, 1 doubtful"
    assert dock.doubts.status.value == "Nucleus 2 is right."
    for number in (3, 1, 3):
        dock.doubts.next.native.click()
        assert layer.selected_label == number


def test_pressed_again_it_is_not_called_right_any_more(shown: Any, add: Any) -> None:
    layer, dock = add(shown), opened(shown)
    for key in (NEXT, RIGHT, RIGHT):
        press(dock, key)
    assert summary(layer) == "nothing corrected yet"
    assert dock.doubts.counts.value == "3 nuclei, 2 doubtful"


def test_a_deleted_nucleus_is_a_correction_that_naparis_undo_takes_back(
    shown: Any, add: Any, qtbot: Any
) -> None:
    layer, dock = add(shown), opened(shown)
    press(dock, NEXT)
    press(dock, DELETE)
    assert 2 not in layer.data
    assert summary(layer) == "1 nucleus removed"
    assert dock.doubts.counts.value == "2 nuclei, 1 doubtful"
    press(dock, RIGHT)
    assert dock.doubts.status.value.startswith("Expected nucleus 2, got none any more")
    layer.undo()
    np.testing.assert_array_equal(layer.data, three())
    qtbot.waitUntil(lambda: dock.doubts.counts.value == "3 nuclei, 2 doubtful", timeout=60_000)


def test_a_split_nucleus_is_two_and_undo_makes_it_one(shown: Any, add: Any) -> None:
    layer, dock = add(shown), opened(shown)
    press(dock, NEXT)
    press(dock, SPLIT)
    assert {layer.data[50, 50], layer.data[50, 70]} == {2, 4}
    assert summary(layer) == "1 nucleus added, 1 reshaped"
    assert dock.doubts.status.value == "Nucleus 2 is split; new: 4."
    assert dock.doubts.counts.value == "4 nuclei, 1 doubtful"
    layer.undo()
    np.testing.assert_array_equal(layer.data, three())


def test_a_nucleus_that_cannot_be_split_says_so(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    dock.doubts.previous.native.click()
    dock.doubts.split.native.click()
    assert dock.doubts.status.value.startswith("Expected a nucleus with a neck or a long axis")
    np.testing.assert_array_equal(layer.data, three())


@pytest.mark.parametrize("axes", ["ZYX", "ZCYX"])
def test_in_a_stack_all_planes_are_split_and_deleted(viewer: Any, add: Any, axes: str) -> None:
    labels = np.repeat(three()[np.newaxis], 4, axis=0)
    layer, dock = add(viewer, axes, labels), opened(viewer)
    dock.doubts.next.native.click()
    dock.doubts.split.native.click()
    for plane in layer.data.reshape(labels.shape):
        assert {plane[50, 45], plane[50, 75]} == {2, 4}
    dock.doubts.next.native.click()
    dock.doubts.delete.native.click()
    assert 3 not in layer.data


def test_in_a_movie_a_nucleus_is_split_in_the_shown_frame(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer, "TYX", np.repeat(three()[np.newaxis], 4, axis=0)), opened(viewer)
    dock.doubts.next.native.click()
    viewer.dims.set_current_step(0, 2)
    dock.doubts.split.native.click()
    assert [int((frame == 4).any()) for frame in layer.data] == [0, 0, 1, 0]


def test_a_nucleus_that_is_not_selected_any_more_is_left_alone(shown: Any, add: Any) -> None:
    layer, dock = add(shown), opened(shown)
    press(dock, NEXT)
    layer.selected_label = 1
    assert not dock.doubts.delete.enabled
    press(dock, DELETE)
    np.testing.assert_array_equal(layer.data, three())
    assert dock.doubts.status.value == "Go to a nucleus first, with Next."


def test_after_another_run_it_begins_anew_and_after_a_measurement_it_does_not(
    viewer: Any, add: Any
) -> None:
    layer, dock = add(viewer), opened(viewer)
    dock.doubts.next.native.click()
    layer.features = {**layer.features, "area": [1, 2, 3]}
    assert dock.doubts.delete.enabled
    layer.features = {"index": [1, 2], "confidence": [0.4, 0.5]}
    assert not dock.doubts.delete.enabled
    dock.doubts.next.native.click()
    assert layer.selected_label == 1


def test_when_nothing_is_left_it_says_so(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    for _ in range(3):
        dock.doubts.next.native.click()
        dock.doubts.right.native.click()
    dock.doubts.next.native.click()
    assert dock.doubts.status.value == NONE_LEFT
    assert summary(layer) == "3 nuclei confirmed"


def test_a_layer_that_is_locked_is_not_changed(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    dock.doubts.next.native.click()
    layer.editable = False
    dock.doubts.delete.native.click()
    np.testing.assert_array_equal(layer.data, three())
    assert dock.doubts.status.value.startswith("Expected 'cells nuclei' to be editable")


def test_painting_on_a_nucleus_takes_it_from_the_list(viewer: Any, add: Any, qtbot: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    layer.data_setitem((np.array([50]), np.array([50])), 0)
    qtbot.waitUntil(lambda: dock.doubts.counts.value == "3 nuclei, 1 doubtful", timeout=60_000)
    dock.doubts.next.native.click()
    assert layer.selected_label == 3


def test_keys_are_gone_when_the_dock_is_closed_and_do_what_they_did_before(
    viewer: Any, add: Any
) -> None:
    pressed: list[str] = []
    viewer.bind_key(NEXT, lambda _: pressed.append(NEXT))
    add(viewer)
    dock = opened(viewer)
    before = {str(key) for key in viewer.keymap}
    viewer.window.remove_dock_widget(dock.native)
    assert set(KEYS) <= before
    left = {str(key): action for key, action in viewer.keymap.items()}
    assert set(KEYS) & set(left) == {NEXT}
    left[NEXT](viewer)
    assert pressed == [NEXT]


def test_keys_are_gone_with_the_result(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    viewer.layers.remove(layer)
    assert not set(KEYS) & {str(key) for key in viewer.keymap}
    assert dock.doubts.section.isHidden()


def test_a_key_that_the_user_gave_to_napari_stays_naparis(
    viewer: Any, add: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Labels.class_keymap, KeyBinding.from_str(RIGHT), lambda _: None)
    add(viewer)
    dock = opened(viewer)
    assert {str(key) for key in viewer.keymap} & set(KEYS) == {*KEYS} - {RIGHT}
    assert dock.doubts.right.text == "Is right"


def test_nuclei_are_coloured_by_confidence_and_the_own_colours_come_back(
    viewer: Any, add: Any
) -> None:
    layer, dock = add(viewer), opened(viewer)
    before = layer.colormap
    dock.doubts.colour.native.click()
    colours = np.array([layer.colormap.map(number) for number in (2, 3, 1)])
    assert (np.diff(colours[:, 1]) < 0).all()  # from yellow to violet: less green
    assert layer.colormap.map(0)[3] == 0
    dock.doubts.colour.native.click()
    assert layer.colormap == before


def test_a_copy_of_a_coloured_result_gets_colours_of_labels(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    dock.doubts.colour.value = True
    copy = viewer.add_labels(
        layer.data, metadata=layer.metadata, features=layer.features, colormap=layer.colormap
    )
    viewer.layers.selection.active = copy
    assert not dock.doubts.colour.value
    dock.doubts.colour.value = True
    dock.doubts.colour.value = False
    assert copy.colormap.name == label_colormap().name


def test_other_colours_untick_the_box_and_stay(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    dock.doubts.colour.value = True
    mine = DirectLabelColormap(name="mine", color_dict={None: "red"})
    layer.colormap = mine
    assert not dock.doubts.colour.value
    viewer.window.remove_dock_widget(dock.native)
    assert layer.colormap == mine


def test_closing_the_dock_puts_the_own_colours_back(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    before = layer.colormap
    dock.doubts.colour.value = True
    viewer.window.remove_dock_widget(dock.native)
    assert layer.colormap == before


def test_selecting_in_the_plot_takes_the_colours_over_and_gives_the_layers_own_back(
    viewer: Any, add: Any
) -> None:
    layer, dock = add(viewer), opened(viewer)
    before, selected = layer.colormap, Highlight()
    selected.show(layer, [1])
    dock.doubts.colour.value = True
    selected.show(layer, [2])
    assert not dock.doubts.colour.value
    selected.clear()
    assert layer.colormap == before


def test_a_result_without_confidence_says_when_it_comes(viewer: Any, add: Any) -> None:
    layer, dock = add(viewer), opened(viewer)
    layer.features = {}
    dock._doubting._counter.count()
    assert dock.doubts.counts.value == UNKNOWN
    assert not dock.doubts.next.enabled
    assert [button.text for button in dock.doubts.buttons.values()][1] == "Next"
    assert not set(KEYS) & {str(key) for key in viewer.keymap}


def test_two_viewers_go_through_their_own_results(viewer: Any, other: Any, add: Any) -> None:
    layers = [add(it) for it in (viewer, other)]
    docks = [opened(it) for it in (viewer, other)]
    docks[0].doubts.next.native.click()
    docks[0].doubts.delete.native.click()
    docks[1].doubts.next.native.click()
    docks[1].doubts.right.native.click()
    assert [summary(it) for it in layers] == ["1 nucleus removed", "1 nucleus confirmed"]
    viewer.window.remove_dock_widget(docks[0].native)
    assert not set(KEYS) & {str(key) for key in viewer.keymap}
    assert set(KEYS) <= {str(key) for key in other.keymap}
