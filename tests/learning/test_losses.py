"""Losses, which look at known pixels only."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from napari_unet.learning.losses import LossWeights, cross_entropy, map_loss, soft_dice

SHAPE = (2, 5, 7)
ONLY_DISTANCE = LossWeights(nucleus=0, border=0, distance=1, dice=0)


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.fixture
def target() -> torch.Tensor:
    return (torch.rand(SHAPE, generator=torch.Generator().manual_seed(1)) > 0.5).float()


@pytest.fixture
def known() -> torch.Tensor:
    known = torch.ones(SHAPE)
    known[0, :2] = 0
    known[1, :, 3] = 0
    return known


LOSSES = pytest.mark.parametrize("loss", [cross_entropy, soft_dice])


@LOSSES
def test_unknown_pixels_have_no_gradient_and_known_ones_have(loss, logits, target, known):
    loss(logits, target, known).backward()
    assert torch.equal(logits.grad != 0, known > 0)


@LOSSES
def test_what_is_said_of_unknown_pixels_does_not_count(loss, logits, target, known):
    other_logits = torch.where(known > 0, logits, 50.0)
    other_target = torch.where(known > 0, target, 1 - target)
    expected = loss(logits, target, known)
    assert torch.equal(loss(other_logits, other_target, known), expected)


@LOSSES
def test_nothing_known_gives_no_loss(loss, logits, target):
    loss_of_nothing = loss(logits, target, torch.zeros(SHAPE))
    assert loss_of_nothing == 0
    loss_of_nothing.backward()
    assert not logits.grad.any()


def test_known_everywhere_is_the_plain_cross_entropy(logits, target):
    expected = binary_cross_entropy_with_logits(logits, target)
    torch.testing.assert_close(cross_entropy(logits, target, torch.ones(SHAPE)), expected)


def test_known_everywhere_is_the_plain_dice(logits, target):
    p = logits.sigmoid()
    expected = 1 - (2 * (p * target).sum() + 1) / ((p**2).sum() + (target**2).sum() + 1)
    torch.testing.assert_close(soft_dice(logits, target, torch.ones(SHAPE)), expected)


def test_partly_known_is_the_loss_of_the_known_part(logits, target):
    known = torch.zeros(SHAPE)
    known[:, 1:4, 2:6] = 1
    part = (slice(None), slice(1, 4), slice(2, 6))
    for loss in (cross_entropy, soft_dice):
        expected = loss(logits[part], target[part], known[part])
        torch.testing.assert_close(loss(logits, target, known), expected)


def test_weights_shift_the_cross_entropy_towards_heavy_pixels():
    logits, target = torch.tensor([[[0.0, 0.0]]]), torch.tensor([[[1.0, 1.0]]])
    logits[0, 0, 0] = 100
    heavy = cross_entropy(logits, target, torch.tensor([[[1.0, 3.0]]]))
    assert heavy.item() == pytest.approx(0.75 * math.log(2))


def test_dice_is_0_for_a_perfect_and_for_an_empty_match():
    target = torch.zeros(SHAPE)
    assert soft_dice(torch.full(SHAPE, -100.0), target, torch.ones(SHAPE)) == 0
    target[0, 1:3] = 1
    assert soft_dice(200 * target - 100, target, torch.ones(SHAPE)) == 0


def test_dice_is_nearly_1_for_a_complete_miss():
    target = torch.zeros(1, 40, 40)
    target[0, :20] = 1
    loss = soft_dice(100 - 200 * target, target, torch.ones_like(target))
    assert loss.item() == pytest.approx(1, abs=1e-3)


def test_the_map_loss_is_the_weighted_sum_of_its_parts(logits, target, known):
    weights = LossWeights(nucleus=2, border=3, distance=5, dice=7)
    three = torch.stack([logits, logits * 2, logits - 1], dim=1)
    truth = torch.stack([target, 1 - target, target / 2], dim=1)
    expected = (
        2 * cross_entropy(three[:, 0], truth[:, 0], known)
        + 7 * soft_dice(three[:, 0], truth[:, 0], known)
        + 3 * cross_entropy(three[:, 1], truth[:, 1], known)
        + 7 * soft_dice(three[:, 1], truth[:, 1], known)
        + 5 * cross_entropy(three[:, 2], truth[:, 2], known)
    )
    torch.testing.assert_close(map_loss(three, truth, known, weights), expected)


def test_a_network_of_the_nucleus_map_alone_learns_that(logits, target, known):
    truth = torch.stack([target, 1 - target, target], dim=1)
    expected = cross_entropy(logits, target, known) + soft_dice(logits, target, known)
    loss = map_loss(logits[:, None], truth, known, LossWeights())
    torch.testing.assert_close(loss, expected)


def test_unknown_pixels_have_no_gradient_in_any_map(target, known):
    logits = torch.randn(2, 3, 5, 7).requires_grad_()
    map_loss(logits, torch.stack([target] * 3, dim=1), known, LossWeights()).backward()
    assert torch.equal(logits.grad != 0, (known > 0)[:, None].expand(-1, 3, -1, -1))


def test_dice_is_of_the_pixels_that_are_to_be_compared_alone(target, known):
    logits = torch.randn(2, 3, 5, 7).requires_grad_()
    compared = torch.zeros_like(target, dtype=torch.bool)
    compared[:, 1:3] = True
    truth = torch.stack([target] * 3, dim=1)
    only_dice = LossWeights(nucleus=0, border=0, distance=0, dice=1)
    map_loss(logits, truth, known.clamp(min=1), only_dice, compared).backward()
    assert torch.equal(logits.grad[:, :2] != 0, compared[:, None].expand(-1, 2, -1, -1))


def test_the_distance_is_learnt_as_a_value_not_as_a_yes_or_no():
    logits = torch.zeros(1, 3, 1, 1, requires_grad=True)
    target = torch.full((1, 3, 1, 1), 0.5)
    map_loss(logits, target, torch.ones(1, 1, 1), ONLY_DISTANCE).backward()
    assert not logits.grad.any()
