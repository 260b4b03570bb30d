"""The layer of outlines over the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_unet.widgets.messages import Sight
from napari_unet.widgets.preview import Preview
from napari_unet.widgets.scribbles import PREVIEW

AddResult = Callable[..., Labels]
PLACE = np.s_[10:14, 20:26]


def sight(place: tuple[slice, ...] = PLACE, label: int = 3) -> Sight:
    return Sight(np.full((4, 6), label, np.int32), place)


@pytest.mark.parametrize(
    "fields",
    [
        {"scale": (2.0, 0.5), "translate": (7.0, 9.0)},
        {"rotate": 30.0, "translate": (7.0, 9.0)},
        {"shear": [0.4], "scale": (3.0, 2.0)},
        {"affine": [[0.8, 0.3, 4.0], [-0.2, 1.5, 5.0], [0.0, 0.0, 1.0]], "scale": (3.0, 2.0)},
        {"rotate": 20.0, "affine": [[0.8, 0.3, 4.0], [-0.2, 1.5, 5.0], [0.0, 0.0, 1.0]]},
    ],
)
def test_outlines_lie_where_the_labels_do(fields: dict[str, Any]) -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((64, 80), int), **fields)
    Preview(viewer, labels, "YX").show(sight())
    layer = viewer.layers[-1]
    assert layer.data.shape == (4, 6)
    for point in [(0, 0), (3, 5)]:
        whole = (point[0] + 10, point[1] + 20)
        np.testing.assert_allclose(layer.data_to_world(point), labels.data_to_world(whole))


def test_in_a_stack_they_are_one_plane() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((5, 64, 80), int), scale=(4.0, 1.0, 1.0))
    preview = Preview(viewer, labels, "ZYX")
    preview.show(sight((slice(3, 4), *PLACE)))
    layer = viewer.layers[-1]
    assert layer.data.shape == (1, 4, 6)
    assert layer.data_to_world((0, 0, 0)) == (12, 10, 20)
    preview.show(sight((slice(1, 2), *PLACE), label=9))
    assert len(viewer.layers) == 2
    assert layer.data_to_world((0, 0, 0)) == (4, 10, 20)
    assert layer.data.max() == 9


def test_what_is_painted_on_stays_selected_and_goes_on() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((64, 80), int))
    labels.mode = "paint"
    Preview(viewer, labels, "YX").show(sight())
    assert viewer.layers.selection.active is labels
    assert set(viewer.layers.selection) == {labels}
    assert labels.mode == "paint"
    assert not viewer.layers[-1].editable
    assert viewer.layers[-1].contour > 0
    assert viewer.layers[-1].metadata == {PREVIEW: True}


def test_a_layer_that_the_user_took_away_is_not_forced_back() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((64, 80), int))
    preview = Preview(viewer, labels, "YX")
    preview.show(sight())
    viewer.layers.remove(viewer.layers[-1])
    assert preview.was_removed
    preview.show(sight())
    preview.clear()
    assert list(viewer.layers) == [labels]


def test_cleared_outlines_are_gone() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((64, 80), int))
    preview = Preview(viewer, labels, "YX")
    preview.show(sight())
    preview.clear()
    assert list(viewer.layers) == [labels]
    assert not preview.was_removed


def test_the_place_is_what_the_canvas_shows_of_the_labels(add_squares: AddResult) -> None:
    viewer = ViewerModel()
    labels = add_squares(viewer, "ZYX")
    preview = Preview(viewer, labels, "ZYX")
    viewer.dims.set_current_step(0, 2)
    labels.corner_pixels = np.array([[0, 10, 20], [0, 100, 50]])
    assert preview.place() == np.s_[2:3:1, 10:64:1, 20:51:1]
    viewer.dims.ndisplay = 3
    assert preview.place() is None
    viewer.dims.ndisplay = 2
    viewer.layers.remove(labels)
    assert preview.place() is None
