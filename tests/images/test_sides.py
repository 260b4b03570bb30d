"""Stacks seen from the side."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.images.sides import is_deep, reach, sides, smoothed


def test_every_plane_along_z_is_given_with_its_place():
    stack = np.random.default_rng(0).random((3, 4, 5, 6)).astype(np.float32)
    found = list(sides(stack, distance=1e-3))
    assert len(found) == 5 + 6
    for side in found:
        np.testing.assert_array_equal(side.pixels, stack[side.place])


def test_noise_is_smoothed_over_half_the_distance_between_planes():
    stack = np.zeros((1, 3, 9, 9), np.float32)
    stack[0, 1, 4, 4] = 1
    near, far = ([side.pixels for side in sides(stack, d)] for d in (1.0, 8.0))
    assert near[4].max() > 4 * far[4].max() > 0
    assert not far[4][:, 0].any()  # not along z


@pytest.mark.parametrize("distance", [0.3, 1.0, 2.7, 8.0])
def test_smoothing_looks_no_further_than_it_says(distance):
    stack = np.zeros((1, 1, 61, 61), np.float32)
    stack[0, 0, 30, 30] = 1
    seen = np.flatnonzero(smoothed(stack, distance)[0, 0, 30])
    assert seen.max() - 30 == 30 - seen.min() == reach(distance)


def test_few_planes_and_slices_are_not_deep():
    assert is_deep(8, 44.0, 22.0)
    assert not is_deep(7, 70.0, 22.0)
    assert not is_deep(20, 20.0, 22.0)
