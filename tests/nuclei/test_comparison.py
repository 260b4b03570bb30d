"""Stacks and movies against their truth, part by part."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.nuclei.comparison import compare, depth_axis, middle, n_by_kind, parts
from napari_unet.nuclei.errors import Kind


def finished(*given):
    """Return what a comparison comes to, and what it told on the way."""
    steps, told = compare(*given), []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return end.value, told


def stack():
    """One nucleus on both planes, of which the second was not found."""
    truth = np.zeros((2, 3, 4), int)
    truth[:, 1, 1:3] = 7
    found = truth.copy()
    found[1] = 0
    return found, truth


def test_a_stack_plane_by_plane():
    comparison, told = finished(*stack(), None)
    assert told == [(1, 2), (2, 2)]
    assert [(it.kind, it.box) for it in comparison.findings] == [
        (Kind.RIGHT, np.s_[0:1, 1:2, 1:3]),
        (Kind.MISSED, np.s_[1:2, 1:2, 1:3]),
    ]
    assert comparison.image[:, 1, 1].tolist() == [Kind.RIGHT, Kind.MISSED]
    assert (comparison.scores.n_truth, comparison.scores.ap50) == (2, 0.5)


def test_a_stack_as_one_volume():
    comparison, told = finished(*stack(), 0)
    assert told == [(1, 1)]
    (only,) = comparison.findings
    assert (only.kind, only.iou, only.box) == (Kind.BADLY_OUTLINED, 0.5, np.s_[0:1, 1:2, 1:3])
    assert comparison.scores.n_truth == 1


def test_frames_of_volumes_are_compared_each_for_itself():
    found, truth = (np.stack([labels] * 3) for labels in stack())
    assert len(finished(found, truth, 1)[0].findings) == 3
    assert len(finished(found, truth, None)[0].findings) == 6


def test_time_is_no_depth_wherever_it_is():
    """A nucleus on both planes of each of three frames, of which the second lacks a plane."""
    found, truth = (np.stack([labels] * 3, axis=1) for labels in stack())
    found[:, 0] = truth[:, 0]
    depth = depth_axis("ZTYX", found.shape)
    comparison, told = finished(found, truth, depth)
    assert (depth, told[-1]) == (0, (3, 3))
    kinds = [(it.kind, it.box[1]) for it in comparison.findings]
    assert kinds == [
        (Kind.RIGHT, np.s_[0:1]),
        (Kind.BADLY_OUTLINED, np.s_[1:2]),
        (Kind.BADLY_OUTLINED, np.s_[2:3]),
    ]
    assert depth_axis("TYX", (3, 8, 8)) is depth_axis("YX", (8, 8)) is None


def test_an_axis_of_one_entry_between_planes_is_no_axis_of_the_nuclei():
    found, truth = (labels[:, None] for labels in stack())
    assert len(finished(found, truth, depth_axis("", found.shape))[0].findings) == 1
    assert list(parts((1, 4, 5), 0)) == [(0, slice(None), slice(None))]


def test_findings_are_counted_by_kind():
    comparison, _ = finished(*stack(), None)
    counts = n_by_kind(comparison.findings)
    assert list(counts) == list(Kind)
    assert counts[Kind.RIGHT] == counts[Kind.MISSED] == 1
    assert sum(counts.values()) == 2


def test_the_middle_of_a_finding_is_a_pixel_of_its_box():
    comparison, _ = finished(*stack(), None)
    assert [middle(it) for it in comparison.findings] == [(0, 1, 1), (1, 1, 1)]


def test_labels_of_other_shapes_are_refused():
    found, truth = stack()
    with pytest.raises(ValueError, match=r"\(2, 3, 4\) and \(3, 4\)"):
        finished(found, truth[0], None)
