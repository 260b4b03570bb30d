"""Labels on a layer of the user's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_unet.widgets.scribbles import (
    PREVIEW,
    Scribbled,
    guess_image,
    is_scribbles,
    nucleus_diameter,
    scribbled,
    shown_channel,
)

AddResult = Callable[..., Labels]


def test_each_piece_of_a_value_is_a_nucleus_and_one_value_is_background() -> None:
    paint = np.array([[2, 2, 0, 2], [2, 2, 0, 0], [1, 1, 1, 1]])
    found = Scribbled(paint, 1).find()
    assert found.labels.tolist() == [[1, 1, 0, 2], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert found.known.tolist() == (paint > 0).tolist()


def test_the_diameter_is_that_of_the_painted_nuclei() -> None:
    paint = np.zeros((40, 40), int)
    paint[:10, :10] = paint[20:30, 20:30] = 3
    paint[35:, :] = 1
    assert Scribbled(paint, 1).diameter == pytest.approx(2 * math.sqrt(100 / math.pi))
    assert math.isnan(Scribbled(np.full((4, 4), 1), 1).diameter)
    assert (nucleus_diameter(math.nan, 22.0), nucleus_diameter(9.0, 22.0)) == (22.0, 9.0)


def test_scribbles_are_labels_that_no_run_made_and_no_learning_shows(
    add_squares: AddResult,
) -> None:
    viewer = ViewerModel()
    result = add_squares(viewer)
    mine = viewer.add_labels(np.zeros((64, 80), int))
    shown = viewer.add_labels(np.zeros((64, 80), int), metadata={PREVIEW: True})
    found = [is_scribbles(layer) for layer in (result, mine, shown, viewer.layers[0], None)]
    assert found == [False, True, False, False, False]


def test_the_image_is_the_nearest_below_that_fits() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((64, 80)), name="far")
    near = viewer.add_image(np.zeros((64, 80)), name="near")
    viewer.add_image(np.zeros((32, 32)), name="small")
    mine = viewer.add_labels(np.zeros((64, 80), int))
    above = viewer.add_image(np.zeros((2, 64, 80)), name="above")
    assert guess_image(viewer.layers, mine) is near
    stack = viewer.add_labels(np.zeros((2, 64, 80), int))
    viewer.layers.move(viewer.layers.index(stack), 0)
    assert guess_image(viewer.layers, stack) is above
    assert guess_image(viewer.layers, viewer.add_labels(np.zeros((5, 5), int))) is None


@pytest.mark.parametrize("with_channels", [True, False])
def test_of_channels_the_shown_one_is_learned(with_channels: bool) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((2, 64, 80)), axis_labels=("c", "y", "x"))
    paint: Any = np.zeros((2, 64, 80), int)
    paint[1, :5, :5] = 2
    labels = viewer.add_labels(paint if with_channels else paint[1])
    viewer.dims.set_current_step(0, 1)
    assert shown_channel(image, viewer) == 1
    painted = scribbled(labels, image, viewer, 1)
    assert painted.labels.shape == (64, 80)
    assert painted.labels[:5, :5].min() == 2


def test_scribbles_that_do_not_fit_are_refused() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((64, 80)), name="cells")
    labels = viewer.add_labels(np.zeros((5, 5), int))
    with pytest.raises(ValueError, match="of the shape \\(64, 80\\) of 'cells', got \\(5, 5\\)"):
        scribbled(labels, image, viewer, 1)
