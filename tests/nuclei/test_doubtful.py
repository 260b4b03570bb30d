from __future__ import annotations

import numpy as np
import pytest

from napari_unet.nuclei.doubtful import DOUBTFUL, doubts_of, touched, whereabouts

SURE = np.array([np.nan, 0.9, 0.5, np.nan, 0.8, 0.5], np.float32)


def test_the_least_certain_nucleus_comes_first_and_ties_by_label() -> None:
    assert doubts_of(SURE).ids.tolist() == [2, 5, 4, 1]


def test_nuclei_that_are_taken_are_left_out() -> None:
    doubts = doubts_of(SURE, {2, 4, 77})
    assert doubts.ids.tolist() == [5, 1]
    assert doubts.confidences.tolist() == np.float32([0.5, 0.9]).tolist()


def test_those_below_the_limit_are_doubtful() -> None:
    sure = np.array([np.nan, DOUBTFUL, DOUBTFUL - 0.01, 0.1])
    assert doubts_of(sure).n_doubtful == 2


def walk(taken: set[int], step: int, n: int) -> list[int | None]:
    doubts, place, found = doubts_of(SURE, taken), None, []
    for _ in range(n):
        number = doubts.beside(place, step)
        found.append(number)
        place = (float(SURE[number]), number)
    return found


def test_it_goes_through_all_and_begins_again() -> None:
    assert walk(set(), 1, 5) == [2, 5, 4, 1, 2]
    assert walk(set(), -1, 5) == [1, 4, 5, 2, 1]


def test_it_goes_on_from_a_nucleus_that_is_not_left_any_more() -> None:
    doubts = doubts_of(SURE, {5})
    assert doubts.beside((float(SURE[5]), 5), 1) == 4
    assert doubts.beside((float(SURE[5]), 5), -1) == 2


def test_there_is_none_beside_where_none_is_left() -> None:
    assert doubts_of(SURE, {1, 2, 4, 5}).beside((0.5, 2), 1) is None
    assert doubts_of(np.array([np.nan], np.float32)).beside(None, -1) is None


def test_a_nucleus_that_gave_took_or_lost_a_pixel_is_touched() -> None:
    before = np.array([[1, 1, 2, 2, 3, 4, 0, 5]])
    after = np.array([[1, 1, 2, 3, 3, 0, 6, 5]])
    assert touched(before, after).tolist() == [0, 2, 3, 4, 6]
    assert touched(before, before).size == 0


def test_a_nucleus_is_on_the_plane_that_has_most_of_it() -> None:
    movie = np.zeros((2, 3, 6, 6), int)
    movie[0, 0, :2, :2] = movie[1, 2, 1:4, 2:5] = movie[1, 1, 0, 0] = 4
    movie[0, 1] = 9
    where = whereabouts(movie, 4, walked=[0, 1])
    assert where is not None
    assert where.point.tolist() == [1, 2, 2, 3]
    assert where.low.tolist() == [0.5, 1.5, 0.5, 1.5]
    assert where.high.tolist() == [1.5, 2.5, 3.5, 4.5]


def test_where_all_axes_are_shown_it_is_in_its_middle() -> None:
    stack = np.zeros((3, 5, 5), int)
    stack[:, 1:4, 2] = 1
    where = whereabouts(stack, 1, walked=[])
    assert where is not None
    assert where.point.tolist() == [1, 2, 2]


@pytest.mark.parametrize("walked", [[], [0]])
def test_a_nucleus_that_is_gone_is_nowhere(walked: list[int]) -> None:
    assert whereabouts(np.zeros((2, 3, 3), int), 1, walked) is None
