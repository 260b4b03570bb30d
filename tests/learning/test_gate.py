"""Whether a tuned network is better than its parent."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_unet.learning.augment import sample_of
from napari_unet.learning.gate import (
    Exam,
    Marks,
    agreement,
    between,
    comparison,
    elsewhere,
    objection,
)
from napari_unet.learning.lessons import Lesson
from napari_unet.learning.runs import Scene
from napari_unet.network.card import Card
from napari_unet.network.unet import UNet, UNetConfig

CONFIG = UNetConfig(filters=(4, 8), dropout=(0.0,) * 3)
BEFORE = Marks(corrected=0.2, held_out=True, kept=1.0, rehearsed=0.8)


def row(*values: int) -> np.ndarray:
    return np.array([values], np.int32)


def everywhere(labels: np.ndarray) -> np.ndarray:
    return np.ones(labels.shape, bool)


def test_every_expected_nucleus_counts_by_its_best_overlap():
    found, expected = row(1, 1, 0, 2, 2, 2), row(7, 7, 0, 0, 9, 9)
    assert agreement(found, expected, np.zeros((1, 6), bool)) == (1 + 2 / 3, 2)


def test_nuclei_invented_in_the_zone_count_as_missed():
    found, nothing = row(1, 1, 0, 2, 2, 2), row(0, 0, 0, 0, 0, 0)
    assert agreement(found, nothing, everywhere(found)) == (0, 2)
    left = np.array([[True, True, True, True, False, False]])
    assert agreement(found, nothing, left) == (0, 1)


def test_a_nucleus_that_matches_is_not_invented():
    labels = row(0, 3, 3, 0)
    assert agreement(labels, labels, everywhere(labels)) == (1, 1)
    assert agreement(row(0, 0, 0, 0), labels, everywhere(labels)) == (0, 1)


def test_nuclei_that_are_known_or_cut_say_nothing_of_the_rest():
    labels = np.zeros((5, 9), np.int32)
    labels[1:3, 0], labels[1:4, 2:4], labels[1:4, 6:8] = 1, 2, 3
    known = np.zeros(labels.shape, bool)
    known[1, 2] = True
    assert np.unique(elsewhere(labels, known)).tolist() == [0, 3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"corrected": 0.5, "kept": 0.9}, ""),
        ({"corrected": 0.205}, "does not get the corrected nuclei clearly better"),
        ({"corrected": 0.1}, "clearly better"),
        ({"corrected": 0.24}, ""),
        ({"corrected": 0.5, "rehearsed": 0.7}, "forgot what it knew"),
        ({"corrected": 0.5, "kept": 0.1}, "changed too much"),
        ({"corrected": 0.6, "kept": 0.3}, ""),  # what was corrected shows that much was wrong
        ({"corrected": 0.3, "kept": 0.3}, "changed too much"),
        ({"corrected": 0.0, "kept": 0.0, "rehearsed": 0.0}, "forgot"),
    ],
)
def test_a_worse_or_blank_network_is_objected_to(change, words):
    found = objection(BEFORE, replace(BEFORE, **change))
    assert words in found
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (
            (0.41, True, 1.0, 1.0),
            (0.72, True, 0.95, 1.0),
            "Overlap with corrected nuclei held back: 0.41 before, 0.72 after; 95% of the "
            "rest stayed as it was.",
        ),
        (
            (0.4, False, 1.0, 1.0),
            (0.9, False, 1.0, 1.0),
            "Overlap with the corrected nuclei: 0.40 before, 0.90 after; 100% of the "
            "rest stayed as it was.",
        ),
    ],
)
def test_the_comparison_is_one_sentence(
    before: tuple[float, bool, float, float], after: tuple[float, bool, float, float], text: str
) -> None:
    assert comparison(Marks(*before), Marks(*after)) == text


def test_an_objection_does_not_say_again_what_the_comparison_says():
    after = replace(BEFORE, corrected=0.21)
    assert "0.20 before, 0.21 after" in comparison(BEFORE, after)
    assert not re.search(r"\d", objection(BEFORE, after))


@pytest.mark.parametrize(
    ("n", "before", "after", "is_enough"),
    [
        (10, 0.3, 0.35, False),  # half a nucleus
        (10, 0.3, 0.41, True),
        (1, 0.0, 0.4, False),
        (1, 0.0, 0.6, True),
        (4, 0.9, 0.94, False),
        (4, 0.9, 0.96, True),  # more than half of what was left
        (4, 1.0, 1.0, False),
        (0, 0.0, 1.0, True),  # a false nucleus that is gone
    ],
)
def test_nuclei_that_were_learned_must_be_clearly_better(n, before, after, is_enough):
    known = replace(BEFORE, held_out=False, n_known=n)
    marks = replace(known, corrected=before), replace(known, corrected=after)
    assert bool(objection(*marks)) != is_enough


@pytest.mark.parametrize(("after", "is_enough"), [(0.39, False), (0.41, True)])
def test_a_sure_parent_is_left_for_a_quarter_of_what_is_left_to_gain(after, is_enough):
    before = replace(BEFORE, held_out=False, n_known=30, is_sure=True)
    assert bool(objection(before, replace(before, corrected=after))) != is_enough
    unsure = replace(before, is_sure=False)
    assert not objection(unsure, replace(unsure, corrected=0.24))


@pytest.mark.parametrize(("n", "words"), [(3, "exceptions"), (4, "")])
def test_a_sure_parent_is_not_left_for_a_few_exceptions(n, words):
    before = replace(BEFORE, held_out=False, n_known=n, is_sure=True)
    found = objection(before, replace(before, corrected=0.9))
    assert words in found
    assert bool(found) == bool(words)
    unsure = replace(before, is_sure=False)
    assert not objection(unsure, replace(unsure, corrected=0.9))


def test_where_little_is_left_to_gain_a_quarter_of_it_is_enough():
    before = replace(BEFORE, corrected=0.92)
    assert "clearly better" in objection(before, replace(before, corrected=0.93))
    assert not objection(before, replace(before, corrected=0.945))


def test_weights_lie_between_the_parent_and_the_child():
    parent, child = UNet(CONFIG).eval(), UNet(CONFIG).eval()
    middle = between(parent, child, 0.25).state_dict()
    for name, weight in parent.state_dict().items():
        other = child.state_dict()[name]
        expected = 0.75 * weight + 0.25 * other if weight.is_floating_point() else weight
        torch.testing.assert_close(middle[name], expected)


@pytest.mark.parametrize(
    ("sureness", "n_held_out", "shares"),
    [
        (0.8, 1, (0.5, 0.25)),  # too few to tell how far is too far
        (0.8, 6, (1.0, 0.75, 0.5, 0.25)),
        (0.5, 1, (1.0, 0.75, 0.5, 0.25)),  # the parent has little to lose
    ],
)
def test_a_sure_parent_is_left_by_half_of_the_way_unless_enough_is_held_out(
    sureness, n_held_out, shares
):
    nothing = np.zeros((4, 4), np.int32)
    scene = Scene(np.zeros((3, 4, 4), np.float32), nothing)
    ids = np.arange(1, n_held_out + 1, dtype=np.int32)
    sample = sample_of(scene.pixels, nothing)
    lesson = Lesson(sample, scene, nothing > 0, ids[:0], ids, nothing, sureness)
    assert Exam(Card("parent", CONFIG, 16.0), [lesson], []).shares == shares
