"""Ids that follow their nuclei."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from napari_unet.nuclei.linking import (
    following,
    link_over_time,
    linked_frames,
    match,
)
from napari_unet.nuclei.metrics import overlaps
from napari_unet.nuclei.tracks import track_table


def test_an_id_follows_its_nucleus():
    frames = np.array([[1, 1, 1, 0, 2, 2], [2, 2, 2, 0, 1, 1], [0, 1, 1, 1, 0, 5]])
    assert link_over_time(frames).tolist() == [
        [1, 1, 1, 0, 2, 2],
        [1, 1, 1, 0, 2, 2],
        [0, 1, 1, 1, 0, 2],
    ]


def test_a_nucleus_without_enough_overlap_is_new():
    frames = np.array([[1, 1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1]])
    assert link_over_time(frames, min_overlap=0.1).max() == 1
    assert link_over_time(frames, min_overlap=0.2).tolist()[1] == [0, 0, 0, 2, 2, 2, 2]


def test_daughters_have_new_ids_and_a_neighbour_keeps_its_own():
    frames = np.array([[1, 1, 1, 1, 1, 1, 0, 4], [1, 1, 0, 2, 2, 2, 0, 3]])
    linked = link_over_time(frames)
    assert linked[1].tolist() == [3, 3, 0, 4, 4, 4, 0, 2]
    assert track_table(linked).tolist() == [[1, 0, 0, 0], [2, 0, 1, 0], [3, 1, 1, 1], [4, 1, 1, 1]]


def test_a_nucleus_that_loses_a_piece_goes_on():
    frames = np.array([[1] * 8, [1, 1, 1, 1, 1, 0, 2, 2]])
    linked = link_over_time(frames)
    assert linked[1].tolist() == [1, 1, 1, 1, 1, 0, 2, 2]
    assert track_table(linked).tolist() == [[1, 0, 1, 0], [2, 1, 1, 0]]


def test_two_neighbours_that_move_in_are_no_daughters():
    frames = np.array([[0, 0, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 2, 2, 2, 2]])
    assert link_over_time(frames)[1].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 2]


def test_what_is_one_by_mistake_is_no_mother_when_it_parts():
    apart = [1, 1, 0, 2, 2, 2]
    linked = link_over_time(np.array([apart, [5, 5, 5, 5, 5, 5], apart, apart]))
    assert linked.tolist() == [apart, [2] * 6, [3, 3, 0, 2, 2, 2], [3, 3, 0, 2, 2, 2]]
    assert not track_table(linked)[:, 3].any()


def test_one_that_has_parted_may_divide_later():
    apart = [1, 1, 1, 0, 2, 2, 2, 2]
    twice = [1, 1, 1, 0, 2, 2, 3, 3]
    linked = link_over_time(np.array([apart, [5] * 8, apart, twice]))
    assert linked[2:].tolist() == [[3, 3, 3, 0, 2, 2, 2, 2], [3, 3, 3, 0, 4, 4, 5, 5]]
    assert track_table(linked)[3:].tolist() == [[4, 3, 3, 2], [5, 3, 3, 2]]


def test_ids_pass_each_other_with_their_nuclei():
    frames = np.zeros((5, 2, 12), np.int32)
    for time in range(5):
        frames[time, 0, 2 * time : 2 * time + 4] = 1 + time % 2
        frames[time, 1, 8 - 2 * time : 12 - 2 * time] = 2 - time % 2
    linked = link_over_time(frames)
    assert np.unique(linked[:, 0]).tolist() == [0, 1]
    assert np.unique(linked[:, 1]).tolist() == [0, 2]


def test_one_leaves_and_one_enters():
    frames = np.array([[1, 1, 0, 0, 2, 2], [0, 0, 0, 0, 1, 1], [3, 3, 0, 0, 5, 5]])
    linked = link_over_time(frames)
    assert linked.tolist() == [[1, 1, 0, 0, 2, 2], [0, 0, 0, 0, 2, 2], [3, 3, 0, 0, 2, 2]]
    assert track_table(linked).tolist() == [[1, 0, 0, 0], [2, 0, 2, 0], [3, 2, 2, 0]]


def test_nuclei_of_volumes_divide_in_volumes():
    frames = np.zeros((2, 4, 3, 3), np.uint16)
    frames[0], frames[1, :2], frames[1, 2:] = 9, 1, 2
    linked = link_over_time(frames)
    assert linked[1, :, 0, 0].tolist() == [2, 2, 3, 3]
    assert track_table(linked)[:, 3].tolist() == [0, 1, 1]


def test_all_pairs_together_share_the_largest_overlap():
    previous = np.repeat([1, 2], [8, 3])
    current = np.repeat([1, 2], [3, 8])  # 2 overlaps 1 most, yet 1 has no other partner
    assert match(previous, current).tolist() == [1, 2]
    assert match(previous, np.repeat([0, 2], [3, 8])).tolist() == [1]


def test_a_nucleus_without_a_partner_gets_none_of_those_elsewhere():
    previous = np.array([1] * 9 + [2, 3, 4])
    current = np.array([1] * 3 + [2] * 6 + [0, 0, 0])
    assert match(previous, current).tolist() == [0, 1]


def test_pairs_are_those_of_an_exhaustive_search():
    rng = np.random.default_rng(3)
    for _ in range(20):
        previous, current = (np.repeat(rng.permutation(6), rng.integers(1, 9, 6)) for _ in "ab")
        length = min(len(previous), len(current))
        previous, current = previous[:length], current[:length]
        iou = overlaps(current, previous).toarray()
        rows, columns = linear_sum_assignment(np.where(iou >= 0.1, iou, 0), maximize=True)
        best = sum(iou[pair] for pair in zip(rows, columns, strict=True) if iou[pair] >= 0.1)
        before = np.unique(previous[previous > 0])
        found = match(previous, current)
        total = sum(iou[i, np.searchsorted(before, it)] for i, it in enumerate(found) if it)
        assert total == pytest.approx(best)


def test_a_nucleus_that_comes_back_has_a_new_id():
    frames = np.array([[3, 3], [0, 0], [3, 3]])
    assert link_over_time(frames).tolist() == [[1, 1], [0, 0], [2, 2]]


def test_frames_may_be_volumes():
    frames = np.zeros((2, 2, 3, 3), np.uint16)
    frames[0, :, :2] = 9
    frames[1, :, 1:] = 4
    linked = link_over_time(frames)
    assert linked.dtype == np.int32
    assert np.array_equal(linked, frames > 0)


def test_frames_come_one_by_one_and_may_be_written_over_the_labels():
    labels = np.array([[1, 1, 0, 2, 2], [0, 0, 0, 1, 1], [7, 0, 0, 9, 9]], np.int32)
    expected = link_over_time(labels)
    for number, frame in enumerate(linked_frames(labels)):
        labels[number] = frame
    assert np.array_equal(labels, expected)


def test_planes_are_linked_into_one_nucleus():
    planes = np.zeros((3, 4, 4), np.int32)
    planes[0, :3, :3], planes[1, :4, :3], planes[2, 1:, :3] = 2, 1, 8
    assert np.array_equal(link_over_time(planes), planes > 0)


@pytest.mark.parametrize("shape", [(3, 4, 4), (0, 4, 4), (2, 0, 4), (1, 1)])
def test_frames_without_nuclei_stay_empty(shape):
    linked = link_over_time(np.zeros(shape, np.int32))
    assert linked.shape == shape
    assert not linked.any()


def test_no_frames_or_no_overlap_asked_for_is_refused():
    with pytest.raises(ValueError, match=r"Expected labels of shape .* got \(4,\)"):
        link_over_time(np.zeros(4, np.int32))
    with pytest.raises(ValueError, match="above 0 and at most 1, got 0"):
        match(np.ones(3, int), np.ones(3, int), min_overlap=0)


def test_a_nucleus_keeps_its_id_and_a_new_one_gets_the_next_free_one() -> None:
    before = np.array([[3, 3, 3, 0, 0, 0, 5, 5]])
    after = np.array([[1, 1, 0, 2, 2, 0, 9, 9]])
    assert following(before, after, highest=11).tolist() == [[3, 3, 0, 12, 12, 0, 5, 5]]
    large = after.astype(np.int64) * 2**40
    assert following(before, large, highest=11).tolist() == [[3, 3, 0, 12, 12, 0, 5, 5]]
