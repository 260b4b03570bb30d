from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.layers._source import layer_source

from napari_unet.images.axes import label_shape, planes
from napari_unet.widgets.layers import (
    as_layer_data,
    checked_axes,
    full_resolution,
    layer_axes,
    pixel_size,
    plane_distance,
    spatial_fields,
    visible_region,
)

SHAPES = {
    "YX": (20, 30),
    "ZYX": (5, 20, 30),
    "TYX": (5, 20, 30),
    "TZYX": (4, 5, 20, 30),
    "CYX": (2, 20, 30),
    "CZYX": (2, 5, 20, 30),
    "ZCYX": (5, 2, 20, 30),
    "TCZYX": (4, 2, 5, 20, 30),
    "TZCYX": (4, 5, 3, 20, 30),
    "YXS": (20, 30, 3),
    "ZYXS": (5, 20, 30, 3),
}


def placed_image(axes: str) -> Image:
    """An image somewhere in the world: scaled, moved, turned in the plane, with units."""
    dims = axes.removesuffix("S")
    turn = np.eye(len(dims))
    turn[-2:, -2:] = [[0.8, -0.6], [0.6, 0.8]]
    affine = np.eye(len(dims) + 1)
    affine[:-1, -1] = 7.0
    return Image(
        np.zeros(SHAPES[axes], np.uint8),
        rgb=axes.endswith("S"),
        scale=[{"T": 3.0, "C": 1.0, "Z": 2.0, "Y": 0.5, "X": 0.25}[axis] for axis in dims],
        translate=[{"T": 1.0, "C": 0.0, "Z": -4.0, "Y": 10.0, "X": 20.0}[axis] for axis in dims],
        rotate=turn,
        affine=affine,
        units=["s" if axis == "T" else "pixel" if axis == "C" else "um" for axis in dims],
        axis_labels=tuple(dims.lower()),
    )


def result_layer(image: Image, axes: str) -> Labels:
    labels = np.zeros(label_shape(axes, SHAPES[axes]), np.int32)
    return Labels(as_layer_data(labels, axes), **spatial_fields(image, axes))


@pytest.mark.parametrize("axes", SHAPES)
def test_a_label_falls_on_its_pixel_in_world_coordinates(axes: str) -> None:
    image = placed_image(axes)
    labels = result_layer(image, axes)
    for channel in range(SHAPES[axes][axes.index("C")] if "C" in axes else 1):
        for plane in planes(axes, SHAPES[axes], channel if "C" in axes else None):
            place = {**dict(plane.position), "C": channel, "Y": 7, "X": 11}
            world = image.data_to_world([place[axis] for axis in axes.removesuffix("S")])
            seen = np.round(labels.world_to_data(world[-labels.ndim :])).astype(int)
            kept = axes.removesuffix("S")[-labels.ndim :]
            assert seen.tolist() == [0 if axis == "C" else place[axis] for axis in kept]


@pytest.mark.parametrize("axes", SHAPES)
def test_units_and_names_of_the_axes_are_kept(axes: str) -> None:
    image = placed_image(axes)
    labels = result_layer(image, axes)
    assert labels.units == image.units[-labels.ndim :]
    assert labels.axis_labels == image.axis_labels[-labels.ndim :]


@pytest.mark.parametrize("axes", SHAPES)
def test_axes_are_guessed_from_the_layers_names(axes: str) -> None:
    assert layer_axes(placed_image(axes)) == axes


def test_axes_are_read_from_the_file_where_the_layer_names_none(tmp_path: Path) -> None:
    path = tmp_path / "movie.ome.tif"
    movie = np.zeros((5, 20, 30), np.uint8)
    tifffile.imwrite(path, movie, metadata={"axes": "TYX"})
    with layer_source(path=str(path)):
        opened = Image(movie)
    assert layer_axes(opened) == "TYX"
    assert layer_axes(Image(movie)) == "ZYX"


def test_the_finest_level_of_a_multiscale_image_is_taken() -> None:
    levels = [np.zeros((64, 64)), np.zeros((32, 32)), np.zeros((16, 16))]
    assert full_resolution(Image(levels, multiscale=True)).shape == (64, 64)


def test_the_distance_of_planes_is_in_pixels() -> None:
    assert plane_distance(placed_image("TZYX"), "TZYX") == 4.0
    assert plane_distance(placed_image("TYX"), "TYX") is None


def test_the_distance_of_planes_is_not_known_of_a_layer_without_sizes() -> None:
    stack = np.zeros((2, 4, 4))
    assert plane_distance(Image(stack), "ZYX") is None
    assert plane_distance(Image(stack, scale=(3, 1, 1)), "ZYX") == 3.0
    assert plane_distance(Image(stack, units=("um", "um", "um")), "ZYX") == 1.0


def test_a_pixel_without_unit_has_the_size_of_a_pixel() -> None:
    assert pixel_size(Image(np.zeros((4, 4)))) == (1.0, "pixel")
    assert pixel_size(placed_image("YX")) == (0.25, "µm")


@pytest.fixture
def viewer() -> Any:
    return ViewerModel()


def test_everything_is_the_whole_array(viewer: ViewerModel) -> None:
    image = viewer.add_layer(placed_image("TZYX"))
    assert visible_region(image, "TZYX", viewer, "everything") == (slice(None),) * 4


def test_this_plane_is_the_shown_frame_and_plane(viewer: ViewerModel) -> None:
    image = viewer.add_layer(placed_image("TZYX"))
    viewer.dims.set_current_step((0, 1), (2, 3))
    assert visible_region(image, "TZYX", viewer, "this plane") == (
        slice(2, 3),
        slice(3, 4),
        slice(None),
        slice(None),
    )


def test_this_plane_leaves_all_channels_to_choose_from(viewer: ViewerModel) -> None:
    image = viewer.add_layer(placed_image("ZCYX"))
    viewer.dims.set_current_step((0, 1), (2, 1))
    region = visible_region(image, "ZCYX", viewer, "this plane")
    assert region == (slice(2, 3), slice(None), slice(None), slice(None))


def test_this_view_is_what_the_canvas_shows(viewer: ViewerModel) -> None:
    image = viewer.add_layer(Image(np.zeros((5, 200, 300))))
    viewer.dims.set_current_step(0, 2)
    image.corner_pixels = np.array([[2, 40, 50], [2, 89, 120]])
    region = visible_region(image, "ZYX", viewer, "this view")
    assert region == (slice(2, 3), slice(40, 90), slice(50, 121))


def test_this_view_of_several_levels_is_what_the_camera_shows(viewer: ViewerModel) -> None:
    levels = [np.zeros((1000, 1200), np.uint8), np.zeros((500, 600), np.uint8)]
    image = viewer.add_layer(Image(levels, multiscale=True, scale=(0.5, 0.5)))
    image.corner_pixels = np.array([[0, 0], [n - 1 for n in levels[image.data_level].shape]])
    viewer.canvas.size = (100, 200)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 300, 400), 2
    region = visible_region(image, "YX", viewer, "this view")
    assert region == (slice(550, 651), slice(700, 901))


def test_a_layer_that_is_turned_is_taken_as_far_as_its_corners_on_the_canvas(
    viewer: ViewerModel,
) -> None:
    levels = [np.zeros((1000, 1200), np.uint8), np.zeros((500, 600), np.uint8)]
    image = viewer.add_layer(Image(levels, multiscale=True, rotate=90))
    image.corner_pixels = np.array([[0, 0], [n - 1 for n in levels[image.data_level].shape]])
    viewer.canvas.size = (100, 200)
    camera = viewer.scene.camera
    camera.center, camera.zoom = (0, *image.data_to_world((300, 400))), 1
    (rows, columns) = visible_region(image, "YX", viewer, "this view")
    assert (rows.start, rows.stop) == pytest.approx((200, 401), abs=1)
    assert (columns.start, columns.stop) == pytest.approx((350, 451), abs=1)


@pytest.mark.parametrize("region", ["this plane", "this view"])
def test_a_part_of_what_shows_no_plane_is_refused(viewer: ViewerModel, region: str) -> None:
    image = viewer.add_layer(Image(np.zeros((5, 20, 30))))
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="Expected a canvas that shows y and x"):
        visible_region(image, "ZYX", viewer, region)
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(ValueError, match="Expected a canvas that shows y and x"):
        visible_region(image, "ZYX", viewer, region)


def test_a_view_beside_the_image_is_refused(viewer: ViewerModel) -> None:
    image = viewer.add_layer(Image(np.zeros((200, 300))))
    image.corner_pixels = np.array([[199, 20], [199, 90]])
    with pytest.raises(ValueError, match="on the canvas, got none"):
        visible_region(image, "YX", viewer, "this view")


def test_colours_that_napari_does_not_show_as_such_are_channels() -> None:
    assert layer_axes(Image(np.zeros((400, 500, 3)), rgb=False)) == "YXC"


@pytest.mark.parametrize(("axes", "typed"), [("YXS", "CYX"), ("YXS", "YXC"), ("ZYX", "YXS")])
def test_colour_where_the_layer_has_none_and_the_other_way_round_is_refused(
    axes: str, typed: str
) -> None:
    with pytest.raises(ValueError, match="Expected"):
        checked_axes(placed_image(axes), typed)
