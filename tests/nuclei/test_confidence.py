"""How sure the network is of each nucleus."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.nuclei.confidence import carried_over, confidence

NUCLEUS = [[1.0, 1.0, 0.0, 0.9, 0.7]]
DISTANCE = [[0.2, 1.0, 0.0, 0.1, 0.2]]
LABELS = np.array([[1, 1, 0, 2, 2]])


def maps(nucleus=NUCLEUS, distance=DISTANCE):
    return np.array([nucleus, np.zeros_like(nucleus), distance])


def test_a_nucleus_is_sure_that_is_bright_and_deep():
    found = confidence(maps(), LABELS)
    assert found.dtype == np.float32
    assert found[1:] == pytest.approx([1.0, 0.4])  # sqrt(0.8 * 0.2)


def test_bytes_stand_for_0_to_1():
    as_bytes = np.rint(maps() * 255).astype(np.uint8)
    assert confidence(as_bytes, LABELS)[1:] == pytest.approx([1.0, 0.4], abs=0.005)


def test_background_and_missing_labels_have_none():
    found = confidence(maps(), np.array([[4, 4, 0, 0, 0]]))
    assert np.isnan(found).tolist() == [True, True, True, True, False]


def test_a_volume_is_taken_as_a_whole():
    volume = np.concatenate([maps()[:, None], maps(distance=[[0.2] * 5])[:, None]], axis=1)
    found = confidence(volume, np.concatenate([LABELS[None]] * 2))
    assert found[1:] == pytest.approx([1.0, 0.4])


def test_of_the_nucleus_map_alone_the_mean_is_taken():
    assert confidence(maps()[:1], LABELS)[1:] == pytest.approx([1.0, 0.8])


def test_no_nuclei_have_no_confidence():
    assert np.isnan(confidence(np.zeros((3, 0, 4)), np.zeros((0, 4), int))).tolist() == [True]


def test_labels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 5\), got \(5,\)"):
        confidence(maps(), LABELS[0])


def test_redrawn_nuclei_lose_it_and_renumbered_ones_keep_it():
    before = np.array([np.nan, 0.75, 0.5, 0.25], np.float32)
    labels = np.array([1, 1, 0, 2, 2, 3])
    changed = np.array([7, 7, 5, 5, 5, 3])
    after = carried_over(before, labels, changed)
    assert after[[3, 7]].tolist() == [0.25, 0.75]
    assert np.isnan(after).sum() == 6
