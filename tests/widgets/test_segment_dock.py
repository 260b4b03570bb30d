from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from napari.layers import Image, Labels, Tracks
from qtpy.QtCore import QObject, Signal

from napari_unet.segmentation import Progress
from napari_unet.widgets import axes_choice, placing
from napari_unet.widgets.corrections import edited
from napari_unet.widgets.segment_dock import SegmentDock, segment_active_layer
from napari_unet.widgets.segment_form import CANCEL, START

PLUGIN = "napari-unet-nuclei"


@pytest.fixture
def dock(viewer: Any, open_segment: Callable[[Any], SegmentDock]) -> SegmentDock:
    return open_segment(viewer)


def picture(*shape: int) -> np.ndarray:
    image = np.zeros(shape, np.uint8)
    image[..., 5:15, 5:15] = 200
    image[..., 20:32, 30:42] = 200
    return image


def wait(qtbot: Any, dock: SegmentDock) -> None:
    qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)


def results(viewer: Any) -> list[Labels]:
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def test_a_click_gives_a_labels_layer_on_the_image(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(40, 50), name="cells", scale=(0.5, 0.5), translate=(3, 4))
    dock.button.native.click()
    assert dock.button.text == CANCEL
    wait(qtbot, dock)
    (labels,) = results(viewer)
    assert labels.name == "cells nuclei"
    assert labels.data.max() == 2
    assert tuple(labels.scale) == (0.5, 0.5)
    assert tuple(labels.translate) == (3, 4)
    assert dock.button.text == START
    assert dock.status.value.startswith("2 nuclei in ")


@pytest.mark.parametrize(
    ("image", "axes", "shape"),
    [
        (picture(4, 40, 50), "ZYX", (4, 40, 50)),
        (picture(2, 3, 40, 50), "TZYX", (2, 3, 40, 50)),
        (picture(2, 40, 50), "CYX", (40, 50)),
        (np.stack([picture(40, 50)] * 3, -1), "YXS", (40, 50)),
        (dask.array.from_array(picture(4, 40, 50), chunks=(1, 40, 50)), "ZYX", (4, 40, 50)),
        ([picture(40, 50), picture(40, 50)[::2, ::2]], "YX", (40, 50)),
    ],
    ids=["stack", "movie of stacks", "channels", "colour", "dask", "multiscale"],
)
def test_images_of_every_kind_are_segmented(
    viewer: Any, dock: SegmentDock, qtbot: Any, image: Any, axes: str, shape: tuple[int, ...]
) -> None:
    viewer.add_image(image)
    dock.axes.value = axes
    dock.start()
    wait(qtbot, dock)
    (labels,) = results(viewer)
    assert labels.data.shape == shape
    assert labels.data.max() == 2


def test_zarr_is_segmented(viewer: Any, dock: SegmentDock, qtbot: Any) -> None:
    import zarr

    array = zarr.array(picture(4, 40, 50), chunks=(1, 40, 50))
    viewer.add_image(array)
    dock.start()
    wait(qtbot, dock)
    assert results(viewer)[0].data.max() == 2


def test_the_image_follows_the_active_layer(viewer: Any, dock: SegmentDock) -> None:
    viewer.add_image(picture(40, 50), name="flat")
    viewer.add_image(picture(6, 40, 50), name="deep")
    assert dock.image.value.name == "deep"
    assert dock.axes.value == "ZYX"
    viewer.layers.selection.active = viewer.layers["flat"]
    assert dock.image.value.name == "flat"
    assert dock.axes.value == "YX"


def test_axes_that_the_user_edits_stay_while_other_layers_come_and_go(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(6, 40, 50))
    dock.axes.value = "TYX"
    dock.start()
    wait(qtbot, dock)
    viewer.add_points(np.zeros((1, 2)))
    assert dock.axes.value == "TYX"


def test_a_renamed_image_stays_chosen_with_its_axes(viewer: Any, dock: SegmentDock) -> None:
    viewer.add_image(picture(6, 40, 50), name="old")
    dock.axes.value = "TYX"
    viewer.layers["old"].name = "new"
    viewer.add_points(np.zeros((1, 2)))
    assert dock.image.value.name == "new"
    assert dock.axes.value == "TYX"


def test_axes_that_the_user_typed_come_back_with_their_image(
    viewer: Any, dock: SegmentDock
) -> None:
    viewer.add_image(picture(6, 40, 50), name="movie")
    dock.axes.value = "TYX"
    viewer.add_image(picture(40, 50))
    assert dock.axes.value == "YX"
    viewer.layers.selection.active = viewer.layers["movie"]
    assert dock.axes.value == "TYX"


def test_the_axes_of_few_images_are_remembered(
    viewer: Any, dock: SegmentDock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axes_choice, "MOST_IMAGES", 2)
    for name in "abc":
        viewer.add_image(picture(6, 40, 50), name=name)
        dock.axes.value = "TYX"
    for name, axes in {"c": "TYX", "b": "TYX", "a": "ZYX"}.items():
        viewer.layers.selection.active = viewer.layers[name]
        assert dock.axes.value == axes


def test_the_channel_follows_the_slider(viewer: Any, dock: SegmentDock) -> None:
    viewer.add_image(picture(5, 2, 400, 500))
    dock.axes.value = "ZCYX"
    assert dock.channel.value == 0
    viewer.dims.set_current_step(1, 1)
    assert dock.channel.value == 1
    dock.channel.value = 0
    viewer.dims.set_current_step(0, 2)
    assert dock.channel.value == 0


def test_all_channels_can_be_chosen_after_a_layer_was_added(viewer: Any, dock: SegmentDock) -> None:
    viewer.add_image(picture(4, 40, 50))
    dock.axes.value = "CYX"
    viewer.add_labels(np.zeros((40, 50), int))
    viewer.dims.set_current_step(0, 2)
    assert dock.channel.value == 2


def test_a_channel_is_asked_for_only_where_there_are_channels(
    viewer: Any, dock: SegmentDock
) -> None:
    viewer.add_image(picture(40, 50))
    assert dock.channel.native.isHidden()
    viewer.add_image(picture(2, 400, 500))
    assert not dock.channel.native.isHidden()
    assert list(dock.channel.choices) == [0, 1]
    dock.channel.value = 1
    viewer.add_points(np.zeros((1, 2)))
    assert list(dock.channel.choices) == [0, 1]
    assert dock.channel.value == 1


def test_the_quality_is_passed_on_and_noted(viewer: Any, dock: SegmentDock, qtbot: Any) -> None:
    viewer.add_image(picture(40, 50))
    assert dock.quality.value == "fast"
    dock.quality.value = "best"
    dock.start()
    wait(qtbot, dock)
    assert results(viewer)[0].metadata["napari_unet"]["settings"]["quality"] == "best"


def test_how_a_stack_is_seen_is_asked_for_only_of_stacks_and_noted(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(40, 50))
    assert dock.views.native.isHidden()
    viewer.add_image(picture(5, 40, 50))
    assert not dock.views.native.isHidden()
    assert dock.views.value == "planes"
    dock.views.value = "three"
    dock.start()
    wait(qtbot, dock)
    assert results(viewer)[0].metadata["napari_unet"]["settings"]["views"] == "three"


def test_only_the_shown_plane_is_segmented_where_that_is_chosen(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(5, 40, 50))
    viewer.dims.set_current_step(0, 2)
    dock.region.value = "this plane"
    dock.start()
    wait(qtbot, dock)
    assert results(viewer)[0].data.any(axis=(1, 2)).tolist() == [0, 0, 1, 0, 0]


def test_only_the_view_is_segmented_where_that_is_chosen(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    image = viewer.add_image(picture(40, 50))
    image.corner_pixels = np.array([[0, 0], [17, 49]])
    dock.region.value = "this view"
    dock.start()
    wait(qtbot, dock)
    assert results(viewer)[0].data.max() == 1


@pytest.mark.parametrize("turn", [0, 30])
@pytest.mark.parametrize("zoom", [2, 20])
def test_a_view_is_segmented_at_every_zoom_and_the_full_run_replaces_it(
    viewer: Any, dock: SegmentDock, qtbot: Any, zoom: float, turn: float
) -> None:
    image = viewer.add_image(picture(40, 50), rotate=turn)
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0, *image.data_to_world((26, 36))), zoom
    viewer.screenshot(flash=False)  # which draws
    first, last = image.corner_pixels
    dock.region.value = "this view"
    dock.start()
    wait(qtbot, dock)
    (layer,) = results(viewer)
    expected = np.zeros((40, 50), bool)
    expected[first[0] : last[0] + 1, first[1] : last[1] + 1] = True
    np.testing.assert_array_equal(layer.data > 0, expected & (image.data > 0))
    assert layer.data[26, 36]
    dock.region.value = "everything"
    dock.start()
    wait(qtbot, dock)
    assert results(viewer) == [layer]
    np.testing.assert_array_equal(layer.data > 0, image.data > 0)


@pytest.mark.parametrize(
    ("image", "n_layers"), [(np.zeros((40, 50)), 2), (np.full((40, 50), np.nan), 2)]
)
def test_an_image_without_nuclei_gives_an_empty_layer(
    viewer: Any, dock: SegmentDock, qtbot: Any, image: np.ndarray, n_layers: int
) -> None:
    viewer.add_image(image)
    dock.start()
    wait(qtbot, dock)
    assert len(viewer.layers) == n_layers
    assert not results(viewer)[0].data.any()
    assert dock.status.value.startswith("No nuclei found in ")
    assert "try a lower Threshold" in dock.status.value


def test_without_an_image_one_sentence_is_said(
    viewer: Any, dock: SegmentDock, notes: list[str]
) -> None:
    viewer.add_labels(np.zeros((8, 8), int))
    dock.start()
    assert notes == ["There is no image to segment; open one or choose its layer."]
    assert len(viewer.layers) == 1


@pytest.mark.parametrize("axes", ["ZYX", "XX", "", "YQ"])
def test_axes_that_do_not_fit_are_told_and_change_nothing(
    viewer: Any, dock: SegmentDock, notes: list[str], axes: str
) -> None:
    viewer.add_image(picture(40, 50))
    dock.axes.value = axes
    dock.start()
    assert len(notes) == 1
    assert notes[0].startswith("Expected")
    assert len(viewer.layers) == 1
    assert dock.button.text == START


def test_a_file_that_is_no_model_is_told_and_changes_nothing(
    viewer: Any, dock: SegmentDock, qtbot: Any, notes: list[str], tmp_path: Path
) -> None:
    fake = tmp_path / "fake.safetensors"
    fake.write_text("not a model")
    dock.models.files.append(str(fake))
    dock.model.reset_choices()
    dock.model.value = str(fake)
    viewer.add_image(picture(40, 50))
    dock.start()
    wait(qtbot, dock)
    assert len(notes) == 1
    assert "fake.safetensors" in notes[0]
    assert len(viewer.layers) == 1


def test_cancel_changes_nothing(viewer: Any, dock: SegmentDock, qtbot: Any) -> None:
    viewer.add_image(picture(30, 200, 200))
    dock.start()
    dock.button.native.click()
    wait(qtbot, dock)
    assert len(viewer.layers) == 1
    assert dock.status.value == "Cancelled, nothing was changed."
    dock.start()
    wait(qtbot, dock)
    assert len(results(viewer)) == 1


def test_cancel_after_the_last_report_frees_the_dock(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def late(request: object) -> Iterator[Progress]:
        yield Progress("nuclei", 1, 1)
        may_end.wait(60)

    monkeypatch.setattr("napari_unet.widgets.segment_run.run", late)
    viewer.add_image(picture(40, 50))
    dock.start()
    qtbot.waitUntil(lambda: dock.status.value.startswith("Separating"), timeout=60_000)
    dock.cancel()
    may_end.set()
    wait(qtbot, dock)
    assert dock.button.text == START
    assert len(viewer.layers) == 1


def correct(viewer: Any, layer: Labels) -> None:
    """Paint a nucleus where none is, and erase the first one, as napari's tools do."""
    layer.data_setitem(np.nonzero(np.arange(50) >= 45 * np.ones((40, 1))), 9)
    layer.data_setitem(np.nonzero(layer.data == 1), 0)


def test_a_second_run_keeps_what_was_corrected_in_the_same_layer(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(40, 50))
    dock.start()
    wait(qtbot, dock)
    (layer,) = results(viewer)
    correct(viewer, layer)
    corrected = layer.data.copy()
    for quality in ("fast", "best"):
        dock.quality.value = quality
        dock.start()
        wait(qtbot, dock)
        assert results(viewer) == [layer]
        assert layer.metadata["napari_unet"]["settings"]["quality"] == quality
        np.testing.assert_array_equal(layer.data > 0, corrected > 0)
        np.testing.assert_array_equal(layer.data == 9, corrected == 9)
        assert edited(layer).find().summary() == "1 nucleus added, 1 removed"
        assert dock.status.value.endswith(", 1 corrected one kept, 1 removed one left out")


@contextmanager
def while_drawn(dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run again; what the block does comes after the result is drawn and before it is shown."""
    drawn, may_go_on = threading.Event(), threading.Event()
    redraw = placing._redraw

    def slow(*given: Any) -> Any:
        outcome = redraw(*given)
        drawn.set()
        may_go_on.wait(60)
        return outcome

    monkeypatch.setattr(placing, "_redraw", slow)
    dock.start()
    qtbot.waitUntil(drawn.is_set, timeout=60_000)
    yield
    may_go_on.set()
    wait(qtbot, dock)


def test_what_is_painted_while_a_run_is_drawn_is_kept_too(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_image(picture(40, 50))
    dock.start()
    wait(qtbot, dock)
    (layer,) = results(viewer)
    with while_drawn(dock, qtbot, monkeypatch):
        correct(viewer, layer)
        corrected = layer.data.copy()
    assert results(viewer) == [layer]
    np.testing.assert_array_equal(layer.data > 0, corrected > 0)
    assert edited(layer).find().summary() == "1 nucleus added, 1 removed"


def test_columns_that_are_written_while_a_run_is_drawn_stay_too(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_image(picture(40, 50))
    dock.start()
    wait(qtbot, dock)
    (layer,) = results(viewer)
    with while_drawn(dock, qtbot, monkeypatch):
        kinds = [f"kind {it}" for it in layer.features["index"]]
        layer.features = layer.features.assign(kind=kinds)
        written = dict(zip(layer.features["index"], layer.features["kind"], strict=True))
    assert len(written) > 0
    assert dict(zip(layer.features["index"], layer.features["kind"], strict=True)) == written
    assert layer.features["confidence"].notna().all()


def test_whoever_paints_on_and_on_is_asked_to_wait_at_the_last_try(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_image(picture(40, 50))
    dock.start()
    wait(qtbot, dock)
    (layer,) = results(viewer)
    redraw, tries = placing._redraw, []
    layer.mode = "paint"

    class Painter(QObject):
        wanted = Signal(int)

    painter, painted = Painter(), threading.Event()

    def paint(number: int) -> None:
        layer.data_setitem((np.array([35]), np.array([number])), 8 + number)
        painted.set()

    def restless(*given: Any) -> Any:
        tries.append(layer.editable)
        if layer.editable:
            painted.clear()
            painter.wanted.emit(len(tries))
            painted.wait(60)
        return redraw(*given)

    painter.wanted.connect(paint)
    monkeypatch.setattr(placing, "_redraw", restless)
    dock.start()
    wait(qtbot, dock)
    assert tries == [True, True, False]
    assert results(viewer) == [layer]
    assert layer.data[35, :4].tolist() == [0, 9, 10, 0]
    assert (layer.editable, layer.mode) == (True, "paint")


def test_an_error_while_a_run_is_drawn_is_told(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of luck")

    viewer.add_image(picture(40, 50))
    monkeypatch.setattr(placing, "draw", broken)
    dock.start()
    wait(qtbot, dock)
    assert dock.status.value.startswith("The result could not be drawn (RuntimeError: out of luck)")
    assert results(viewer) == []


def test_the_thread_of_the_window_draws_nothing(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, threads = placing.draw, []

    def spy(*given: Any, **how: Any) -> Any:
        threads.append(threading.current_thread())
        return draw(*given, **how)

    monkeypatch.setattr(placing, "draw", spy)
    viewer.add_image(picture(40, 50))
    for _ in range(2):
        dock.start()
        wait(qtbot, dock)
    assert len(results(viewer)) == 1
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_cancel_while_a_run_is_drawn_changes_nothing(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_image(picture(40, 50))
    dock.start()
    wait(qtbot, dock)
    (layer,) = results(viewer)
    correct(viewer, layer)
    facts, redraw = layer.metadata["napari_unet"], placing._redraw
    drawn, may_go_on = threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        drawn.set()
        may_go_on.wait(60)
        return redraw(*given)

    monkeypatch.setattr(placing, "_redraw", slow)
    dock.start()
    qtbot.waitUntil(drawn.is_set, timeout=60_000)
    dock.button.native.click()
    may_go_on.set()
    wait(qtbot, dock)
    assert dock.status.value == "Cancelled, nothing was changed."
    assert layer.metadata["napari_unet"] is facts


def test_labels_that_are_no_corrections_stay_and_a_layer_is_added(
    viewer: Any, dock: SegmentDock, qtbot: Any
) -> None:
    viewer.add_image(picture(40, 50))
    dock.start()
    wait(qtbot, dock)
    (layer,) = results(viewer)
    layer.data = np.full((40, 50), -1, np.int32)
    dock.start()
    wait(qtbot, dock)
    assert len(results(viewer)) == 2
    assert (layer.data == -1).all()


@pytest.mark.parametrize(
    ("button", "name"),
    [("correct", "Fine-tune on corrections"), ("measure", "Measure nuclei")],
)
def test_the_docks_that_learn_and_measure_open_on_the_result_of_the_image(
    viewer: Any, dock: SegmentDock, qtbot: Any, button: str, name: str
) -> None:
    image, clicked = viewer.add_image(picture(40, 50)), getattr(dock, button).native
    assert clicked.isHidden()
    dock.start()
    wait(qtbot, dock)
    assert not clicked.isHidden()
    viewer.layers.selection.active = image
    for _ in range(2):
        clicked.click()
    _, other = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    assert other.layer.value == results(viewer)[0]
    assert viewer.layers.selection.active == results(viewer)[0]
    assert len(viewer.window.dock_widgets) == 2
    viewer.layers.remove(results(viewer)[0])
    assert clicked.isHidden()


def test_the_axes_of_a_plane_are_not_asked_for(viewer: Any, dock: SegmentDock) -> None:
    viewer.add_image(picture(40, 50), name="plane")
    assert dock.axes.native.isHidden()
    viewer.add_image(picture(3, 40, 50), name="stack")
    assert not dock.axes.native.isHidden()


def test_a_cancelled_run_leaves_nothing_in_memory(
    viewer: Any, dock: SegmentDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Large:
        """Stands for all that a run holds."""

    held: list[weakref.ref[Large]] = []

    def steps(*_: object) -> Iterator[Progress]:
        large = Large()
        held.append(weakref.ref(large))
        for done in range(10**9):
            yield Progress("network", done % 100, 100)
        raise AssertionError(large)

    monkeypatch.setattr("napari_unet.widgets.segmenting._walk", steps)
    viewer.add_image(picture(40, 50))
    dock.start()
    qtbot.waitUntil(lambda: dock.status.value.startswith("Running"), timeout=60_000)
    dock.cancel()
    wait(qtbot, dock)
    assert dock.status.value == "Cancelled, nothing was changed."
    qtbot.waitUntil(lambda: gc.collect() >= 0 and held[0]() is None, timeout=60_000)


def test_a_second_start_during_a_run_is_refused(
    viewer: Any, dock: SegmentDock, qtbot: Any, notes: list[str]
) -> None:
    viewer.add_image(picture(10, 40, 50))
    dock.start()
    dock.start()
    wait(qtbot, dock)
    assert notes == ["A run goes on in this dock; wait for it, or cancel it first."]
    assert len(results(viewer)) == 1


def test_the_command_wants_an_active_image(viewer: Any, notes: list[str]) -> None:
    viewer.add_image(picture(40, 50))
    viewer.add_labels(np.zeros((40, 50), int))
    segment_active_layer(viewer)
    assert notes == ["Expected an active image layer; click one in the layer list."]
    assert len(viewer.layers) == 2


def test_an_image_removed_during_the_run_gets_no_result(
    viewer: Any, dock: SegmentDock, qtbot: Any, notes: list[str]
) -> None:
    image = viewer.add_image(picture(40, 50), name="gone")
    dock.start()
    viewer.layers.remove(image)
    wait(qtbot, dock)
    assert len(viewer.layers) == 0
    assert notes == ["The image 'gone' was removed; its result was not added."]


def test_the_estimated_diameter_is_shown(viewer: Any, dock: SegmentDock, qtbot: Any) -> None:
    image = np.zeros((200, 200), np.uint8)
    for corner in range(10, 190, 40):
        image[corner : corner + 20, corner : corner + 20] = 255
    viewer.add_image(image, scale=(0.5, 0.5), units=("um", "um"))
    dock.start()
    wait(qtbot, dock)
    assert dock.diameter.native.specialValueText() == "auto: 23 px"
    assert dock.status.value.endswith("diameter 23 px (11.3 µm)")


def test_closing_the_dock_stops_the_run_and_lets_go_of_the_viewer(
    viewer: Any, bright_model: Path, qtbot: Any
) -> None:
    widget, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    viewer.add_image(picture(30, 200, 200))
    dock.models.files.append(str(bright_model))
    dock.model.reset_choices()
    dock.model.value = str(bright_model)
    dock.start()
    worker = dock.run.worker
    viewer.window.remove_dock_widget(widget)
    qtbot.waitUntil(lambda: not worker.is_running, timeout=60_000)
    viewer.add_image(picture(40, 50))
    assert not results(viewer)


def test_the_command_opens_the_dock_and_segments_the_active_image(
    viewer: Any, bright_model: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_unet.network import library

    monkeypatch.setattr(
        library,
        "list_models",
        lambda: [library.ModelFile(library.BUILT_IN, bright_model, built_in=True)],
    )
    viewer.add_image(picture(40, 50))
    segment_active_layer(viewer)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    wait(qtbot, dock)
    assert results(viewer)[0].data.max() == 2


@pytest.mark.parametrize(
    ("sample", "types"),
    [
        ("histology", [Image]),
        ("field", [Labels, Image]),
        ("stack", [Labels, Image]),
        ("movie", [Labels, Image]),
    ],
)
def test_samples_open_without_a_network(viewer: Any, sample: str, types: list[type]) -> None:
    viewer.open_sample(PLUGIN, sample)
    assert [type(layer) for layer in viewer.layers] == types


def test_a_sample_that_cannot_be_downloaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_unet.widgets.samples import human_mitosis

    def no_network() -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("skimage.data.human_mitosis", no_network)
    with pytest.raises(ConnectionError, match="'human_mitosis' is downloaded by scikit-image"):
        human_mitosis()


def test_a_movie_offers_its_tracks(viewer: Any, dock: SegmentDock, qtbot: Any) -> None:
    viewer.add_image(picture(40, 50), name="flat")
    dock.start()
    wait(qtbot, dock)
    assert dock.tracks.native.isHidden()
    viewer.add_image(picture(3, 40, 50), name="movie", scale=(60, 0.5, 0.5))
    dock.axes.value = "TYX"
    dock.start()
    wait(qtbot, dock)
    assert not dock.tracks.native.isHidden()
    dock.tracks.native.click()
    qtbot.waitUntil(lambda: isinstance(viewer.layers[-1], Tracks), timeout=60_000)
    tracks = viewer.layers[-1]
    assert tracks.name == "movie nuclei tracks"
    assert tracks.data[:, :2].tolist() == [[1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]]
    assert tuple(tracks.scale) == (60, 0.5, 0.5)
