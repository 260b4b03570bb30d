from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from napari_unet.learning.corrections import (
    Corrections,
    bounding_box,
    corrections,
    rim_for,
)

Labels = NDArray[np.int32]
STACK = arrays(np.int32, (2, 4, 5), elements=st.integers(0, 4))


def plane(*rows: str) -> Labels:
    """Return labels drawn with one digit per pixel, a dot for background."""
    return np.array([[int(c) for c in row.replace(".", "0")] for row in rows], np.int32)


def counts(found: Corrections) -> tuple[int, int, int, int]:
    return found.n_added, found.n_removed, found.n_reshaped, found.n_confirmed


def drawn(known: NDArray[np.bool_]) -> list[str]:
    return ["".join("#" if k else "." for k in row) for row in known]


def nuclei(labels: Labels) -> dict[int, frozenset[int]]:
    return {int(i): frozenset(np.flatnonzero(labels == i)) for i in np.unique(labels) if i}


def test_a_painted_nucleus_is_added_and_known_with_a_rim() -> None:
    before = plane("........", "........", "........", "......2.")
    after = plane("........", "..5.....", "........", "......2.")
    found = corrections(before, after, rim=1)
    assert counts(found) == (1, 0, 0, 0)
    assert found.changed.tolist() == [5]
    assert drawn(found.known) == ["..#.....", ".###....", "..#.....", "........"]
    assert np.array_equal(found.labels, after)
    assert found.labels.dtype == np.int32


def test_an_erased_nucleus_is_known_background() -> None:
    found = corrections(plane("11....33"), plane("......33"), rim=2)
    assert counts(found) == (0, 1, 0, 0)
    assert found.changed.tolist() == []
    assert drawn(found.known) == ["####...."]


def test_a_reshaped_nucleus_is_known_where_it_is_and_was() -> None:
    found = corrections(plane("..111..."), plane("....111."), rim=0)
    assert counts(found) == (0, 0, 1, 0)
    assert found.changed.tolist() == [1]
    assert drawn(found.known) == ["..#####."]


def test_merging_into_a_neighbour_reshapes_that_one() -> None:
    found = corrections(plane("11.22..3"), plane("11111..3"), rim=0)
    assert counts(found) == (0, 0, 1, 0)
    assert found.changed.tolist() == [1]
    assert drawn(found.known) == ["#####..."]


def test_merging_under_a_new_label_reshapes_one_and_adds_none() -> None:
    found = corrections(plane("11.22..3"), plane("77777..3"), rim=0)
    assert counts(found) == (0, 0, 1, 0)
    assert found.changed.tolist() == [7]


def test_splitting_adds_one_and_reshapes_one() -> None:
    found = corrections(plane("1111..3"), plane("1199..3"), rim=0)
    assert counts(found) == (1, 0, 1, 0)
    assert found.changed.tolist() == [1, 9]
    assert drawn(found.known) == ["..##..."]


def test_one_label_for_nuclei_that_do_not_touch_is_told() -> None:
    before = plane("11.22.......", "............")
    assert corrections(before, plane("11.22.77.77.", "............")).scattered == (7,)
    assert corrections(before, plane("11.22..77...", ".......77...")).scattered == ()
    # Pieces that touch at a corner are one, and those of a nucleus that is as it was are its own.
    assert corrections(before, plane("11.22.77....", "........77..")).scattered == ()
    assert corrections(plane("11.1....."), plane("11.1..5..")).scattered == ()
    assert corrections(plane("11.1....."), plane("11.11....")).scattered == ()
    # The first nucleus of the run, with what was painted without taking a new label.
    text = "1 nucleus reshaped; label 1 is in several pieces: give each nucleus a label of its own"
    assert corrections(before, plane("11.22...1...", "............")).summary() == text
    highest = np.where(before == 0, 0, 2**31 - 1)
    highest[1, -1] = 2**31 - 1
    assert corrections(np.zeros_like(before), highest).scattered == (2**31 - 1,)


def test_labels_in_pieces_are_named_if_they_are_few() -> None:
    stack = np.zeros((2, 2, 2), np.int32)
    ids = np.arange(3, 8, dtype=np.int32)
    found = Corrections(stack, stack > 0, ids, n_added=5, n_planes=1, scattered=(3, 4, 5, 6, 7))
    assert "on 1 plane; labels 3, 4, 5 … are in several pieces" in found.summary()


def test_what_is_left_of_a_nucleus_that_was_painted_over_is_unknown_until_it_is_drawn() -> None:
    before = plane("111122.")
    assert drawn(corrections(before, plane("119992."), rim=0).known) == ["..###.."]
    assert drawn(corrections(before, plane("019992."), rim=0).known) == ["#####.."]
    everywhere = np.ones(before.shape, bool)
    assert corrections(before, plane("119992."), everywhere, rim=0).known.all()


def test_splitting_into_two_new_labels_adds_one_and_reshapes_one() -> None:
    found = corrections(plane("1111"), plane("8899"), rim=0)
    assert counts(found) == (1, 0, 1, 0)
    assert found.changed.tolist() == [8, 9]


@pytest.mark.parametrize(("after", "n_removed"), [("...22", 1), (".2222", 0)])
def test_a_nucleus_is_removed_if_most_of_it_is_background_now(after: str, n_removed: int) -> None:
    found = corrections(plane("111.2"), plane(after))
    assert counts(found) == (0, n_removed, 1, 0)


@pytest.mark.parametrize("after", ["77.22", "22.11", "11.22"])
def test_other_labels_for_the_same_pixels_are_no_correction(after: str) -> None:
    found = corrections(plane("11.22"), plane(after))
    assert not found
    assert not found.known.any()
    assert found.changed.size == 0


def test_the_label_of_a_renumbered_nucleus_is_free_for_a_new_one() -> None:
    found = corrections(plane("11.2...."), plane("77.2..11"), rim=0)
    assert counts(found) == (1, 0, 0, 0)
    assert found.changed.tolist() == [1]
    assert drawn(found.known) == ["......##"]


def test_the_label_of_an_erased_nucleus_may_go_to_another() -> None:
    found = corrections(plane("11...22."), plane(".....11."), rim=0)
    assert counts(found) == (0, 1, 0, 0)
    assert drawn(found.known) == ["##......"]


def test_the_rim_stops_at_unchanged_neighbours_and_covers_changed_ones() -> None:
    before = plane("..........", "2.....3...", "..........")
    after = plane("..........", "2.5..33...", "..........")
    found = corrections(before, after, rim=2)
    assert drawn(found.known) == [".#######..", ".########.", ".#######.."]


def test_the_rim_grows_with_the_nuclei_and_has_a_least_width() -> None:
    assert [rim_for(d) for d in (0.0, 8.0, 24.0, 80.0, float("nan"))] == [2, 2, 3, 10, 2]


def test_an_edit_at_the_image_s_edge_stays_inside_it() -> None:
    found = corrections(plane("...", "...", "..."), plane("4..", "...", "..."), rim=2)
    assert drawn(found.known) == ["###", "##.", "#.."]


def test_confirmed_areas_are_known_and_their_unchanged_nuclei_counted() -> None:
    before = plane("11.22.33.")
    after = plane("11.2..33.")
    sure = np.zeros(before.shape, bool)
    sure[:, 1:7] = True
    found = corrections(before, after, sure, rim=0)
    assert counts(found) == (0, 0, 1, 2)
    assert drawn(found.known) == [".######.."]
    assert found.summary() == "1 nucleus reshaped, 2 confirmed"


def test_a_nucleus_that_is_right_is_known_with_a_rim_of_background() -> None:
    labels = plane("........", "..44....", "..44.55.", "........")
    found = corrections(labels, labels, rim=1, right=[4, 9])
    assert counts(found) == (0, 0, 0, 1)
    assert drawn(found.known) == ["..##....", ".####...", ".####...", "..##...."]
    assert found.changed.size == 0


def test_a_nucleus_that_is_right_and_changed_counts_as_changed() -> None:
    found = corrections(plane("44...5"), plane("444..5"), rim=0, right=[4])
    assert counts(found) == (0, 0, 1, 0)


def test_a_nucleus_that_is_right_is_known_on_all_its_planes_and_on_no_others() -> None:
    labels = np.stack([plane("4..."), plane("4..5"), plane("...5")])
    found = corrections(labels, labels, rim=0, right=[4])
    assert [drawn(it) for it in found.known] == [["#..."], ["#..."], ["...."]]
    assert found.summary() == "1 nucleus confirmed on 2 planes"


def test_confirming_an_empty_view_is_something() -> None:
    empty = plane("....")
    found = corrections(empty, empty, np.array([[True, True, False, False]]))
    assert found
    assert found.summary() == "an area without nuclei"


def test_only_the_planes_that_were_edited_are_known_and_counted() -> None:
    before = np.stack([plane("11..2")] * 4)
    after = before.copy()
    after[1, 0, 3] = 9
    after[3, 0, 4] = 0
    found = corrections(before, after, rim=0)
    assert counts(found) == (1, 0, 1, 0)
    assert found.n_planes == 2
    assert [drawn(p) for p in found.known] == [["....."], ["...#."], ["....."], ["....#"]]
    assert found.summary() == "1 nucleus added, 1 reshaped on 2 planes"


def test_a_nucleus_that_goes_on_over_planes_is_one() -> None:
    before = np.stack([plane("11..."), plane("11..."), plane(".....")])
    after = np.stack([plane("1...."), plane("11..."), plane("11...")])
    assert counts(corrections(before, after)) == (0, 0, 1, 0)
    assert counts(corrections(before, np.zeros_like(before))) == (0, 1, 0, 0)
    assert counts(corrections(np.zeros_like(before), after)) == (1, 0, 0, 0)


def test_a_label_in_use_on_an_untouched_plane_is_not_new() -> None:
    before = np.stack([plane("11..."), plane(".....")])
    after = np.stack([plane("11..."), plane("...11")])
    assert counts(corrections(before, after)) == (0, 0, 1, 0)


def test_a_label_changed_on_some_of_its_planes_alone_is_not_renumbered() -> None:
    before = np.stack([plane("11..."), plane("11...")])
    after = np.stack([plane("11..."), plane("77...")])
    assert counts(corrections(before, after)) == (1, 0, 1, 0)


def test_stacks_over_time_and_depth_are_walked() -> None:
    before = np.zeros((2, 3, 4, 4), np.uint16)
    after = before.copy()
    after[1, 2, 0, 0] = 5
    found = corrections(before, after, rim=0)
    assert np.argwhere(found.known).tolist() == [[1, 2, 0, 0]]
    assert found.n_planes == 1
    assert found.summary() == "1 nucleus added on 1 plane"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ((6, 2, 3, 0, 4), "6 nuclei added, 2 removed, 3 reshaped on 4 planes"),
        ((0, 1, 0, 0, 1), "1 nucleus removed on 1 plane"),
        ((0, 2, 0, 7, 2), "2 nuclei removed, 7 confirmed on 2 planes"),
        ((0, 0, 0, 0, 0), "nothing corrected yet"),
    ],
)
def test_the_summary_is_a_sentence(found: tuple[int, ...], text: str) -> None:
    stack = np.zeros((5, 2, 2), np.int32)
    ids = np.zeros(0, np.int32)
    assert Corrections(stack, stack > 0, ids, *found).summary() == text


@given(STACK, st.permutations(range(1, 5)))
def test_nothing_is_known_where_nothing_changed(before: Labels, order: list[int]) -> None:
    renamed = np.array([0, *order], np.int32)[before]
    for after in (before.copy(), renamed):
        found = corrections(before, after)
        assert not found.known.any()
        assert found.summary() == "nothing corrected yet"


@given(STACK, STACK)
def test_changed_are_the_nuclei_whose_pixels_were_no_nucleus_before(
    before: Labels, after: Labels
) -> None:
    found = corrections(before, after, rim=0)
    old, new = nuclei(before), nuclei(after)
    changed = [i for i, pixels in new.items() if pixels not in old.values()]
    assert found.changed.tolist() == changed
    assert found.n_added + found.n_reshaped == len(changed)
    touched = [p for p in old.values() if p not in new.values()]
    here = set(np.flatnonzero(found.known))
    assert here <= set().union(*touched, *(new[i] for i in changed))
    differs = set(np.flatnonzero(before != after))
    moved = set().union(*(p for p in old.values() if p in new.values()))
    assert differs - moved <= here


@given(
    st.lists(st.sampled_from(["keep", "add", "erase", "grow", "rename"]), min_size=9, max_size=9),
    st.permutations(range(9)),
)
def test_independent_edits_add_up_in_any_order(edits: list[str], order: list[int]) -> None:
    before = np.zeros((30, 30), np.int32)
    for i, edit in enumerate(edits):
        if edit != "add":
            before[_cell(i)][3:6, 3:6] = i + 1
    after = before.copy()
    known = np.zeros(before.shape, bool)
    for i in order:
        one = before.copy()
        _edit(one[_cell(i)], edits[i], i + 1)
        _edit(after[_cell(i)], edits[i], i + 1)
        known |= corrections(before, one).known
    found = corrections(before, after)
    assert np.array_equal(found.known, known)
    expected = tuple(edits.count(edit) for edit in ("add", "erase", "grow"))
    assert counts(found)[:3] == expected


def _cell(i: int) -> tuple[slice, slice]:
    y, x = divmod(i, 3)
    return np.s_[10 * y : 10 * y + 10, 10 * x : 10 * x + 10]


def _edit(cell: Labels, edit: str, label: int) -> None:
    match edit:
        case "add":
            cell[3:6, 3:6] = label
        case "erase":
            cell[...] = 0
        case "grow":
            cell[3:6, 6] = label
        case "rename":
            cell[cell > 0] = label + 100


def test_labels_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="of one shape"):
        corrections(plane("1."), plane("1.."))
    with pytest.raises(ValueError, match="of one shape"):
        corrections(plane("1."), plane("2."), np.ones((2, 2), bool))


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros(4, int),
        np.zeros((2, 2)),
        np.zeros((0, 4), int),
        plane("1") - 2,
        np.array([[2**31]]),
    ],
)
def test_what_is_no_label_image_is_refused(labels: Labels) -> None:
    with pytest.raises(ValueError, match=r"Expected (whole numbers|labels from 0)"):
        corrections(labels, labels)


def test_a_negative_rim_is_refused() -> None:
    with pytest.raises(ValueError, match="rim of 0 px or more, got -1"):
        corrections(plane("1"), plane("1"), rim=-1)


def test_a_box_with_a_margin_stays_above_zero() -> None:
    mask = np.zeros((5, 5), bool)
    mask[1, 3] = True
    assert bounding_box(mask, 2) == (slice(0, 4), slice(1, 6))
