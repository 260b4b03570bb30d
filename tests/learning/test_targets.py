"""Labels to the maps that the network learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_unet.learning.targets import (
    border_map,
    contact_map,
    distance_map,
    median_diameter,
    renumbered,
    separation_map,
)

LARGE = 2**31 - 1


def row(*values: int) -> torch.Tensor:
    return torch.tensor([[values]])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]),
        ([0, 0, 0, 4, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0]),
        ([0, 4, 4, 4, 4, 4, 0], [0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3, 0]),
        # Touching nuclei are edges to each other, and every one reaches 1.
        ([0, 4, 4, 4, 9, 9, 0], [0, 0.5, 1, 0.5, 1, 1, 0]),
        # The rim of the image is no edge: the nucleus goes on behind it.
        ([4, 4, 4, 4, 0, 0, 0], [1, 0.75, 0.5, 0.25, 0, 0, 0]),
        ([4, 4, 4, 4, 4, 4, 4], [1, 1, 1, 1, 1, 1, 1]),
        # Two pieces of one label share their scale.
        ([0, 4, 0, 4, 4, 4, 0], [0, 0.5, 0, 0.5, 1, 0.5, 0]),
    ],
)
def test_the_distance_map_rises_from_each_edge_to_1(labels, expected):
    distance = distance_map(np.array([labels], np.int32))
    assert distance.dtype == np.float32
    np.testing.assert_allclose(distance[0], expected, rtol=1e-6)


def test_the_distance_map_does_not_change_with_the_magnification():
    disc = np.hypot(*np.mgrid[-10:11, -10:11]) < 9
    large = np.kron(disc, np.ones((4, 4), bool)).astype(np.int32)
    small = np.kron(distance_map(disc.astype(np.int32)), np.ones((4, 4)))
    assert np.abs(distance_map(large) - small).max() < 0.12


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((0, 0, 0, 0, 0, 0, 0), [0, 0, 0, 0, 0, 0, 0]),
        ((0, 4, 4, 4, 4, 4, 0), [0, 1, 0, 0, 0, 1, 0]),
        ((0, 4, 4, 4, 9, 9, 9), [0, 1, 0, 1, 1, 0, 0]),
        ((4, 4, 4, 4, 4, 4, 4), [0, 0, 0, 0, 0, 0, 0]),
        ((0, 0, 4, 0, 9, 0, 0), [0, 0, 1, 0, 1, 0, 0]),
    ],
)
def test_the_border_map_is_the_rim_inside_each_nucleus(labels, expected):
    assert border_map(row(*labels)).int().tolist() == [[expected]]


def test_the_border_map_sees_diagonal_neighbours():
    labels = torch.full((1, 4, 4), 3)
    labels[0, 0, 0] = 0
    expected = [[0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert border_map(labels).int().tolist() == [expected]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((0, 0, 0, 0, 0, 0, 0), [0, 0, 0, 0, 0, 0, 0]),
        ((0, 4, 4, 4, 4, 4, 0), [0, 0, 0, 0, 0, 0, 0]),
        ((4, 4, 4, 4, 9, 9, 9), [0, 0, 1, 1, 1, 1, 0]),
        ((4, 4, 4, 0, 9, 9, 9), [0, 0, 1, 1, 1, 0, 0]),
        ((4, 4, 0, 0, 0, 0, 9), [0, 0, 0, 0, 0, 0, 0]),
        ((4, 0, 0, 0, 9, 0, 0), [0, 0, 1, 0, 0, 0, 0]),
    ],
)
def test_the_contact_map_is_where_two_nuclei_are_within_two_pixels(labels, expected):
    assert contact_map(row(*labels)).int().tolist() == [[expected]]


def test_planes_of_a_batch_do_not_touch_each_other():
    labels = torch.tensor([[[4, 4, 4]], [[9, 9, 9]]])
    assert not contact_map(labels).any()
    assert not border_map(labels).any()


def test_the_median_diameter_is_that_of_discs_of_the_same_area():
    labels = np.repeat([0, 1, 2, 3], [5, 4, 9, 100])[None]
    assert median_diameter(labels) == pytest.approx(2 * math.sqrt(9 / math.pi))


def test_without_a_nucleus_there_is_no_diameter():
    assert math.isnan(median_diameter(np.zeros((3, 3), np.int32)))


def test_very_large_labels_take_no_memory():
    labels = np.array([[0, LARGE, LARGE, 0, LARGE - 1]], np.int32)
    assert renumbered(labels).tolist() == [[0, 2, 2, 0, 1]]
    assert distance_map(labels).tolist() == [[0, 1, 1, 0, 1]]
    assert median_diameter(labels) == pytest.approx(2 * math.sqrt(1.5 / math.pi))


def test_pixels_between_near_nuclei_stand_out():
    labels = np.zeros((9, 40), np.int32)
    labels[3:6, 2:6], labels[3:6, 8:12], labels[3:6, 36:] = 1, 2, 3
    found = separation_map(labels, reach=2.0)
    assert found.dtype == np.float32
    assert found[4, 6] == pytest.approx(np.exp(-((1 + 2) ** 2) / 8))
    assert found[4, 5] == pytest.approx(np.exp(-((0 + 3) ** 2) / 8))
    assert found[4, 24] < 1e-6


def test_one_nucleus_alone_has_no_neighbour():
    assert not separation_map(np.pad(np.full((3, 3), 7), 4), reach=5.0).any()
