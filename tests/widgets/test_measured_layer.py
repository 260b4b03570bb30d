"""Between layers and the table: images that fit, places in the world, columns of others."""

from __future__ import annotations

import dask.array
import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Labels

from napari_unet.nuclei.measuring import finish, steps
from napari_unet.widgets.measured_layer import (
    checked_axes,
    for_file,
    likely_axes,
    sources,
    task_of,
    with_features,
    world_transform,
    write_features,
)
from napari_unet.widgets.own_columns import COLUMNS

UM = ("um", "um", "um")


def squares(shape=(20, 24)):
    labels = np.zeros(shape, np.int32)
    labels[..., 2:6, 2:8], labels[..., 10:14, 10:12] = 3, 5
    return labels


def measured(layer, images=(), axes=None, **options):
    options = {"each_plane": False} | options
    axes = axes or likely_axes(layer)
    found = sources(images, layer, axes)
    return finish(steps(task_of(layer, axes, found, **options))).table


@pytest.mark.parametrize(
    ("shape", "names", "axes"),
    [
        ((20, 24), None, "YX"),
        ((9, 20, 24), None, "ZYX"),
        ((2, 20, 24), None, "ZYX"),
        ((9, 20, 24), ("time", "y", "x"), "TYX"),
        ((5, 3, 40, 40), None, "TZYX"),
        ((2, 2, 2, 2, 2, 2), None, ""),
    ],
)
def test_axes_are_guessed_and_are_never_channels(shape, names, axes):
    layer = Labels(np.zeros(shape, np.uint8), axis_labels=names)
    assert likely_axes(layer) == axes


@pytest.mark.parametrize("text", ["YXS", "CYX", "YX", "ZZZ"])
def test_axes_that_labels_cannot_have_are_refused(text):
    with pytest.raises(ValueError, match="Expected"):
        checked_axes(Labels(np.zeros((3, 20, 3), np.uint8)), text)


def test_images_of_the_labels_shape_and_their_channels_can_be_measured():
    layer = Labels(squares())
    images = [
        Image(np.zeros((20, 24)), name="DAPI"),
        Image(np.zeros((20, 25)), name="other shape"),
        Image(np.zeros((20, 24, 4), np.uint8), name="stain", rgb=True),
        Image(np.zeros((2, 20, 24)), name="two", axis_labels=("c", "y", "x")),
        Image(np.zeros((9, 20, 24)), name="stack"),
        layer,
    ]
    names = [source.name for source in sources(images, layer, "YX")]
    assert names == ["DAPI", "stain red", "stain green", "stain blue", "two 0", "two 1"]


def test_channels_are_read_where_they_are():
    stack = np.zeros((3, 2, 20, 24), np.uint8)
    stack[:, 1] = 7
    image = Image(stack, name="stack", axis_labels=("z", "c", "y", "x"))
    names = ("z", "y", "x")
    layer = Labels(squares((3, 20, 24)), axis_labels=names)
    assert measured(layer, [image])["intensity_mean_stack 1"].tolist() == [7, 7]
    layer = Labels(squares((3, 1, 20, 24)), axis_labels=("z", "c", "y", "x"))
    table = measured(layer, [image])
    assert table["volume_px"].tolist() == [72, 24]
    assert table["intensity_mean_stack 1"].tolist() == [7, 7]


def test_one_image_does_not_lengthen_the_names():
    table = measured(Labels(squares()), [Image(squares() * 2, name="DAPI")])
    assert table["intensity_mean"].tolist() == [6, 10]


def test_labels_and_images_may_be_lazy_or_have_several_levels():
    movie = squares((3, 20, 24))
    lazy = dask.array.from_array(movie, chunks=(1, 20, 24))
    layer = Labels(lazy, axis_labels=("t", "y", "x"))
    table = measured(layer, [Image(lazy * 2, axis_labels=("t", "y", "x"))])
    assert table["frame"].tolist() == [0, 0, 1, 1, 2, 2]
    assert table["intensity_mean"].tolist() == [6, 10] * 3
    levels = [squares(), squares()[::2, ::2]]
    table = measured(Labels(levels, multiscale=True), [Image(levels, multiscale=True)])
    assert table[["area_px", "intensity_mean"]].to_numpy().tolist() == [[24, 3], [8, 5]]


def test_centroids_are_where_the_layer_lies_in_the_world():
    layer = Labels(
        squares(),
        scale=(0.5, -0.25),
        translate=(100, 200),
        rotate=30,
        affine=[[1, 0, 7], [0, 1, 0], [0, 0, 1]],
        units=("um", "um"),
    )
    table = measured(layer)
    places = table[["centroid_y_um", "centroid_x_um"]].to_numpy()
    np.testing.assert_allclose(
        places, [layer.data_to_world(it) for it in [(3.5, 4.5), (11.5, 10.5)]]
    )
    np.testing.assert_allclose(table["area_um2"], [24 / 8, 8 / 8])


def test_units_are_made_one():
    layer = Labels(
        squares((3, 20, 24)),
        scale=(2000, 0.5, 0.5),
        units=("nm", "um", "um"),
        translate=(1e4, 0, 0),
    )
    table = measured(layer)
    np.testing.assert_allclose(table["volume_um3"], [72 * 0.5, 24 * 0.5])
    np.testing.assert_allclose(table["centroid_z_um"], [12, 12])


def test_units_that_cannot_be_compared_are_refused():
    layer = Labels(squares((3, 20, 24)), units=("pixel", "um", "um"))
    with pytest.raises(ValueError, match="Expected one kind of unit"):
        measured(layer)


@pytest.mark.parametrize(("scale", "column"), [(1, "area_px"), (0.5, "area_units2")])
def test_a_scale_without_a_unit_is_in_units(scale, column):
    assert column in measured(Labels(squares(), scale=(scale, scale)))


def test_a_transform_takes_places_to_the_world():
    layer = Labels(squares((2, 20, 24)), scale=(3, 2, 1), translate=(5, 6, 7))
    assert world_transform(layer).tolist() == [[3, 0, 0, 5], [0, 2, 0, 6], [0, 0, 1, 7]]


def test_columns_of_others_stay_with_their_nuclei():
    layer = Labels(squares())
    layer.features = {"index": [5, 3, 9], "confidence": [0.5, 0.9, 0.1], "area_px": [0, 0, 0]}
    write_features(layer, measured(layer))
    assert layer.features["index"].tolist() == [3, 5]
    assert layer.features["confidence"].tolist() == [0.9, 0.5]
    assert layer.features["area_px"].tolist() == [24, 8]
    assert layer.features.columns[0] == "index"


def test_an_index_that_is_no_number_is_no_nucleus():
    layer = Labels(squares(), features={"index": ["a", "5"], "mine": [1.0, 2.0]})
    write_features(layer, measured(layer))
    assert layer.features["index"].tolist() == [3, 5]
    assert np.isnan(layer.features["mine"][0])
    assert layer.features["mine"][1] == 2


def test_features_without_an_index_go_by_their_row():
    layer = Labels(squares(), features={"name": list("abcdef")})
    write_features(layer, measured(layer))
    assert layer.features["name"].tolist() == ["d", "f"]


def test_what_was_measured_before_goes():
    layer = Labels(squares())
    layer.features = {"index": [3, 5], "mine": [1, 2]}
    write_features(layer, measured(layer, [Image(squares())]))
    assert "intensity_mean" in layer.features
    write_features(layer, measured(layer))
    assert "intensity_mean" not in layer.features
    assert layer.features["mine"].tolist() == [1, 2]
    assert "mine" not in layer.metadata[COLUMNS]


def test_in_a_movie_columns_of_others_go_to_every_frame_or_to_theirs():
    layer = Labels(squares((2, 20, 24)), axis_labels=("t", "y", "x"))
    layer.features = {"index": [3, 5], "track": [30, 50]}
    table = measured(layer)
    write_features(layer, table)
    assert layer.features["track"].tolist() == [30, 50, 30, 50]
    layer.features = pd.DataFrame(layer.features).assign(fate=list("abcd"))
    assert with_features(layer, table)["fate"].tolist() == list("abcd")


def test_a_file_begins_with_frame_and_label():
    table = for_file(pd.DataFrame({"index": [3], "area_px": [1.0], "frame": [0]}))
    assert table.columns.tolist() == ["frame", "label", "area_px"]
    table = for_file(pd.DataFrame({"index": [3], "area_px": [1.0], "label": ["a"]}))
    assert table.columns.tolist() == ["index", "label", "area_px"]
