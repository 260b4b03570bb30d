"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input
from napari_unet.learning import fit as fit_module
from napari_unet.learning.augment import Augmentation, Sample, prepare_sample
from napari_unet.learning.batches import RandomCrops, batches_from
from napari_unet.learning.fit import Step, Trainer, fit
from napari_unet.learning.recipe import Recipe
from napari_unet.network.card import Card
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet, UNetConfig
from napari_unet.network.variants import build_network
from napari_unet.nuclei.instances import instances
from napari_unet.nuclei.metrics import evaluate

CONFIG = UNetConfig(filters=(4, 8), dropout=(0.0, 0.1, 0.0))
TINY = Recipe(crop=16, batch=2, steps=8, warm_up=2, validations=4)


def discs(seed: int, n: int = 7, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy image of bright discs and their labels."""
    random = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.int32)
    y, x = np.mgrid[:size, :size]
    for number in range(1, n + 1):
        cy, cx = random.uniform(6, size - 6, 2)
        disc = np.hypot(y - cy, x - cx) < 6
        if not labels[np.hypot(y - cy, x - cx) < 9].any():
            labels[disc] = number
    return (labels > 0) * 100 + random.normal(50, 8, labels.shape), labels


def samples(n: int = 2) -> list[Sample]:
    return [prepare_sample(*discs(seed), Normalisation()) for seed in range(n)]


def trainer(recipe: Recipe = TINY, config: UNetConfig = CONFIG) -> Trainer:
    torch.manual_seed(recipe.seed)
    return Trainer(UNet(config), recipe)


def fitted(
    run: Trainer, samples: list[Sample], validate: Callable[[UNet], float]
) -> Iterator[Step]:
    """Train on random crops from where the run stands."""
    steps = range(run.number, run.recipe.steps)
    return fit(run, batches_from(RandomCrops(samples, run.recipe), steps), validate)


def scores(*values: float) -> Callable[[UNet], float]:
    given = iter(values)
    return lambda network: next(given)


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [weight.clone() for weight in network.state_dict().values()]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_training_lowers_the_loss_and_finds_the_discs():
    recipe = Recipe(
        crop=48,
        batch=6,
        steps=100,
        warm_up=5,
        learning_rate=1e-2,
        averaging=0.9,
        validations=1,
        augmentation=Augmentation(diameter=(12.0, 12.0)),
    )
    run = trainer(recipe, UNetConfig(filters=(8, 16, 32), dropout=(0.0,) * 5, stem=1))
    losses = [step.loss for step in fitted(run, samples(6), lambda network: 0.5)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    image, labels = discs(99)
    model = Model(run.averaged, Card("discs", run.network.config, 12.0))
    found = instances(model.predict(network_input(image, Normalisation())))
    assert evaluate(found, labels).f1 > 0.8


def test_a_run_takes_its_steps_and_reports_each():
    steps = list(fitted(trainer(), samples(), scores(0.1, 0.3, 0.2, 0.3)))
    assert [step.number for step in steps] == list(range(1, 9))
    assert [step.fraction for step in steps] == [number / 8 for number in range(1, 9)]
    assert [step.score for step in steps] == [None, 0.1, None, 0.3, None, 0.2, None, 0.3]
    assert [step.number for step in steps if step.is_best] == [2, 4]
    assert all(math.isfinite(step.loss) and 0 <= step.waiting <= 1 for step in steps)
    assert sorted(step.seconds for step in steps) == [step.seconds for step in steps]


def test_a_step_tells_its_learning_rate_and_the_mean_loss_of_the_last_steps(monkeypatch):
    monkeypatch.setattr(fit_module, "STEPS_OF_LOSS", 3)
    run = trainer(replace(TINY, warm_up=4, cosine=False, learning_rate=0.5, validations=1))
    steps = list(fitted(run, samples(), lambda network: 0.5))
    losses = [step.loss for step in steps]
    assert [step.mean_loss for step in steps] == pytest.approx(
        [np.mean(losses[max(0, number - 3) : number]) for number in range(1, 9)]
    )
    assert [step.learning_rate for step in steps] == [0.125, 0.25, 0.375, *[0.5] * 5]


def test_the_last_step_is_validated_even_if_there_are_fewer_steps_than_validations():
    steps = list(fitted(trainer(replace(TINY, steps=3, validations=20)), samples(), lambda _: 0.5))
    assert [step.score for step in steps] == [0.5, 0.5, 0.5]


def test_a_run_ends_early_when_it_gets_no_better():
    recipe = replace(TINY, steps=100, validations=100, patience=3)
    steps = list(fitted(trainer(recipe), samples(), scores(0.1, 0.5, 0.4, 0.5, 0.3, 0.9)))
    assert len(steps) == 5
    assert [step.is_best for step in steps] == [True, True, False, False, False]


def test_a_better_score_renews_the_patience():
    recipe = replace(TINY, steps=6, validations=6, patience=2)
    steps = list(fitted(trainer(recipe), samples(), scores(0.5, 0.4, 0.6, 0.5, 0.7, 0.1)))
    assert len(steps) == 6


def test_a_run_ends_when_its_time_is_over(monkeypatch):
    clock = iter(range(0, 100_000, 2))  # 2 s between two looks at it
    monkeypatch.setattr(fit_module.time, "monotonic", lambda: float(next(clock)))
    recipe = replace(TINY, steps=10_000, minutes=1.0, validations=2)
    steps = list(fitted(trainer(recipe), samples(), lambda network: 0.5))
    # Of each step, 2 s go into the crops and 2 s into the network; a validation takes 2 s.
    assert len(steps) == 15
    assert steps[-1].seconds == 15 * 4 + 2 * 2
    assert [step.number for step in steps if step.score is not None] == [8, 15]
    assert steps[0].fraction == pytest.approx(4 / 60)
    assert steps[0].waiting == 0.5


def test_the_steps_count_if_they_are_over_before_the_time():
    steps = list(fitted(trainer(replace(TINY, minutes=1e6)), samples(), lambda network: 0.5))
    assert len(steps) == 8


def test_the_learning_rate_rises_and_then_falls_to_0():
    run = trainer(replace(TINY, steps=100, warm_up=10, learning_rate=0.01))
    rates = []
    for run.number in range(101):
        rates.append(run.learning_rate())
    assert rates[0] == pytest.approx(0.001)
    assert max(rates) == pytest.approx(0.01, rel=0.03)
    assert rates.index(max(rates)) == 9
    assert rates[50] == pytest.approx(0.005)
    assert rates[100] == pytest.approx(0, abs=1e-9)


def test_a_run_needs_no_warm_up():
    assert trainer(replace(TINY, warm_up=0)).learning_rate() == TINY.learning_rate


def test_the_same_seed_trains_the_same_network_and_another_another():
    runs = []
    for seed in (3, 3, 4):
        run = trainer(replace(TINY, seed=seed))
        torch.manual_seed(len(runs))
        list(fitted(run, samples(), lambda network: 0.5))
        runs.append(weights(run.averaged))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_the_averaged_network_follows_the_trained_one_and_is_validated():
    seen: list[UNet] = []
    run = trainer(replace(TINY, averaging=0.5))
    list(fitted(run, samples(), lambda network: float(len(seen) + bool(seen.append(network)))))
    assert all(network is run.averaged for network in seen)
    assert not run.averaged.training
    assert run.network.training
    assert not same(weights(run.averaged), weights(run.network))


def test_unknown_pixels_do_not_train():
    image, labels = discs(0)
    nothing_known = prepare_sample(image, labels, Normalisation(), known=np.zeros(labels.shape))
    run = trainer(replace(TINY, weight_decay=0.0))
    before = [parameter.detach().clone() for parameter in run.network.parameters()]
    steps = list(fitted(run, [nothing_known], lambda network: 0.5))
    assert {step.loss for step in steps} == {0.0}
    assert same(before, list(run.network.parameters()))


def test_a_network_of_one_map_is_trained_too():
    config = UNetConfig(maps=("nucleus",), filters=(4, 8), dropout=(0.0,) * 3)
    steps = list(fitted(trainer(config=config), samples(), lambda network: 0.5))
    assert all(math.isfinite(step.loss) for step in steps)


def test_every_head_counts_the_same_in_the_loss():
    deep = UNetConfig(filters=(4, 6, 8), dropout=(0.0,) * 5, variant="nested-deep")
    batch = RandomCrops(samples(), TINY)[0]

    def loss(*logits: float) -> float:
        """Return the loss of a network whose heads say the same everywhere."""
        network = build_network(deep)
        for head, value in zip((*network.early_heads, network.head), logits, strict=True):
            torch.nn.init.zeros_(head.weight)
            torch.nn.init.constant_(head.bias, value)
        return Trainer(network, TINY).step(batch)

    alike = [loss(value, value) for value in (-1.0, 2.0)]
    assert loss(-1.0, 2.0) == loss(2.0, -1.0) == pytest.approx(np.mean(alike))
    assert alike[0] != pytest.approx(alike[1], rel=0.1)


def test_a_loss_that_is_not_finite_ends_the_run_with_whole_weights():
    run = trainer()
    for step in fitted(run, samples(), lambda network: 0.5):
        if step.number == 3:
            break
    broken = [replace(sample, pixels=sample.pixels * torch.nan) for sample in samples()]
    with pytest.raises(RuntimeError, match="Expected a finite loss, got nan at step 4"):
        next(fitted(run, broken, lambda network: 0.5))
    assert run.number == 3
    assert all(torch.isfinite(parameter).all() for parameter in run.network.parameters())


def test_stopping_to_iterate_stops_the_run():
    run = trainer()
    steps = fitted(run, samples(), lambda network: 0.5)
    assert isinstance(next(steps), Step)
    steps.close()
    assert run.number == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps to be 1 or more, got 0"),
        ({"batch": 0}, "batch to be 1 or more"),
        ({"crop": -16}, "crop to be 1 or more"),
        ({"validations": 0}, "validations to be 1 or more"),
        ({"patience": 0}, "patience to be 1 or more"),
        ({"learning_rate": float("nan")}, "learning_rate to be from 0 to 1"),
        ({"averaging": 1.5}, "averaging to be from 0 to 1"),
        ({"seed": -1}, "seed to be from 0"),
        ({"minutes": 0.0}, "more than 0 minutes, got 0.0"),
        ({"minutes": float("nan")}, "more than 0 minutes"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        Recipe(**change)


def test_crops_that_the_network_cannot_halve_are_refused():
    with pytest.raises(ValueError, match="multiple of 4 pixels for this network, got 18"):
        trainer(replace(TINY, crop=18))
