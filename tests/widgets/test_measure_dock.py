"""The dock "Measure nuclei" in a real window."""

from __future__ import annotations

import csv
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_unet.nuclei.measuring import steps
from napari_unet.widgets import measuring
from napari_unet.widgets.highlight import SELECTED
from napari_unet.widgets.measure_dock import CANCELLED, NO_LABELS, OUTDATED, MeasureDock
from napari_unet.widgets.measure_form import COUNT, EACH_PLANE

PLUGIN = "napari-unet-nuclei"


def squares(n_planes: int = 0) -> Any:
    """Return three squares, of 5, 7 and 9 pixels' side and labels 2, 4 and 6."""
    labels = np.zeros((40, 50), np.int32)
    for label, side, x in ((2, 5, 3), (4, 7, 15), (6, 9, 30)):
        labels[10 : 10 + side, x : x + side] = label
    return np.stack([labels] * n_planes) if n_planes else labels


def open_dock(viewer: Any) -> MeasureDock:
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Measure nuclei")
    return dock


def measure(dock: MeasureDock, qtbot: Any) -> None:
    dock.button.native.click()
    wait(dock, qtbot)


def wait(dock: MeasureDock, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: dock._worker is None, timeout=60_000)


def is_shown(widget: Any) -> bool:
    """Tell whether a widget is shown as soon as its window is."""
    return not widget.native.isHidden()


def at_pixel(dock: MeasureDock, x: float, y: float) -> QPoint:
    """Return where a value is on the plot's canvas, in Qt's pixels from the top left."""
    plot = dock._picking._plot
    right, up = plot._axes.transData.transform((x, y))
    ratio = plot._canvas.device_pixel_ratio
    return QPoint(round(right / ratio), round(plot._canvas.height() - up / ratio))


def click(dock: MeasureDock, x: float, y: float) -> None:
    button = Qt.MouseButton.LeftButton
    QTest.mouseClick(dock._picking._plot._canvas, button, pos=at_pixel(dock, x, y))


def brush(dock: MeasureDock, start: tuple[float, float], end: tuple[float, float]) -> None:
    canvas, button = dock._picking._plot._canvas, Qt.MouseButton.LeftButton
    QTest.mousePress(canvas, button, pos=at_pixel(dock, *start))
    QTest.mouseMove(canvas, at_pixel(dock, *end))
    QTest.mouseRelease(canvas, button, pos=at_pixel(dock, *end))


def coloured(layer: Labels) -> list[int]:
    """Return the nuclei that are shown as selected."""
    if layer.colormap.name != SELECTED:
        return []
    return sorted(label for label in layer.colormap.color_dict if label)


def test_a_click_measures_into_the_features_of_the_layer(viewer: Any, qtbot: Any) -> None:
    viewer.add_image(squares() * 10.0, name="DAPI")
    viewer.add_image(squares() * 3.0, name="GFP")
    viewer.add_image(np.zeros((8, 8)), name="another")
    layer = viewer.add_labels(squares(), scale=(0.5, 0.5), units=("um", "um"), name="nuclei")
    layer.features = {"index": [2, 4, 6], "confidence": [0.3, 0.4, 0.5]}
    dock = open_dock(viewer)
    assert dock.ticked() == ["DAPI", "GFP"]
    dock.images.item(1).setCheckState(Qt.CheckState.Unchecked)
    measure(dock, qtbot)
    features = layer.features
    assert features["index"].tolist() == [2, 4, 6]
    assert features["area_um2"].tolist() == [6.25, 12.25, 20.25]
    assert features["intensity_corrected"].tolist() == [20, 40, 60]
    assert features["confidence"].tolist() == [0.3, 0.4, 0.5]
    assert dock.status.value == "3 nuclei, median area 12.2 µm², 6,000 per mm²."
    assert (dock.x.value, dock.y.value) == ("area_um2", COUNT)
    assert is_shown(dock.results)
    assert not is_shown(dock.outdated)


def test_nuclei_with_pixels_that_are_no_numbers_are_told(viewer: Any, qtbot: Any) -> None:
    image = squares() * 10.0
    image[np.nonzero(squares() == 4)[0][0], np.nonzero(squares() == 4)[1][0]] = np.nan
    viewer.add_image(image, name="DAPI")
    layer = viewer.add_labels(squares(), name="nuclei")
    dock = open_dock(viewer)
    measure(dock, qtbot)
    assert layer.features["intensity_mean"].tolist() == [20, 40, 60]
    assert dock.status.value.startswith("3 nuclei, median area")
    assert "1 nucleus has pixels that are NaN or infinite" in dock.status.value


def test_a_click_on_a_point_selects_its_nucleus_and_goes_there(viewer: Any, qtbot: Any) -> None:
    layer = viewer.add_labels(squares(4), name="nuclei", scale=(2, 1, 1))
    layer.data[:3] = 0
    dock = open_dock(viewer)
    dock.planes.value = EACH_PLANE
    measure(dock, qtbot)
    dock.y.value = "centroid_x_units"
    before = layer.colormap
    click(dock, 49, 18)
    assert layer.selected_label == 4
    assert viewer.dims.point[0] == 6
    assert viewer.scene.camera.center[1:] == (13, 18)
    assert coloured(layer) == [4]
    assert dock.selected.value == "Nucleus 4 is selected."
    viewer.dims.set_point(0, 0)
    assert coloured(layer) == []
    dock.clear_selection.native.click()
    assert layer.colormap == before
    assert dock.selected.value == ""


def test_a_brush_selects_many_in_plot_and_image(viewer: Any, qtbot: Any) -> None:
    layer = viewer.add_labels(squares(), name="nuclei")
    dock = open_dock(viewer)
    measure(dock, qtbot)
    dock.y.value = "centroid_x_px"
    before = layer.colormap
    brush(dock, (24, 4), (60, 25))
    assert coloured(layer) == [2, 4]
    assert dock.selected.value == "2 of 3 selected."
    dock.y.value = "centroid_y_px"
    assert dock._picking._plot._chosen.get_xdata().tolist() == [25, 49]
    click(dock, 35, 13)
    assert layer.colormap == before


def test_every_column_of_numbers_can_be_plotted(viewer: Any, qtbot: Any) -> None:
    viewer.add_image(squares() * 10.0, name="DAPI")
    layer = viewer.add_labels(squares(), name="nuclei")
    layer.features = {"index": [2, 4], "confidence": [0.5, 0.7], "name": ["a", "b"]}
    dock = open_dock(viewer)
    measure(dock, qtbot)
    assert "touches_rim" in dock.x.choices
    assert "confidence" in dock.x.choices
    assert {"index", "name"}.isdisjoint(dock.x.choices)
    for column in dock.x.choices:
        dock.x.value = dock.y.value = column
        shown = layer.features[column].astype(float).to_numpy()
        np.testing.assert_array_equal(dock._picking._plot._x, shown)
        np.testing.assert_array_equal(dock._picking._plot._y, shown)


def test_a_span_of_the_histogram_and_a_bar_select_what_is_in_them(viewer: Any, qtbot: Any) -> None:
    labels = np.zeros((30, 400), np.int32)
    for label in range(1, 31):
        labels[5 : 5 + label % 3 + 3, 12 * label : 12 * label + 4] = label
    layer = viewer.add_labels(labels, name="nuclei")
    dock = open_dock(viewer)
    measure(dock, qtbot)
    sizes = layer.features["area_px"]
    assert dock._picking._plot._edges.tolist() == [12, 16, 20]
    brush(dock, (15.5, 1), (16.5, 2))
    assert coloured(layer) == layer.features["index"][sizes == 16].tolist()
    click(dock, 19.9, 1)
    assert coloured(layer) == layer.features["index"][sizes >= 16].tolist()
    click(dock, 11.8, 1)
    assert coloured(layer) == []


def test_edits_after_measuring_are_told(viewer: Any, qtbot: Any) -> None:
    layer = viewer.add_labels(squares(), name="nuclei")
    layer.data_setitem((np.array([0]), np.array([0])), 9)
    dock = open_dock(viewer)
    measure(dock, qtbot)
    assert not is_shown(dock.outdated)
    # Of undoing nothing is heard but that the layer is drawn again.
    layer.undo()
    qtbot.waitUntil(lambda: is_shown(dock.outdated), timeout=60_000)
    assert dock.outdated.value == OUTDATED
    measure(dock, qtbot)
    assert not is_shown(dock.outdated)
    layer.data_setitem((np.array([0]), np.array([0])), 9)
    assert is_shown(dock.outdated)
    measure(dock, qtbot)
    layer.scale = (2, 2)
    assert is_shown(dock.outdated)


def test_labels_of_other_axes_have_none_of_the_places_of_the_table(viewer: Any, qtbot: Any) -> None:
    layer = viewer.add_labels(squares(2), name="nuclei")
    dock = open_dock(viewer)
    measure(dock, qtbot)
    layer.data = squares()
    assert is_shown(dock.outdated)
    dock._picking._pick(np.array([1]), True)
    assert coloured(layer) == []
    assert layer.selected_label == 1


def test_looking_around_is_no_edit(viewer: Any, qtbot: Any) -> None:
    layer = viewer.add_labels(squares(3), name="nuclei")
    dock = open_dock(viewer)
    measure(dock, qtbot)
    viewer.dims.set_point(0, 2)
    layer.selected_label = 4
    layer.opacity = 0.3
    qtbot.wait(700)
    assert not is_shown(dock.outdated)


def test_what_cannot_be_measured_is_said_in_one_sentence(
    viewer: Any, qtbot: Any, notes: list[str]
) -> None:
    dock = open_dock(viewer)
    assert dock.status.value == NO_LABELS
    dock.start()
    layer = viewer.add_labels(np.zeros((3, 20, 20), np.int32), name="nothing")
    measure(dock, qtbot)
    dock.axes.value = "YX"
    dock.start()
    dock.axes.value = "ZYX"
    layer.units = ("pixel", "um", "um")
    dock.start()
    starts = ["There are no labels", "Expected nuclei in 'nothing'", "Expected one axis letter"]
    assert [note.startswith(it) for note, it in zip(notes, starts, strict=False)] == [True] * 3
    assert notes[3].startswith("Expected one kind of unit")
    assert dock.button.text == "Measure nuclei"


def test_a_layer_may_be_removed_and_a_run_cancelled(
    viewer: Any, qtbot: Any, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def slow(task: Any) -> Any:
        yield 0.0
        go_on.wait(60)
        return (yield from steps(task))

    monkeypatch.setattr(measuring, "steps", slow)
    layer = viewer.add_labels(squares(), name="nuclei")
    dock = open_dock(viewer)
    dock.button.native.click()
    assert dock.button.text == "Cancel"
    dock.button.native.click()
    go_on.set()
    wait(dock, qtbot)
    assert dock.status.value == CANCELLED
    assert "area_px" not in layer.features
    go_on.clear()
    dock.button.native.click()
    viewer.layers.remove(layer)
    go_on.set()
    wait(dock, qtbot)
    assert notes == ["'nuclei' was removed while it was measured; add it and try again."]
    assert dock.status.value == notes[0]


def test_the_table_is_saved_as_a_whole(
    viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notes: list[str]
) -> None:
    layer = viewer.add_labels(squares(2), name="nuclei", axis_labels=("t", "y", "x"))
    layer.features = {"index": [2, 4, 6], "confidence": [0.3, 0.4, 0.5]}
    dock = open_dock(viewer)
    measure(dock, qtbot)
    typed = [str(tmp_path / "table")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (typed[-1], ""))
    dock.save.native.click()
    wait(dock, qtbot)
    with (tmp_path / "table.csv").open() as file:
        rows = [(row["frame"], row["label"], row["confidence"]) for row in csv.DictReader(file)]
    assert rows[:2] == [("0", "2", "0.3"), ("0", "4", "0.4")]
    assert len(rows) == 6
    assert dock.status.value == "6 rows are in table.csv."
    dock.save.native.click()
    typed.append(str(tmp_path / "missing" / "table.csv"))
    dock.save.native.click()
    wait(dock, qtbot)
    assert [note.split(",")[0] for note in notes] == [
        "Expected a new file",
        "Expected an existing folder for 'table.csv'",
    ]


def test_the_table_is_of_the_kind_that_was_typed_or_chosen(
    viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_labels(squares(), name="nuclei")
    dock = open_dock(viewer)
    measure(dock, qtbot)
    answers = [("b.parquet", ""), ("c.csv", "Parquet (*.parquet)"), ("a", "Parquet (*.parquet)")]
    for typed, chosen in answers:
        answer = (str(tmp_path / typed), chosen)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, answer=answer: answer)
        dock.save.native.click()
        wait(dock, qtbot)
    read = {"a.parquet": pd.read_parquet, "b.parquet": pd.read_parquet, "c.csv": pd.read_csv}
    assert sorted(path.name for path in tmp_path.iterdir()) == list(read)
    assert all(f(tmp_path / name)["label"].tolist() == [2, 4, 6] for name, f in read.items())


def test_another_layer_and_a_closed_dock_leave_everything_as_it_was(
    viewer: Any, qtbot: Any
) -> None:
    layer = viewer.add_labels(squares(), name="nuclei")
    before = layer.colormap
    dock = open_dock(viewer)
    measure(dock, qtbot)
    dock._picking._pick(np.array([0, 1]), False)
    assert coloured(layer) == [2, 4]
    other = viewer.add_labels(squares(), name="others")
    assert layer.colormap == before
    assert not is_shown(dock.results)
    viewer.layers.selection.active = layer
    measure(dock, qtbot)
    dock._picking._pick(np.array([0, 1]), False)
    viewer.theme = "light"
    viewer.window.remove_dock_widget(dock.native)
    assert layer.colormap == before
    n_callbacks = len(layer.events.paint.callbacks), len(layer.events.set_data.callbacks)
    assert n_callbacks == (len(other.events.paint.callbacks), len(other.events.set_data.callbacks))


def test_images_that_were_not_ticked_stay_so(viewer: Any, qtbot: Any) -> None:
    viewer.add_image(squares() * 10.0, name="DAPI")
    viewer.add_labels(squares(), name="nuclei")
    dock = open_dock(viewer)
    dock.images.item(0).setCheckState(Qt.CheckState.Unchecked)
    viewer.add_image(squares() * 3.0, name="GFP")
    assert dock.ticked() == ["GFP"]


def test_an_image_that_was_renamed_is_measured(viewer: Any, qtbot: Any) -> None:
    image = viewer.add_image(squares() * 10.0, name="DAPI")
    layer = viewer.add_labels(squares(), name="nuclei")
    dock = open_dock(viewer)
    image.name = "Hoechst"
    measure(dock, qtbot)
    assert layer.features["intensity_mean"].tolist() == [20, 40, 60]
