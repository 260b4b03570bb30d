from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_unet.learning.corrections import corrections
from napari_unet.learning.locking import Redrawn
from napari_unet.learning.locking import redrawn as redrawn_around

SHAPE = (12, 16)


def row(*ids: int) -> np.ndarray:
    return np.array([ids], np.int32)


def redrawn(
    before: np.ndarray,
    after: np.ndarray,
    new: np.ndarray,
    sure: np.ndarray | None = None,
    **how: Any,
) -> Redrawn:
    sure = np.zeros(before.shape, bool) if sure is None else sure
    return redrawn_around(before, after, new, sure, **how)


def square(number: int, *place: slice, on: np.ndarray | None = None) -> np.ndarray:
    labels = np.zeros(SHAPE, np.int32) if on is None else on.copy()
    labels[place] = number
    return labels


def test_without_corrections_the_run_stays_as_it_is() -> None:
    before, new = row(1, 1, 0, 2), row(0, 2, 2, 1)
    again = redrawn(before, before, new, rim=1)
    assert again.labels.tolist() == again.prediction.tolist() == new.tolist()
    assert (again.n_kept, again.n_left_out) == (0, 0)


def test_the_same_nuclei_under_other_ids_are_not_locked() -> None:
    again = redrawn(row(1, 1, 0, 2), row(5, 5, 0, 2), row(0, 1, 1, 1), rim=1)
    assert again.labels.tolist() == [[0, 1, 1, 1]]


def test_an_added_nucleus_keeps_its_id_and_a_new_one_gets_another() -> None:
    before, after = row(1, 0, 0, 0, 0, 0), row(1, 0, 0, 2, 2, 0)
    again = redrawn(before, after, row(2, 2, 0, 1, 1, 0), rim=1)
    assert again.labels.tolist() == [[1, 1, 0, 2, 2, 0]]
    assert again.prediction.tolist() == [[1, 1, 0, 0, 0, 0]]
    assert (again.n_kept, again.n_left_out) == (1, 0)


def test_a_new_nucleus_gets_no_reserved_id_though_no_nucleus_has_it() -> None:
    again = redrawn(row(1, 0, 0), row(1, 0, 0), row(1, 0, 2), rim=1, reserved=(2,))
    assert again.labels.tolist() == again.prediction.tolist() == [[1, 0, 3]]


def test_a_removed_nucleus_stays_away_and_is_still_found() -> None:
    before, after = row(1, 1, 1, 0, 2, 2), row(0, 0, 0, 0, 2, 2)
    again = redrawn(before, after, row(0, 1, 1, 1, 0, 2), rim=1)
    assert again.labels.tolist() == [[0, 0, 0, 0, 0, 2]]
    assert corrections(again.prediction, again.labels).summary() == "1 nucleus removed"
    assert (again.n_kept, again.n_left_out) == (0, 1)


def test_a_correction_that_the_model_has_learned_is_still_a_correction() -> None:
    before, after = row(1, 1, 0, 0), row(1, 1, 1, 0)
    again = redrawn(before, after, after, rim=1)
    assert corrections(again.prediction, again.labels).summary() == "1 nucleus reshaped"
    assert redrawn(again.prediction, again.labels, row(0, 3, 3, 3), rim=1).labels.tolist() == [
        [1, 1, 1, 0]
    ]


def test_confirmed_nuclei_and_the_confirmed_background_stay() -> None:
    before = row(1, 1, 1, 0, 0, 0, 2, 2)
    sure = row(0, 0, 1, 1, 1, 0, 0, 0).astype(bool)
    again = redrawn(before, before, row(0, 0, 5, 5, 5, 5, 0, 0), sure, rim=1)
    assert again.labels.tolist() == [[1, 1, 1, 0, 0, 0, 0, 0]]
    assert again.n_kept == 1


def test_a_nucleus_that_is_mostly_locked_is_dropped_whole() -> None:
    after = square(7, slice(2, 6), slice(2, 6))
    new = square(1, slice(2, 6), slice(3, 8))
    again = redrawn(np.zeros(SHAPE, np.int32), after, new, rim=1)
    np.testing.assert_array_equal(again.labels, after)


def test_of_a_nucleus_that_a_locked_one_cuts_the_largest_piece_stays() -> None:
    after = square(7, slice(4, 6))
    new = square(1, slice(0, 12), slice(4, 10))
    again = redrawn(np.zeros(SHAPE, np.int32), after, new, rim=1)
    np.testing.assert_array_equal(
        again.labels, square(1, slice(6, 12), slice(4, 10), on=square(7, slice(4, 6)))
    )


def test_a_ring_around_a_locked_nucleus_is_a_sliver() -> None:
    after = square(7, slice(4, 8), slice(4, 8))
    new = square(1, slice(3, 9), slice(3, 9))
    new[2, 4:8] = new[9, 4:8] = new[4:8, 2] = new[4:8, 9] = 1
    again = redrawn(np.zeros(SHAPE, np.int32), after, new, rim=2)
    np.testing.assert_array_equal(again.labels, after)


def test_a_small_nucleus_beside_a_locked_one_is_no_sliver_if_nothing_is_cut_off_it() -> None:
    after = square(7, slice(4, 8), slice(4, 8))
    new = square(1, slice(4, 6), slice(8, 9))
    again = redrawn(np.zeros(SHAPE, np.int32), after, new, rim=2)
    assert (again.labels == 1).sum() == 2


def test_a_nucleus_of_a_stack_is_locked_on_all_its_planes_and_cut_as_one_piece() -> None:
    before = np.zeros((3, *SHAPE), np.int32)
    before[:, 2:8, 2:8] = 1
    after = before.copy()
    after[1, 2:8, 8] = 1
    new = np.zeros_like(before)
    new[:, 2:8, 2:7], new[:, 2:8, 7:16], new[0, 2:8, 9:] = 1, 2, 0
    again = redrawn(before, after, new, rim=1, n_connected=3)
    expected = after.copy()
    expected[1:, 2:8, 9:16] = 2
    expected[2, 2:8, 8] = 2  # on the first plane, the same is cut off from the rest
    np.testing.assert_array_equal(again.labels, expected)


def test_frames_of_a_movie_are_cut_each_for_itself() -> None:
    before = np.zeros((2, *SHAPE), np.int32)
    after = before.copy()
    after[0, 4:6] = 7
    new = np.zeros_like(before)
    new[0, 0:10, 4:10], new[1, 0:10, 4:10] = 1, 1
    again = redrawn(before, after, new, rim=1)
    assert (again.labels == 1).sum(axis=(1, 2)).tolist() == [24, 60]


def test_the_largest_label_there_is_leaves_free_ids() -> None:
    largest = np.iinfo(np.int32).max
    again = redrawn(row(0, 0, 0), row(largest, 1, 0), row(0, 0, 1), rim=0)
    assert again.labels.tolist() == [[largest, 1, 2]]


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape, got \(1, 2\), \(1, 3\)"):
        redrawn(row(1, 1), row(1, 1, 1), row(1, 1), rim=1)
    with pytest.raises(ValueError, match="labels from 0"):
        redrawn(row(1, 1), row(1, -1), row(1, 1), rim=1)


@st.composite
def nuclei(draw: st.DrawFn, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Draw labels of which each is one connected piece."""
    drawn = np.zeros(shape, np.int32)
    for number in range(1, draw(st.integers(0, 6)) + 1):
        corner = [draw(st.integers(0, n - 2)) for n in shape]
        size = [draw(st.integers(1, 6)) for _ in shape]
        drawn[tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))] = number
    pieces = np.zeros_like(drawn)
    for number in range(1, int(drawn.max()) + 1):
        found, _ = ndimage.label(drawn == number)
        pieces += found + pieces.max() * (found > 0)
    return pieces


@st.composite
def edits_of(draw: st.DrawFn, before: np.ndarray) -> np.ndarray:
    """Draw what a user may make of labels: painted boxes, erased and renumbered nuclei."""
    after = before.copy()
    for _ in range(draw(st.integers(0, 4))):
        number = draw(st.sampled_from([0, *range(1, 10)]))
        if draw(st.booleans()):
            corner = [draw(st.integers(0, n - 2)) for n in before.shape]
            after[tuple(slice(c, c + draw(st.integers(1, 5))) for c in corner)] = number
        else:
            after[after == draw(st.integers(1, 9))] = number
    return after


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    shape = draw(st.sampled_from([SHAPE, (3, 8, 9)]))
    before = draw(nuclei(shape))
    sure = np.zeros(shape, bool)
    if draw(st.booleans()):
        sure[..., draw(st.integers(0, 5)) :, : draw(st.integers(1, 9))] = True
    return before, draw(edits_of(before)), draw(nuclei(shape)), sure


@given(cases())
def test_corrections_are_locked_and_found_again(case: tuple[np.ndarray, ...]) -> None:
    before, after, new, sure = case
    again = redrawn(before, after, new, sure, rim=1, n_connected=before.ndim)
    labels = again.labels
    was, found = corrections(before, after, sure), corrections(again.prediction, labels, sure)
    assert found.summary() == was.summary()
    assert found.changed.tolist() == was.changed.tolist()
    assert again.n_left_out == was.n_removed
    for number in np.union1d(was.changed, after[sure]):
        if number:
            np.testing.assert_array_equal(labels == number, after == number)
    np.testing.assert_array_equal(labels[sure], after[sure])
    erased = (before != after) & (after == 0)
    assert not labels[erased].any()


@given(cases())
def test_each_new_nucleus_is_one_piece_of_one_of_the_run(case: tuple[np.ndarray, ...]) -> None:
    before, after, new, sure = case
    again = redrawn(before, after, new, sure, rim=1, n_connected=before.ndim)
    ids_locked = np.union1d(corrections(before, after).changed, after[sure])
    for number in np.setdiff1d(again.labels, [0, *ids_locked]):
        mask = again.labels == number
        assert ndimage.label(mask)[1] == 1
        assert len(np.unique(new[mask])) == 1
        assert new[mask][0] > 0
        assert 2 * mask.sum() >= 0.2 * (new == new[mask][0]).sum()


@given(cases())
def test_the_same_run_again_changes_nothing(case: tuple[np.ndarray, ...]) -> None:
    before, after, new, sure = case
    once = redrawn(before, after, new, sure, rim=1, n_connected=before.ndim)
    twice = redrawn(once.prediction, once.labels, new, sure, rim=1, n_connected=before.ndim)
    np.testing.assert_array_equal(once.labels, twice.labels)
    np.testing.assert_array_equal(once.prediction, twice.prediction)
