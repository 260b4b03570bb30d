from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unet.widgets.corrections import (
    confirm_view,
    edited,
    has_confirmed,
    image_of,
    is_result,
    take_back,
)

AddResult = Callable[..., Labels]


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def summary(layer: Labels) -> str:
    return edited(layer).find().summary()


def test_only_what_a_run_made_is_a_result(viewer: Any, add_squares: AddResult) -> None:
    assert is_result(add_squares(viewer))
    assert not is_result(viewer.layers["cells"])
    assert not is_result(Labels(np.zeros((4, 4), int)))


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TZYX", "CYX", "CZYX", "ZCYX", "TZCYX", "YXS"])
def test_what_is_painted_on_any_plane_is_counted(
    viewer: Any, add_squares: AddResult, axes: str
) -> None:
    layer = add_squares(viewer, axes)
    assert summary(layer) == "nothing corrected yet"
    planes = "" if axes in ("YX", "CYX", "YXS") else " on 1 plane"
    layer.data[..., 50:55, 10:15][tuple(0 for _ in layer.data.shape[:-2])] = 7
    assert summary(layer) == f"1 nucleus added{planes}"


def test_a_copy_stays_while_the_user_paints_on(viewer: Any, add_squares: AddResult) -> None:
    layer = add_squares(viewer)
    layer.data[:20, :20] = 0
    before = edited(layer, copied=True)
    layer.data[:] = 0
    assert before.find().summary() == "1 nucleus removed"


@pytest.mark.parametrize("axes", ["ZYX", "ZCYX", "CZYX"])
def test_views_that_are_right_add_up_and_are_taken_back(
    viewer: Any, add_squares: AddResult, axes: str
) -> None:
    layer = add_squares(viewer, axes)
    height = layer.data.shape[-2]
    for plane in (0, 2):
        viewer.dims.set_current_step(axes.index("Z"), plane)
        corners = np.zeros((2, layer.ndim), int)
        corners[:, -2:] = [[0, 0], [24, 79]] if plane == 0 else [[0, 0], [height - 1, 79]]
        layer.corner_pixels = corners
        confirm_view(layer, viewer)
        # Again, and a part of it from nearer.
        confirm_view(layer, viewer)
        corners[:, -2:] = [[2, 5], [20, 60]]
        layer.corner_pixels = corners
        confirm_view(layer, viewer)
    found = edited(layer).find()
    assert found.summary() == "2 nuclei confirmed on 2 planes"
    assert found.known.sum(axis=(1, 2)).tolist() == [25 * 80, 0, 64 * 80]
    take_back(layer)
    assert summary(layer) == "1 nucleus confirmed on 1 plane"
    take_back(layer)
    assert not has_confirmed(layer)
    assert summary(layer) == "nothing corrected yet"


def test_a_view_that_shows_no_plane_is_refused(viewer: Any, add_squares: AddResult) -> None:
    layer = add_squares(viewer, "ZYX")
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="flat and with y and x"):
        confirm_view(layer, viewer)
    assert not has_confirmed(layer)


def test_the_image_of_a_result_is_found_and_one_of_its_name_and_shape_stands_in(
    viewer: Any, add_squares: AddResult
) -> None:
    layer = add_squares(viewer)
    image = viewer.layers["cells"]
    image.name = "renamed"
    assert image_of(viewer.layers, layer) is image
    viewer.layers.remove(image)
    viewer.add_layer(Image(np.zeros((9, 9)), name="cells"))
    with pytest.raises(ValueError, match="Expected the image 'cells' beside its labels"):
        image_of(viewer.layers, layer)
    viewer.layers.remove("cells")
    again = viewer.add_layer(Image(np.zeros((64, 80)), name="cells"))
    assert image_of(viewer.layers, layer) is again


def test_labels_of_another_shape_are_refused(viewer: Any, add_squares: AddResult) -> None:
    layer = add_squares(viewer)
    layer.data = np.zeros((9, 9), np.int32)
    with pytest.raises(ValueError, match="put those back, or segment again"):
        edited(layer).find()
