"""Scores of predicted against true labels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.nuclei.metrics import THRESHOLDS, Scores, evaluate, matches, overlaps

TRUTH = np.array([[1, 1, 1, 1, 0, 2, 2, 2, 2, 0]])


def test_equal_labels_score_one_whatever_their_ids():
    scores = evaluate(TRUTH * 1000, TRUTH)
    assert scores.true_positives == (2,) * len(THRESHOLDS)
    assert scores.mean_ap_95 == scores.f1 == scores.pq == 1.0


def test_iou_of_every_pair():
    predicted = np.array([[1, 1, 0, 0, 0, 3, 3, 3, 3, 3]])
    assert overlaps(predicted, TRUTH).toarray().tolist() == [[0.5, 0.0], [0.0, 0.8]]


def test_a_match_needs_at_least_the_threshold():
    predicted = np.array([[1, 1, 0, 0, 0, 3, 3, 3, 3, 3]])
    scores = evaluate(predicted, TRUTH)
    assert scores.true_positives == (2, 1, 1, 1, 1, 1, 1, 0, 0, 0)
    assert scores.ap50 == 1.0
    assert scores.ap75 == pytest.approx(1 / 3)
    assert scores.pq == pytest.approx(0.65)


def test_one_nucleus_matches_one_other_only():
    iou = overlaps(np.array([1, 1, 2, 2]), np.array([5, 5, 5, 5]))
    assert iou.toarray().tolist() == [[0.5], [0.5]]
    assert matches(iou, 0.5) == 1


def test_as_many_nuclei_are_matched_as_can_be():
    iou = overlaps(np.array([1, 1, 1, 1, 2, 2]), np.array([7, 7, 8, 8, 8, 8]))
    assert iou.toarray() == pytest.approx(np.array([[0.5, 1 / 3], [0.0, 0.5]]))
    assert matches(iou, 0.3) == 2


def test_missed_and_false_nuclei_lower_recall_and_precision():
    scores = evaluate(np.array([1, 1, 0, 2, 0, 3, 0]), np.array([1, 1, 0, 0, 0, 0, 4]))
    assert (scores.n_predicted, scores.n_truth) == (3, 2)
    assert scores.precision == pytest.approx(1 / 3)
    assert scores.recall == pytest.approx(1 / 2)
    assert scores.f1 == pytest.approx(2 / 5)
    assert scores.ap50 == pytest.approx(1 / 4)


@pytest.mark.parametrize("shape", [(4, 4), (0, 4), (2, 3, 4)])
def test_nothing_to_find_and_nothing_found_is_perfect(shape):
    empty = np.zeros(shape, np.int32)
    scores = evaluate(empty, empty)
    assert scores.ap == (1.0,) * len(THRESHOLDS)
    assert scores.f1 == scores.pq == 1.0


def test_nothing_found_scores_zero():
    assert evaluate(TRUTH * 0, TRUTH).mean_ap == 0.0
    assert evaluate(TRUTH, TRUTH * 0).mean_ap == 0.0


def test_pooling_adds_nuclei_not_averages():
    good = evaluate(TRUTH, TRUTH)
    bad = evaluate(TRUTH * 0, TRUTH)
    pooled = sum([good, bad, bad], Scores())
    assert (pooled.n_predicted, pooled.n_truth) == (2, 6)
    assert pooled.ap50 == pytest.approx(2 / 6)


def test_mean_ap_stops_at_90_and_mean_ap_95_does_not():
    scores = Scores(THRESHOLDS, (1,) * 9 + (0,), n_predicted=1, n_truth=1)
    assert scores.mean_ap == 1.0
    assert scores.mean_ap_95 == pytest.approx(0.9)


def test_scores_at_other_thresholds_are_not_pooled():
    with pytest.raises(ValueError, match="same IoU thresholds"):
        Scores() + Scores((0.5,), (0,))


def test_huge_ids_need_no_memory_of_their_size():
    assert evaluate(TRUTH * (2**31 - 2) // 2, TRUTH).f1 == 1.0


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"predicted \(1, 10\) and true \(10,\)"):
        evaluate(TRUTH, TRUTH[0])


def test_labels_must_be_integers_from_zero():
    with pytest.raises(TypeError, match="integer type, got float64"):
        evaluate(TRUTH * 1.0, TRUTH)
    with pytest.raises(ValueError, match="got -2"):
        evaluate(TRUTH, -TRUTH)


def test_dice_counts_pixels_and_not_nuclei():
    merged = np.array([[3, 3, 3, 3, 0, 3, 3, 0, 0, 0]])
    scores = evaluate(merged, TRUTH)
    assert (scores.n_shared, scores.n_pixels) == (6, 14)
    assert scores.dice == pytest.approx(6 / 7)
    assert (scores + evaluate(TRUTH, TRUTH)).dice == pytest.approx(28 / 30)
