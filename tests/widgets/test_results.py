from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import dask.array
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.layers._layer_actions import _duplicate_layer

from napari_unet.learning.facts import image_name
from napari_unet.segmentation import SegmentSettings
from napari_unet.widgets import autosave
from napari_unet.widgets.corrections import (
    confirm_nucleus,
    confirm_view,
    edited,
    has_confirmed,
    is_confirmed,
    own_id,
)
from napari_unet.widgets.own_columns import COLUMNS, own_columns
from napari_unet.widgets.results import (
    add_result,
    draw,
    find_result,
    result_to_update,
    update_result,
)
from napari_unet.widgets.segmenting import Finished


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def image_of(viewer: Any, *shape: int, rgb: bool = False) -> Image:
    return viewer.add_layer(Image(np.zeros(shape, np.uint8), name="cells", rgb=rgb))


def finished(
    labels: np.ndarray,
    axes: str,
    shape: tuple[int, ...] | None = None,
    place: tuple[slice, ...] | None = None,
    link: str = "auto",
    channel: int | None = None,
) -> Finished:
    facts = {
        "axes": axes,
        "model": "nuclei",
        "settings": asdict(SegmentSettings(channel=channel, diameter=8.0, link=link)),
    }
    whole = (slice(None),) * labels.ndim
    labels = labels.astype(np.int32)
    return Finished(labels, place or whole, shape or labels.shape, 8.0, 0.1, facts)


def show(viewer: Any, image: Image, outcome: Finished) -> Labels:
    """Put a run into the viewer as the dock does, at once."""
    layer = result_to_update(viewer.layers, image, outcome)
    if layer is None:
        return add_result(viewer, image, outcome, draw(outcome))
    drawn = draw(outcome, edited(layer), finds_heirs=bool(own_columns(layer)))
    update_result(layer, image, outcome, drawn)
    return layer


def paint(layer: Labels, number: int, *place: slice | int) -> None:
    mask = np.zeros(layer.data.shape, bool)
    mask[place] = True
    layer.data_setitem(np.nonzero(mask), number)


def summary(layer: Labels) -> str:
    return edited(layer).find().summary()


def squares(*shape: int, shift: int = 0) -> np.ndarray:
    """Return labels with two squares on every plane."""
    labels = np.zeros(shape, np.int32)
    labels[..., 2:8, 2 + shift : 8 + shift], labels[..., 10:18, 15 + shift : 25 + shift] = 1, 2
    return labels


def test_a_second_run_updates_its_own_result(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    first = show(viewer, image, finished(squares(20, 30), "YX"))
    second = show(viewer, image, finished(squares(20, 30, shift=1), "YX"))
    assert first is second
    np.testing.assert_array_equal(second.data, squares(20, 30, shift=1))
    assert summary(second) == "nothing corrected yet"
    assert len(viewer.layers) == 2


def test_the_brush_paints_a_nucleus_of_its_own_after_each_run(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    assert layer.selected_label == 3
    paint(layer, 7, slice(15, 18), slice(2, 5))
    show(viewer, image, finished(squares(20, 30) * 4, "YX"))
    assert layer.selected_label == 9
    highest = finished(squares(20, 30) * (2**30 - 1) + (squares(20, 30) > 1), "YX")
    show(viewer, image, highest)
    assert layer.selected_label == 2**31 - 1


def test_the_brush_has_no_label_that_was_called_right_and_erased(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    paint(layer, 58, slice(15, 18), slice(2, 5))
    confirm_nucleus(layer, 58, is_right=True)
    paint(layer, 0, slice(15, 18), slice(2, 5))
    show(viewer, image, finished(squares(20, 30), "YX"))
    assert layer.selected_label == 59
    # Whoever sees the selected nucleus alone goes on to see it.
    layer.selected_label, layer.show_selected_label = 1, True
    show(viewer, image, finished(squares(20, 30), "YX"))
    assert layer.selected_label == 1


@pytest.mark.parametrize("axes", ["YX", "YXS", "CYX", "ZYX", "TYX", "ZCYX", "TZCYX", "ZTYX"])
def test_corrections_stay_through_two_more_runs(viewer: ViewerModel, axes: str) -> None:
    sizes = {"Y": 20, "X": 30, "Z": 3, "T": 2, "C": 2, "S": 3}
    image = image_of(viewer, *(sizes[axis] for axis in axes), rgb="S" in axes)
    shape = tuple(sizes[axis] for axis in axes if axis not in "CS")
    layer = show(viewer, image, finished(squares(*shape), axes))
    top = (0,) * (layer.ndim - 2)
    paint(layer, 0, ..., slice(2, 8), slice(2, 8))
    paint(layer, 7, *top, slice(3, 9), slice(22, 28))
    paint(layer, 2, ..., slice(18, 19), slice(15, 25))
    corrected, said = layer.data.copy(), summary(layer)
    for shift in (1, 2):
        assert show(viewer, image, finished(squares(*shape, shift=shift), axes)) is layer
        assert summary(layer) == said
        np.testing.assert_array_equal(layer.data, corrected)
    again = squares(*shape, shift=-1)
    again[..., 11:19, 2:9] = 3
    show(viewer, image, finished(again, axes))
    assert summary(layer) == said
    rest = np.ones_like(corrected)
    rest[..., 11:19, 2:9] = 0
    np.testing.assert_array_equal(layer.data * rest, corrected)
    assert (layer.data[..., 11:19, 2:9] == 3).all()


def test_confirmed_views_stay_confirmed_with_their_nuclei(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    layer.corner_pixels = np.array([[0, 0], [8, 29]])
    confirm_view(layer, viewer)
    empty = finished(np.zeros((20, 30)), "YX")
    assert show(viewer, image, empty) is layer
    assert has_confirmed(layer)
    assert summary(layer) == "1 nucleus confirmed"
    assert np.unique(layer.data).tolist() == [0, 1]


def test_a_nucleus_that_is_right_stays_and_stays_right(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    before = layer.data.copy()
    confirm_nucleus(layer, 1, is_right=True)
    empty = finished(np.zeros((20, 30)), "YX")
    assert show(viewer, image, empty) is layer
    assert is_confirmed(layer, 1)
    assert summary(layer) == "1 nucleus confirmed"
    np.testing.assert_array_equal(layer.data, before * (before == 1))


def test_what_is_right_stays_so_when_a_run_numbers_all_others_anew(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    right = layer.data == 2
    confirm_nucleus(layer, 2, is_right=True)
    swapped = (3 - squares(20, 30)) * (squares(20, 30) > 0)
    swapped[0:2, 28:30] = 3
    show(viewer, image, finished(swapped, "YX"))
    assert is_confirmed(layer, 2)
    np.testing.assert_array_equal(layer.data == 2, right)
    assert sum(is_confirmed(layer, int(number)) for number in np.unique(layer.data)) == 1


def test_no_other_nucleus_is_right_by_the_id_of_one_that_was_erased(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    paint(layer, 3, slice(12, 16), slice(2, 6))
    confirm_nucleus(layer, 3, is_right=True)
    paint(layer, 0, slice(12, 16), slice(2, 6))
    again = squares(20, 30)
    again[0:2, 26:30] = 3
    show(viewer, image, finished(again, "YX"))
    assert np.unique(layer.data).tolist() == [0, 1, 2, 4]
    assert not any(is_confirmed(layer, number) for number in (1, 2, 4))
    layer.undo()
    assert is_confirmed(layer, 3)
    assert (layer.data[12:16, 2:6] == 3).all()


def test_a_stroke_of_before_a_run_can_be_undone_after_it(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    layer.data_setitem(np.nonzero(layer.data == 1), 0)
    show(viewer, image, finished(squares(20, 30), "YX"))
    assert summary(layer) == "1 nucleus removed"
    layer.undo()
    assert summary(layer) == "nothing corrected yet"


def test_a_run_on_one_plane_keeps_the_nuclei_of_the_others(viewer: ViewerModel) -> None:
    image = image_of(viewer, 5, 20, 30)
    for plane in (0, 2):
        labels = np.zeros((1, 20, 30), np.int32)
        labels[0, 3:6, 4:9] = 1
        place = (slice(plane, plane + 1), slice(None), slice(None))
        layer = show(viewer, image, finished(labels, "ZYX", (5, 20, 30), place))
    assert len(viewer.layers) == 2
    assert layer.data[:, 4, 5].tolist() == [1, 0, 2, 0, 0]


def test_a_run_on_one_plane_keeps_the_corrections_on_all(viewer: ViewerModel) -> None:
    image = image_of(viewer, 3, 20, 30)
    layer = show(viewer, image, finished(squares(3, 20, 30), "ZYX"))
    paint(layer, 7, slice(0, 2), slice(3, 9), slice(22, 28))
    paint(layer, 0, 2, slice(2, 8), slice(2, 8))
    corrected = layer.data.copy()
    place = (slice(1, 2), slice(None), slice(None))
    new = np.zeros((1, 20, 30), np.int32)
    new[0, 11:17, 16:26], new[0, 12:18, 2:8] = 1, 2
    show(viewer, image, finished(new, "ZYX", (3, 20, 30), place))
    np.testing.assert_array_equal(layer.data[[0, 2]], corrected[[0, 2]])
    assert layer.data[1, 5, 5] == 1
    assert layer.data[1, 5, 25] == 7
    assert layer.data[1, 14, 25] == 2
    assert layer.data[1, 15, 5] not in (0, 1, 2, 7)


def test_a_nucleus_of_the_stack_keeps_its_id_in_a_plane_that_is_run_again(
    viewer: ViewerModel,
) -> None:
    image = image_of(viewer, 5, 20, 30)
    stack = np.zeros((5, 20, 30), np.int32)
    stack[:, 3:6, 4:9], stack[:, 10:14, 4:9] = 1, 2
    show(viewer, image, finished(stack, "ZYX"))
    plane = np.zeros((1, 20, 30), np.int32)
    plane[0, 10:14, 4:9], plane[0, 16:18, 4:9] = 1, 2
    place = (slice(2, 3), slice(None), slice(None))
    layer = show(viewer, image, finished(plane, "ZYX", stack.shape, place))
    assert layer.data[:, 12, 5].tolist() == [2, 2, 2, 2, 2]
    assert layer.data[:, 4, 5].tolist() == [1, 1, 0, 1, 1]
    assert layer.data[2, 17, 5] == 3


def test_labels_that_no_longer_fit_stay_and_a_new_layer_is_added(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    first = show(viewer, image, finished(squares(20, 30), "YX"))
    first.data = np.ones((5, 5), np.int32)
    second = show(viewer, image, finished(squares(20, 30), "YX"))
    assert second.name == "cells nuclei [1]"
    assert first.data.shape == (5, 5)
    assert find_result(viewer.layers, image) is second


def test_other_axes_of_the_same_image_make_another_layer(viewer: ViewerModel) -> None:
    image = image_of(viewer, 2, 20, 30)
    first = show(viewer, image, finished(squares(20, 30), "CYX"))
    second = show(viewer, image, finished(squares(2, 20, 30), "ZYX"))
    third = show(viewer, image, finished(squares(2, 20, 30), "TYX"))
    assert viewer.layers == [image, first, second, third]
    assert show(viewer, image, finished(squares(2, 20, 30), "ZYX")) is second


def test_each_channel_has_a_result_of_its_own(viewer: ViewerModel) -> None:
    image = image_of(viewer, 2, 20, 30)
    first = show(viewer, image, finished(squares(20, 30), "CYX", channel=0))
    paint(first, 7, slice(10, 15), slice(2, 8))
    corrected = first.data.copy()
    second = show(viewer, image, finished(squares(20, 30, shift=1), "CYX", channel=1))
    assert first is not second
    np.testing.assert_array_equal(first.data, corrected)
    np.testing.assert_array_equal(second.data, squares(20, 30, shift=1))
    assert first.metadata["napari_unet"]["settings"]["channel"] == 0
    assert show(viewer, image, finished(squares(20, 30), "CYX", channel=0)) is first
    assert summary(first) == "1 nucleus added"


def duplicate(viewer: Any, layer: Labels) -> Labels:
    viewer.layers.selection.active = layer
    _duplicate_layer(viewer.layers)
    return viewer.layers[viewer.layers.index(layer) + 1]


@pytest.mark.usefixtures("qapp")
def test_a_copy_of_a_result_has_facts_of_its_own_and_so_has_the_copy_of_a_copy(
    viewer: ViewerModel,
) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    copy = duplicate(viewer, layer)
    other = duplicate(viewer, copy)
    copy.corner_pixels = np.array([[0, 0], [8, 29]])
    confirm_view(copy, viewer)
    assert [has_confirmed(it) for it in (layer, copy, other)] == [False, True, False]
    # napari would let the brush go on painting nucleus 1.
    assert [it.selected_label for it in (layer, copy, other)] == [3, 3, 3]
    assert len({own_id(it) for it in (layer, copy, other)}) == 3


@pytest.mark.usefixtures("qapp")
def test_a_copy_of_a_result_with_lazy_labels_is_saved_too(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    layer.data = dask.array.from_array(layer.data)
    copy = duplicate(viewer, layer)
    assert own_id(copy) != own_id(layer)
    assert copy in autosave._watchers


@pytest.mark.usefixtures("qapp")
def test_a_run_is_drawn_into_the_result_and_not_into_a_copy_of_it(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    copy = duplicate(viewer, layer)
    assert show(viewer, image, finished(squares(20, 30, shift=1), "YX")) is layer
    np.testing.assert_array_equal(copy.data, squares(20, 30))
    viewer.layers.remove(layer)
    assert find_result(viewer.layers, image) is copy


def test_a_result_stays_itself_through_a_second_run(viewer: ViewerModel) -> None:
    image, other = image_of(viewer, 20, 30), image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    before = own_id(layer)
    show(viewer, image, finished(squares(20, 30, shift=1), "YX"))
    assert own_id(layer) == before
    assert own_id(show(viewer, other, finished(squares(20, 30), "YX"))) != before
    assert image_name(f"plate 7.tif {before}") == "plate 7.tif"


def test_labels_that_are_none_are_refused(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    layer.data[0, 0] = -1
    with pytest.raises(ValueError, match="labels from 0"):
        draw(finished(squares(20, 30), "YX"), edited(layer))


def test_an_updated_result_follows_its_image_in_the_world(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    image.scale = (9, 9)
    image.translate = (1, 2)
    assert show(viewer, image, finished(squares(20, 30), "YX")) is layer
    np.testing.assert_allclose(layer.data_to_world((7, 11)), image.data_to_world((7, 11)))


def test_another_images_result_is_not_ones_own(viewer: ViewerModel) -> None:
    image, other = image_of(viewer, 20, 30), image_of(viewer, 20, 30)
    show(viewer, image, finished(squares(20, 30), "YX"))
    assert find_result(viewer.layers, other) is None


def test_the_result_says_what_made_it(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    facts = layer.metadata["napari_unet"]
    assert layer.name == "cells nuclei"
    assert facts["model"] == "nuclei"
    assert facts["image"] == "cells"
    assert facts["image_id"] == str(image.unique_id)


def sure(layer: Labels) -> dict[int, float]:
    """Return the confidence of each nucleus that has one."""
    return dict(zip(layer.features["index"], layer.features["confidence"].tolist(), strict=True))


def test_the_layer_says_how_sure_the_network_is_of_each_nucleus(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    outcome = finished(squares(20, 30), "YX")
    assert sure(show(viewer, image, outcome)) == {}
    confidence = np.array([np.nan, 0.75, 0.5], np.float32)
    layer = show(viewer, image, replace(outcome, confidence=confidence))
    assert sure(layer) == {1: 0.75, 2: 0.5}


def test_the_network_is_not_asked_of_what_was_corrected(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    confidence = np.array([np.nan, 0.75, 0.5], np.float32)
    first, second = (
        replace(finished(squares(20, 30), "YX"), confidence=confidence) for _ in range(2)
    )
    layer = show(viewer, image, first)
    paint(layer, 2, slice(10, 18), slice(12, 15))
    assert sure(show(viewer, image, second)) == {1: 0.75}


def test_a_region_has_the_confidence_of_its_run(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    labels = squares(20, 30)[8:] // 2
    place = np.s_[8:20, 0:30]
    run = finished(labels, "YX", (20, 30), place)
    layer = show(viewer, image, replace(run, confidence=np.array([np.nan, 0.5], np.float32)))
    assert sure(layer) == {1: 0.5}


def test_a_movie_says_whose_daughter_a_nucleus_is(viewer: ViewerModel) -> None:
    image = image_of(viewer, 2, 20, 30)
    labels = np.zeros((2, 20, 30), np.int32)
    labels[0, 2:8, 2:18], labels[1, 2:8, 2:9], labels[1, 2:8, 11:18] = 1, 2, 3
    labels[:, 12:18, 2:9] = 4
    outcome = finished(labels, "TYX")
    confidence = np.array([np.nan, 0.75, np.nan, np.nan, 0.5], np.float32)
    for shown in (outcome, replace(outcome, confidence=confidence)):
        features = show(viewer, image, shown).features
        assert features["index"].tolist() == [1, 2, 3, 4]
        assert features["parent"].tolist() == [0, 1, 1, 0]
    np.testing.assert_array_equal(features["confidence"], [0.75, np.nan, np.nan, 0.5])
    unlinked = show(viewer, image, finished(labels, "TYX", link="none"))
    assert "parent" not in unlinked.features


def test_parents_are_those_of_the_corrected_movie(viewer: ViewerModel) -> None:
    image = image_of(viewer, 2, 20, 30)
    labels = np.zeros((2, 20, 30), np.int32)
    labels[0, 2:8, 2:18], labels[1, 2:8, 2:9], labels[1, 2:8, 11:18] = 1, 2, 3
    layer = show(viewer, image, finished(labels, "TYX"))
    paint(layer, 0, 1, slice(2, 8), slice(11, 18))
    show(viewer, image, finished(labels, "TYX"))
    assert dict(zip(layer.features["index"], layer.features["parent"], strict=True)) == {1: 0, 2: 0}


def own(layer: Labels, column: str) -> dict[int, Any]:
    """Return a column of the features by nucleus, without what is missing."""
    known = layer.features[["index", column]].dropna()
    return dict(zip(known["index"].tolist(), known[column].tolist(), strict=True))


def test_columns_of_the_user_stay_with_nuclei_whatever_a_run_calls_them(
    viewer: ViewerModel,
) -> None:
    image = image_of(viewer, 20, 30)
    outcome = finished(squares(20, 30), "YX")
    layer = show(viewer, image, replace(outcome, confidence=np.array([np.nan, 0.75, 0.5])))
    layer.features = layer.features.assign(kind=["round", "long"], comment=["", "look"])
    again = np.zeros((20, 30), np.int32)
    again[10:18, 16:26], again[0:2, 26:30] = 1, 2
    run = replace(finished(again, "YX"), confidence=np.array([np.nan, 0.25, 0.5], np.float32))
    show(viewer, image, run)
    assert sure(layer) == {1: 0.25, 2: 0.5}
    assert own(layer, "kind") == {1: "long"}
    assert own(layer, "comment") == {1: "look"}


def test_columns_stay_with_corrected_nuclei_and_are_missing_for_others(
    viewer: ViewerModel,
) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    paint(layer, 7, slice(12, 16), slice(2, 6))
    confirm_nucleus(layer, 2, is_right=True)
    layer.features = {"index": [1, 2, 7], "dose": [1, 2, 3]}
    show(viewer, image, finished(np.zeros((20, 30)), "YX"))
    assert own(layer, "dose") == {2: 2, 7: 3}
    assert layer.features["index"].tolist() == [2, 7]


def test_features_without_an_index_stay_with_the_nuclei_of_their_rows(
    viewer: ViewerModel,
) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    layer.features = {"kind": ["background", "round", "long"]}
    show(viewer, image, finished(squares(20, 30, shift=1), "YX"))
    assert own(layer, "kind") == {1: "round", 2: "long"}


def test_what_was_measured_goes_with_a_run_and_columns_of_frames_stay_with_these(
    viewer: ViewerModel,
) -> None:
    image = image_of(viewer, 2, 20, 30)
    layer = show(viewer, image, finished(squares(2, 20, 30), "TYX"))
    layer.features = {
        "index": [1, 1, 2, 2],
        "frame": [0, 1, 0, 1],
        "area_px": [36, 36, 80, 80],
        "fate": list("abcd"),
    }
    layer.metadata[COLUMNS] = ["frame", "area_px"]
    show(viewer, image, finished(squares(2, 20, 30), "TYX"))
    assert set(layer.features) == {"index", "confidence", "parent", "frame", "fate"}
    assert layer.features["fate"].tolist() == list("abcd")
    assert layer.features["frame"].tolist() == [0, 1, 0, 1]
    layer.features = layer.features.drop(columns="fate")
    show(viewer, image, finished(squares(2, 20, 30), "TYX"))
    assert set(layer.features) == {"index", "confidence", "parent"}


@pytest.mark.usefixtures("qapp")
def test_what_the_user_chose_for_a_result_stays_through_a_second_run(viewer: ViewerModel) -> None:
    image = image_of(viewer, 20, 30)
    layer = show(viewer, image, finished(squares(20, 30), "YX"))
    layer.metadata["mine"] = 5
    chosen = {
        "name": "HeLa",
        "opacity": 0.25,
        "contour": 2,
        "visible": False,
        "blending": "opaque",
        "brush_size": 3,
        "show_selected_label": True,
        "iso_gradient_mode": "smooth",
    }
    for name, value in chosen.items():
        setattr(layer, name, value)
    layer.colormap = {None: "transparent", 1: "red", 2: "blue"}
    colours = layer.get_color(1), layer.get_color(2)
    assert show(viewer, image, finished(squares(20, 30, shift=1), "YX")) is layer
    assert {name: getattr(layer, name) for name in chosen} == chosen
    np.testing.assert_array_equal([layer.get_color(1), layer.get_color(2)], colours)
    assert layer.metadata["mine"] == 5
