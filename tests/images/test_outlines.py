"""Labels to polygons and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_unet.images.outlines import Outline, fitting, mask_polygons, outlines, painted


def as_mask(*rows: str) -> np.ndarray:
    return np.array([[sign == "#" for sign in row] for row in rows])


def test_a_ring_has_a_rim_and_a_hole():
    [[rim, hole]] = mask_polygons(as_mask("###", "#.#", "###"), corner=(10, 20))
    assert rim.tolist() == [[10, 20], [13, 20], [13, 23], [10, 23]]
    assert sorted(hole.tolist()) == [[11, 21], [11, 22], [12, 21], [12, 22]]


def test_pixels_that_touch_at_a_corner_are_two_pieces():
    pieces = mask_polygons(as_mask("#.", ".#"))
    assert [len(piece) for piece in pieces] == [1, 1]


@pytest.mark.parametrize("n_quarters", range(4))
def test_a_hole_at_a_corner_of_the_background_is_a_hole(n_quarters):
    [[rim, hole]] = mask_polygons(np.rot90(as_mask("##.", "#.#", "###"), n_quarters))
    assert len(np.unique(rim, axis=0)) == len(rim)
    assert len(hole) == 4


@given(arrays(np.uint8, (7, 9), elements=st.integers(0, 3)))
def test_labels_become_outlines_and_the_same_labels_again(labels):
    again = painted(outlines(labels, "YX"), "YX", labels.shape)
    np.testing.assert_array_equal(again, labels)


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_planes_and_frames_stay_apart(axes):
    labels = np.zeros((3, 8, 8), np.int32)
    labels[0, 1:4, 1:4] = 7
    labels[2, 2:6, 2:6] = 7
    found = list(outlines(labels, axes))
    places = [(outline.label, outline.z, outline.t) for outline in found]
    assert places == [(7, 0, 0), (7, 2, 0) if axes == "ZYX" else (7, 0, 2)]
    assert fitting(found) == (axes, (3, 6, 6))
    np.testing.assert_array_equal(painted(found, axes, labels.shape), labels)


def test_what_is_outside_of_the_image_is_left_out():
    square = np.array([[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]])
    labels = painted([Outline(5, [[square]]), Outline(6, [[square]], z=9)], "ZYX", (1, 4, 4))
    assert np.argwhere(labels).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]]
    assert labels.max() == 5


def test_no_outlines_fit_a_single_pixel():
    assert fitting([]) == ("YX", (1, 1))


def test_labels_may_lie_far_apart():
    labels = np.zeros((4, 5), np.int64)
    labels[0, 0], labels[2:, 3:] = 7, 2**31 - 1
    assert [outline.label for outline in outlines(labels, "YX")] == [7, 2**31 - 1]
