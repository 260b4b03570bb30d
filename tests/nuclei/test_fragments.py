"""Fragments in volumes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_unet.nuclei.fragments import tidied


def ball(shape: tuple[int, ...], centre: tuple[int, ...], radius: float) -> np.ndarray:
    offsets = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    return (offsets**2).sum(axis=0) <= radius**2


def balls() -> np.ndarray:
    """Three balls, two of which touch."""
    labels = np.zeros((24, 24, 64), np.int32)
    for label, x in enumerate((12, 30, 52), start=1):
        labels[ball(labels.shape, (12, 12, x), 9.4)] = label
    return labels


def test_a_cap_with_an_id_of_its_own_goes_back_to_its_nucleus():
    labels = balls()
    cap = labels.copy()
    cap[:7][labels[:7] == 1] = 4
    np.testing.assert_array_equal(tidied(cap), labels)


def test_a_cap_in_two_pieces_goes_back_whole():
    labels = balls()
    cut = labels.copy()
    cut[:8][labels[:8] == 1] = 4
    cut[:5][labels[:5] == 1] = 5
    np.testing.assert_array_equal(tidied(cut), labels)


def test_nuclei_of_a_size_that_touch_stay_two():
    np.testing.assert_array_equal(tidied(balls()), balls())


def test_a_small_nucleus_beside_a_large_one_stays():
    labels = balls()
    small = ball(labels.shape, (12, 12, 41), 2.4) & (labels == 0)
    labels[small] = 4
    assert ndi.binary_dilation(small)[labels == 2].any()
    np.testing.assert_array_equal(tidied(labels), labels)


def test_a_corner_cut_from_a_nucleus_goes_back_to_it():
    labels = np.zeros((5, 20, 40), np.int32)
    labels[:, :, :20], labels[:, :, 20:] = 1, 2
    labels[:, :3, :3] = 3
    assert np.unique(tidied(labels, 2.0)[:, :, :20]).tolist() == [1]


@pytest.mark.parametrize("shape", [(0, 4, 4), (3, 4, 4)])
def test_no_nuclei_are_no_fragments(shape: tuple[int, ...]):
    nothing = np.zeros(shape, np.int32)
    assert not tidied(nothing).any()


def test_what_lies_in_one_plane_of_a_flat_stack_stays():
    labels = np.zeros((3, 1, 4), np.int32)
    labels[:, 0, 0], labels[1, 0, 2] = 1, 2
    np.testing.assert_array_equal(tidied(labels), labels)


def test_what_lies_in_one_plane_of_a_stack_goes_but_at_its_ends():
    labels = np.zeros((6, 1, 6), np.int32)
    labels[:, 0, 0], labels[2, 0, 2], labels[0, 0, 4], labels[5, 0, 4] = 1, 2, 3, 4
    assert np.unique(tidied(labels)).tolist() == [0, 1, 3, 4]


def test_whose_a_fragment_is_does_not_depend_on_the_order_of_ids():
    labels = np.zeros((5, 20, 41), np.int32)
    labels[:, :, :20], labels[:, :, 21:] = 1, 2
    labels[1:4, 8:12, 20] = 3  # as wide a contact on both sides
    for numbers in permutations((1, 2, 3)):
        found = tidied(np.array([0, *numbers], np.int32)[labels])
        assert (found[2, 10, 19:22] == numbers[1]).tolist() == [False, True, True]
