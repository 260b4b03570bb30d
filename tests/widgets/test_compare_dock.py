from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import Qt

from napari_unet.nuclei.errors import Kind
from napari_unet.widgets import comparing
from napari_unet.widgets.compare_dock import CANCELLED, STALE, CompareDock
from napari_unet.widgets.compare_form import FLAT, IN_VOLUME

PLUGIN = "napari-unet-nuclei"
BOXES = {1: np.s_[2:12, 2:12], 2: np.s_[2:12, 20:30], 3: np.s_[20:30, 2:12], 4: np.s_[20:30, 40:50]}


def plane(*ids: int) -> np.ndarray:
    labels = np.zeros((40, 60), np.int32)
    for label in ids:
        labels[BOXES[label]] = label
    return labels


def opened(viewer: Any, found: Any, truth: Any, **fields: Any) -> CompareDock:
    viewer.add_labels(truth, name="truth", **fields)
    viewer.add_labels(found, name="found", **fields)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Compare with truth")
    return dock


def compare(dock: CompareDock, qtbot: Any) -> None:
    dock.button.native.click()
    qtbot.waitUntil(lambda: dock._worker is None, timeout=60_000)


def lines(dock: CompareDock) -> list[str]:
    """Return the lines that are shown, as text."""
    model = dock.table.lines
    columns = [i for i in range(model.columnCount()) if not dock.table.isColumnHidden(i)]
    return [
        " ".join(filter(None, (model.data(model.index(row, i)) for i in columns)))
        for row in range(model.rowCount())
    ]


def test_a_result_is_compared_with_its_truth(viewer: Any, qtbot: Any) -> None:
    dock = opened(viewer, plane(1, 2, 4), plane(1, 2, 3))
    assert (dock.found.value.name, dock.truth.value.name) == ("found", "truth")
    assert not dock.span.visible
    compare(dock, qtbot)
    assert "<td>AP50&nbsp;</td><td><b>0.500</b>" in dock.scores.value
    assert "<td>Dice&nbsp;</td><td><b>0.667</b>" in dock.scores.value
    assert dock.status.value == "3 found, 3 true nuclei."
    assert lines(dock) == ["missed 3", "invented 4"]
    counts = ["right 2", "missed 1", "invented 1", "merged 0", "split 0", "badly outlined 0"]
    assert [box.text for box in dock.kinds.values()] == counts


def test_layers_that_come_later_are_suggested(viewer: Any, qtbot: Any) -> None:
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Compare with truth")
    assert dock.found.value is None
    truth, found = (viewer.add_labels(plane(1, 2), name=name) for name in ("truth", "found"))
    assert {dock.found.value, dock.truth.value} == {truth, found}
    compare(dock, qtbot)
    assert dock.status.value == "2 found, 2 true nuclei."


def test_nuclei_are_coloured_where_the_result_lies(viewer: Any, qtbot: Any) -> None:
    place = {"scale": (0.5, 0.25), "translate": (10, 20)}
    dock = opened(viewer, plane(1, 4), plane(1, 3), **place)
    active = viewer.layers.selection.active
    compare(dock, qtbot)
    layer = viewer.layers["found, compared"]
    kinds = {1: Kind.RIGHT, 3: Kind.MISSED, 4: Kind.INVENTED}
    assert {label: layer.data[BOXES[label]].max() for label in kinds} == kinds
    assert layer.get_color(Kind.MISSED) == pytest.approx([213 / 255, 94 / 255, 0, 1])
    assert (tuple(layer.scale), tuple(layer.translate)) == ((0.5, 0.25), (10, 20))
    assert not layer.editable
    assert viewer.layers.selection.active == active
    assert layer not in dock._layers()
    compare(dock, qtbot)
    assert [it.name for it in viewer.layers] == ["truth", "found", "found, compared"]


def test_the_list_shows_the_chosen_kinds(viewer: Any, qtbot: Any) -> None:
    dock = opened(viewer, plane(1, 4), plane(1, 3))
    compare(dock, qtbot)
    dock.kinds[Kind.MISSED].native.click()
    assert lines(dock) == ["invented 4"]
    dock.kinds[Kind.RIGHT].native.click()
    assert lines(dock) == ["right 1 1 1.00", "invented 4"]


def test_next_and_previous_go_through_the_errors(viewer: Any, qtbot: Any) -> None:
    truth = np.stack([plane(1), plane(1, 2), plane(1, 3)])
    found = np.stack([plane(1), plane(1), plane(1, 4)])
    dock = opened(viewer, found, truth, scale=(3, 1, 2))
    dock.span.value = FLAT
    compare(dock, qtbot)
    assert lines(dock) == ["missed 1 2", "missed 2 3", "invented 2 4"]
    dock.next.native.click()
    assert viewer.dims.current_step[0] == 1
    assert tuple(viewer.scene.camera.center[-2:]) == (6, 48)
    assert dock.position.value == "1 of 3"
    dock.next.native.click()
    assert viewer.dims.current_step[0] == 2
    assert tuple(viewer.scene.camera.center[-2:]) == (24, 12)
    dock.previous.native.click()
    dock.previous.native.click()
    assert dock.position.value == "3 of 3"
    assert tuple(viewer.scene.camera.center[-2:]) == (24, 88)


def test_a_double_click_goes_to_the_line_again(viewer: Any, qtbot: Any) -> None:
    dock = opened(viewer, plane(1), plane(1, 2))
    compare(dock, qtbot)
    dock.next.native.click()
    viewer.scene.camera.center = (0, 0)
    viewer.scene.camera.zoom = 0.1
    where = dock.table.visualRect(dock.table.lines.index(0, 0)).center()
    for click in (qtbot.mouseClick, qtbot.mouseDClick):
        click(dock.table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert tuple(viewer.scene.camera.center[-2:]) == (6, 24)
    assert viewer.scene.camera.zoom == 4.0  # 40 px on the screen for the 10 of the nucleus


def test_a_stack_is_one_volume_or_planes(viewer: Any, qtbot: Any) -> None:
    truth = np.stack([plane(1)] * 8)
    found = truth.copy()
    found[6:] = 0
    dock = opened(viewer, found, truth)
    assert dock.span.value == IN_VOLUME
    dock.kinds[Kind.RIGHT].value = True
    compare(dock, qtbot)
    assert lines(dock) == ["right 2 1 1 0.75"]
    dock.span.value = FLAT
    compare(dock, qtbot)
    assert len(lines(dock)) == 8


def test_frames_of_a_movie_are_compared_each_for_itself(viewer: Any, qtbot: Any) -> None:
    movie = np.stack([plane(1, 2)] * 3)
    dock = opened(viewer, movie, movie, axis_labels=("t", "y", "x"))
    assert dock.span.value == FLAT
    compare(dock, qtbot)
    assert dock.status.value == "6 found, 6 true nuclei."


def test_axes_of_one_entry_do_not_matter(viewer: Any, qtbot: Any) -> None:
    dock = opened(viewer, plane(1)[None], plane(1))
    compare(dock, qtbot)
    assert dock.kinds[Kind.RIGHT].text == "right 1"


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        (plane(1)[:-1], "got (40, 60) in 'found' and (39, 60) in 'truth'"),
        (plane(), "Expected at least one true nucleus, got none in 'truth'"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_sentence(
    viewer: Any, qtbot: Any, notes: list[str], truth: np.ndarray, words: str
) -> None:
    dock = opened(viewer, plane(1), truth)
    dock.truth.value = viewer.layers["truth"]
    compare(dock, qtbot)
    assert words in dock.status.value
    assert notes == [dock.status.value]
    assert len(viewer.layers) == 2


class Terabytes:
    """Labels of a movie that takes no room until it is read, and notes what is."""

    shape, ndim, dtype = (2**20, 2048, 2048), 3, np.dtype(np.uint8)

    def __init__(self) -> None:
        self.read: list[Any] = []

    def __getitem__(self, index: Any) -> np.ndarray:
        self.read.append(index)
        return np.broadcast_to(np.uint8(0), self.shape)[index]


def test_a_movie_that_memory_has_no_room_for_is_told_unread(
    viewer: Any, qtbot: Any, notes: list[str]
) -> None:
    movies = Terabytes(), Terabytes()
    dock = opened(viewer, *movies)
    viewer.layers["truth"].visible = viewer.layers["found"].visible = False
    for movie in movies:
        movie.read.clear()
    compare(dock, qtbot)
    assert notes[-1].startswith("Expected an array that there is memory for, got 1048576 x 2048 x")
    assert [movie.read for movie in movies] == [[], []]


def test_two_layers_are_needed(viewer: Any, notes: list[str]) -> None:
    dock = opened(viewer, plane(1), plane(1))
    dock.truth.value = dock.found.value
    dock.button.native.click()
    assert "got 'found' as result and as truth" in notes[0]
    viewer.layers.clear()
    assert not dock.button.enabled
    dock.start()
    assert "no two layers" in notes[1]


def test_a_layer_that_is_removed_meanwhile_is_told_of(
    viewer: Any, qtbot: Any, notes: list[str]
) -> None:
    dock = opened(viewer, plane(1), plane(1))
    dock.button.native.click()
    viewer.layers.remove("truth")
    qtbot.waitUntil(lambda: dock._worker is None, timeout=60_000)
    assert notes == ["The layer 'truth' was removed meanwhile; nothing was compared."]
    assert [layer.name for layer in viewer.layers] == ["found"]


def test_a_result_that_is_removed_later_is_not_gone_to(
    viewer: Any, qtbot: Any, notes: list[str]
) -> None:
    dock = opened(viewer, plane(1), plane(1, 2))
    compare(dock, qtbot)
    viewer.layers.remove("found")
    dock.next.native.click()
    assert notes == ["The layer 'found' was removed; compare another one."]


def test_painting_afterwards_makes_it_stale(viewer: Any, qtbot: Any) -> None:
    dock = opened(viewer, plane(1), plane(1, 2))
    compare(dock, qtbot)
    viewer.layers["found"].data_setitem(np.nonzero(plane(2)), 7)
    assert dock.status.value == STALE
    compare(dock, qtbot)
    assert dock.status.value == "2 found, 2 true nuclei."
    assert lines(dock) == []
    assert not dock.next.enabled


def test_a_comparison_can_be_cancelled(viewer: Any, qtbot: Any, monkeypatch: Any) -> None:
    movie = np.stack([plane(1)] * 3)
    dock = opened(viewer, movie, movie)

    def endless(*given: Any) -> Any:
        while True:
            yield 1, 2

    monkeypatch.setattr(comparing, "compare", endless)
    dock.button.native.click()
    assert dock.button.text == "Cancel"
    qtbot.waitUntil(lambda: dock.bar.value == 50, timeout=60_000)
    dock.button.native.click()
    qtbot.waitUntil(lambda: dock._worker is None, timeout=60_000)
    assert dock.status.value == CANCELLED
    assert (len(viewer.layers), dock.button.text) == (2, "Compare")


def test_a_renamed_layer_stays_chosen(viewer: Any, qtbot: Any) -> None:
    dock = opened(viewer, plane(1), plane(1))
    viewer.layers["truth"].name = "by hand"
    viewer.layers.append(Labels(plane(2), name="another"))
    assert dock.truth.value == viewer.layers["by hand"]
    compare(dock, qtbot)
    assert dock.kinds[Kind.RIGHT].text == "right 1"


def test_nothing_is_connected_after_the_dock_was_closed(viewer: Any, qtbot: Any) -> None:
    dock = opened(viewer, plane(1), plane(1))
    events = viewer.layers["found"].events
    before = [len(getattr(events, name).callbacks) for name in ("paint", "data", "labels_update")]
    compare(dock, qtbot)
    viewer.window.remove_dock_widget(dock.native)
    after = [len(getattr(events, name).callbacks) for name in ("paint", "data", "labels_update")]
    assert after == before


@pytest.mark.parametrize("axes", ["ztyx", "tzyx"])
def test_volumes_of_a_movie_are_compared_frame_by_frame(viewer: Any, qtbot: Any, axes: str) -> None:
    truth = np.stack([np.stack([plane(1)] * 4)] * 3)
    found = truth.copy()
    found[1, 1:] = 0
    if axes == "ztyx":
        found, truth = found.swapaxes(0, 1), truth.swapaxes(0, 1)
    dock = opened(viewer, found, truth, axis_labels=tuple(axes))
    assert dock.span.value == IN_VOLUME
    compare(dock, qtbot)
    assert dock.status.value == "3 found, 3 true nuclei."
    assert len(lines(dock)) == 1
    assert lines(dock)[0].startswith("badly outlined")


def test_a_movie_of_planes_has_no_nuclei_in_3d(viewer: Any, qtbot: Any, notes: list[str]) -> None:
    movie = np.stack([plane(1, 2)] * 3)
    dock = opened(viewer, movie, movie, axis_labels=("t", "y", "x"))
    dock.span.value = IN_VOLUME
    compare(dock, qtbot)
    assert notes == [
        "Expected planes along Z for nuclei in 3-D, got the axes TYX in 'found'; choose plane by "
        "plane."
    ]


def test_labels_are_hidden_while_the_error_image_covers_them(viewer: Any, qtbot: Any) -> None:
    dock = opened(viewer, plane(1, 4), plane(1, 3))
    viewer.add_labels(plane(2), name="other")
    viewer.layers["truth"].visible = False
    for _ in range(2):
        compare(dock, qtbot)
        assert [it.name for it in viewer.layers if it.visible] == ["other", "found, compared"]
    viewer.layers.remove("found, compared")
    assert [it.name for it in viewer.layers if it.visible] == ["found", "other"]


@pytest.mark.parametrize(("n_planes", "span"), [(1, FLAT), (3, IN_VOLUME)])
def test_frames_of_a_movie_of_one_plane_are_no_volume(
    viewer: Any, add_squares: Callable[..., Labels], n_planes: int, span: int
) -> None:
    layer = add_squares(viewer, "TZYX")
    facts = layer.metadata["napari_unet"]
    facts["prediction"] = facts["prediction"][:, :n_planes]
    layer.data = layer.data[:, :n_planes]
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Compare with truth")
    assert (dock.found.value, dock.span.value) == (layer, span)
