"""Sections of planes that become nuclei."""

from __future__ import annotations

import numpy as np

from napari_unet.nuclei.stacking import stacked


def columns(*planes: list[int]) -> np.ndarray:
    """Return a stack with one row a plane, whose ids differ from plane to plane."""
    labels = np.array(planes, np.int32)[:, np.newaxis]
    above = 10 * np.arange(len(labels), dtype=np.int32)[:, np.newaxis, np.newaxis]
    return np.where(labels > 0, labels + above, 0)


def test_sections_above_each_other_are_one_nucleus():
    assert (
        stacked(columns([1, 1, 0, 2, 2], [2, 2, 0, 1, 1]))[:, 0].tolist() == [[1, 1, 0, 2, 2]] * 2
    )


def test_a_gap_of_one_plane_is_closed_and_filled():
    found = stacked(columns([1, 1, 0], [0, 0, 0], [1, 1, 1]))
    assert found[:, 0].tolist() == [[1, 1, 0], [1, 1, 0], [1, 1, 1]]


def test_a_gap_of_two_planes_is_the_end():
    found = stacked(columns([1, 1], [0, 0], [0, 0], [1, 1]))
    assert found[:, 0, 0].tolist() == [1, 0, 0, 2]


def test_nothing_is_filled_where_another_nucleus_lies():
    found = stacked(columns([1] * 5 + [0] * 4, [0] * 4 + [3] * 5, [1] * 5 + [0] * 4))
    assert found[1, 0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2, 2]


def test_no_id_goes_from_a_nucleus_to_a_different_one_above_it():
    wide, narrow = [1] * 9, [0, 0, 0, 1, 1, 1, 0, 0, 0]
    found = stacked(columns(wide, wide, narrow, wide, wide))
    assert found.max(axis=(1, 2)).tolist() == [1, 1, 2, 2, 2]


def test_a_nucleus_that_only_narrows_is_one():
    found = stacked(columns([1] * 9, [1] * 7 + [0] * 2, [1] * 5 + [0] * 4, [1] * 3 + [0] * 6))
    assert np.unique(found).tolist() == [0, 1]


def test_pairs_share_the_largest_overlap_altogether():
    found = stacked(columns([1] * 8 + [2] * 3, [1] * 3 + [2] * 8))
    assert found[1, 0].tolist() == [1] * 3 + [2] * 8


def test_an_empty_stack_stays_empty():
    assert not stacked(np.zeros((3, 4, 5), np.int32)).any()
