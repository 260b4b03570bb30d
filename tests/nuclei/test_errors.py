"""What is wrong with each nucleus, on rows of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.nuclei.errors import Kind, judge
from napari_unet.nuclei.metrics import evaluate


def told(found, truth, **choices):
    """Return the findings as text: kind, found ids, true ids."""
    return [(it.kind.words, it.found, it.truth) for it in judge(found, truth, **choices).findings]


def test_equal_nuclei_are_right_whatever_their_ids():
    assert told([[0, 9, 9, 0, 4]], [[0, 1, 1, 0, 7]]) == [
        ("right", (4,), (7,)),
        ("right", (9,), (1,)),
    ]


def test_a_true_nucleus_where_nothing_is_was_missed():
    assert told([1, 1, 0, 0], [3, 3, 0, 4]) == [("right", (1,), (3,)), ("missed", (), (4,))]


def test_a_nucleus_where_none_is_was_invented():
    assert told([1, 1, 0, 2], [3, 3, 0, 0]) == [("right", (1,), (3,)), ("invented", (2,), ())]


def test_one_over_several_is_merged_even_if_it_overlaps_the_larger_well():
    found, truth = [1] * 10, [5] * 8 + [6] * 2
    assert evaluate(found, truth).ap75 == 0.5
    judgement = judge(found, truth)
    assert told(found, truth) == [("merged", (1,), (5, 6))]
    assert judgement.found == {1: Kind.MERGED}
    assert judgement.truth == {5: Kind.MERGED, 6: Kind.MERGED}
    assert judgement.findings[0].iou == 0.8


def test_several_over_one_are_split():
    judgement = judge([5] * 8 + [6] * 2, [1] * 10)
    assert told([5] * 8 + [6] * 2, [1] * 10) == [("split", (5, 6), (1,))]
    assert judgement.found == {5: Kind.SPLIT, 6: Kind.SPLIT}
    assert judgement.truth == {1: Kind.SPLIT}


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ([1, 1, 1, 0, 0, 0], "right"),  # IoU 3/4
        ([1, 1, 1, 1, 1, 1], "badly outlined"),  # 4/6, too large
        ([1, 0, 0, 0, 0, 0], "badly outlined"),  # 1/4, too small but all inside
        ([0, 1, 1, 1, 1, 1], "badly outlined"),  # 3/6, shifted
    ],
)
def test_an_outline_is_right_from_an_iou_of_three_quarters(found, kind):
    assert told(found, [7, 7, 7, 7, 0, 0]) == [(kind, (1,), (7,))]


def test_from_where_an_outline_is_right_can_be_chosen():
    assert told([1] * 6, [7] * 4 + [0] * 2, right_from=0.6) == [("right", (1,), (7,))]


def test_half_is_not_more_than_half():
    assert told([0, 0, 1, 1, 1, 1], [7, 7, 7, 7, 0, 0]) == [
        ("missed", (), (7,)),
        ("invented", (1,), ()),
    ]


def test_a_border_far_off_merges_and_splits():
    judgement = judge([1, 1, 1, 1, 1, 1, 1, 2], [5, 5, 5, 5, 6, 6, 6, 6])
    assert [(it.kind.words, it.found, it.truth) for it in judgement.findings] == [
        ("merged", (1,), (5, 6)),
        ("split", (1, 2), (6,)),
    ]
    assert judgement.found == {1: Kind.MERGED, 2: Kind.SPLIT}
    assert judgement.truth == {5: Kind.MERGED, 6: Kind.MERGED}


def test_the_image_shows_what_was_found_and_what_was_missed():
    found = np.array([[1, 1, 0, 0], [0, 0, 2, 2], [3, 0, 0, 0]])
    truth = np.array([[5, 5, 0, 6], [0, 7, 7, 7], [0, 0, 0, 6]])
    image = judge(found, truth).image
    assert image.tolist() == [[1, 1, 0, 2], [0, 0, 6, 6], [3, 0, 0, 2]]
    assert image.dtype == np.uint8


def test_boxes_say_where_it_is_in_three_dimensions():
    truth = np.zeros((3, 4, 5), int)
    truth[1:3, 1:3, 2:5] = 4
    (missed,) = judge(np.zeros_like(truth), truth).findings
    assert missed.box == np.s_[1:3, 1:3, 2:5]
    assert (missed.kind, missed.iou) == (Kind.MISSED, 0.0)


@pytest.mark.parametrize("shape", [(4, 4), (0, 4), (2, 3, 4)])
def test_nothing_compared_with_nothing_has_no_findings(shape):
    judgement = judge(np.zeros(shape, int), np.zeros(shape, int))
    assert judgement.findings == ()
    assert judgement.image.shape == shape
    assert judgement.scores.dice == 1.0


def test_ids_may_be_as_large_as_integers_are():
    truth = np.array([2**31 - 1, 2**31 - 1, 0, 5])
    assert told(truth, truth) == [("right", (5,), (5,)), ("right", (2**31 - 1,), (2**31 - 1,))]


def test_scores_come_along():
    found, truth = [1, 1, 0, 2], [3, 3, 3, 0]
    assert judge(found, truth).scores == evaluate(found, truth)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"got predicted \(2,\) and true \(3,\)"):
        judge([1, 1], [1, 1, 1])
    with pytest.raises(TypeError, match="float64"):
        judge([1.0], [1])
    with pytest.raises(ValueError, match="IoU from 0 to 1, got 2"):
        judge([1], [1], right_from=2)
