from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_unet.nuclei.errors import Finding, Kind
from napari_unet.widgets.error_layer import go_to, new_error_layer

MISSED = Finding(Kind.MISSED, (), (1,), 0.0, np.s_[2:5, 10:20, 20:40])


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def stack(viewer: ViewerModel, **place: object) -> Labels:
    return viewer.add_layer(Labels(np.zeros((6, 40, 60), np.int32), name="found", **place))


def test_a_nucleus_comes_into_the_middle_on_its_plane(viewer: ViewerModel) -> None:
    layer = stack(viewer, scale=(5, 2, 2), translate=(0, 100, 0))
    viewer.scene.camera.zoom = 1.0
    go_to(viewer, layer, MISSED)
    assert viewer.dims.current_step[0] == 3
    assert viewer.scene.camera.center[-2:] == (128, 58)
    assert viewer.scene.camera.zoom == 1.0  # its 40 units are as small as may be


@pytest.mark.parametrize(("zoom", "expected"), [(0.1, 2.0), (3.0, 3.0), (99.0, 15.0)])
def test_it_is_neither_tiny_nor_larger_than_the_canvas(
    viewer: ViewerModel, zoom: float, expected: float
) -> None:
    layer = stack(viewer)
    viewer.scene.camera.zoom = zoom
    go_to(viewer, layer, MISSED)
    assert viewer.scene.camera.zoom == expected


def test_in_three_dimensions_all_axes_are_centred(viewer: ViewerModel) -> None:
    layer = stack(viewer)
    viewer.dims.ndisplay = 3
    go_to(viewer, layer, MISSED)
    assert viewer.scene.camera.center == (3, 14, 29)


def test_axes_that_only_other_layers_have_stay_where_they_are(viewer: ViewerModel) -> None:
    viewer.add_layer(Labels(np.zeros((4, 6, 40, 60), np.int32)))
    viewer.dims.set_point(0, 2)
    go_to(viewer, stack(viewer), MISSED)
    assert viewer.dims.current_step[:2] == (2, 3)


def test_the_layer_says_in_words_what_a_colour_means(viewer: ViewerModel) -> None:
    layer = new_error_layer(stack(viewer), np.full((6, 40, 60), Kind.SPLIT, np.uint8))
    assert "kind: split" in layer.get_status((0, 0, 0), world=True)["coordinates"]
