"""The training loop: a generator that yields after every step and never prints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from napari_unet.learning.augment import Augmentation, Batch, Sample, random_batch
from napari_unet.learning.losses import LossWeights, map_loss
from napari_unet.learning.targets import border_map, contact_map
from napari_unet.network.device import autocast
from napari_unet.network.unet import UNet

LIMITS = {
    "crop": (1, math.inf),
    "batch": (1, math.inf),
    "steps": (1, math.inf),
    "learning_rate": (0, 1),
    "weight_decay": (0, 1),
    "warm_up": (0, math.inf),
    "averaging": (0, 1),
    "clip": (0, math.inf),
    "validations": (1, math.inf),
    "patience": (1, math.inf),
    "seed": (0, 2**32 - 1),
}
"""Least and largest value of each number in a `Recipe`."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    crop : int
        Side of the square crops, in pixels.
    batch : int
        Crops per step.
    steps : int
        Steps of the run; the learning rate falls to 0 over it.
    minutes : float, optional
        Time of the run; if given, the run ends with whichever of both comes first.
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov, Hutter, ICLR 2019); one warm-up, then half a cosine.
    warm_up : int
        Steps over which the learning rate rises.
    averaging : float
        Decay of the moving average of the weights that is kept as the result; lower at the
        start, so that the random first weights are soon forgotten.
    clip : float
        Largest norm of the gradient.
    validations : int
        How often the validation images are scored during the run.
    patience : int
        The run ends early after so many validations without a better score.
    seed : int
        Of everything random.
    loss : LossWeights
        Weights of the losses.
    augmentation : Augmentation
        What is varied.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    crop: int = 256
    batch: int = 12
    steps: int = 4000
    minutes: float | None = None
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-3
    warm_up: int = 100
    averaging: float = 0.998
    clip: float = 5.0
    validations: int = 20
    patience: int = 10
    seed: int = 0
    loss: LossWeights = field(default_factory=LossWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Check every number."""
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                limits = f"{low} or more" if high == math.inf else f"from {low} to {high}"
                raise ValueError(f"Expected {name} to be {limits}, got {value}; choose another.")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(
                f"Expected more than 0 minutes, got {self.minutes}; leave them out for no limit."
            )


@dataclass(frozen=True)
class Step:
    """Where a run stands after a step.

    Parameters
    ----------
    number : int
        Steps done.
    fraction : float
        Part of the run that is done, 0..1.
    seconds : float
        Time the run has taken, resumed parts included.
    loss : float
        Training loss of this step.
    score : float, optional
        Validation score, at the steps that were validated.
    is_best : bool
        Whether that score is the best so far.
    waiting : float
        Part of the time so far that went into preparing crops.
    """

    number: int
    fraction: float
    seconds: float
    loss: float
    score: float | None = None
    is_best: bool = False
    waiting: float = 0.0


class Trainer:
    """All that changes during a run; what a checkpoint holds.

    Parameters
    ----------
    network : UNet
        Trained in place, on its device.
    recipe : Recipe
        How.

    Raises
    ------
    ValueError
        If the network does not take crops of the recipe's size.
    """

    def __init__(self, network: UNet, recipe: Recipe) -> None:
        if recipe.crop % network.config.multiple:
            raise ValueError(
                f"Expected crops of a multiple of {network.config.multiple} pixels for this "
                f"network, got {recipe.crop}; choose another crop."
            )
        self.network = network.train()
        self.recipe = recipe
        average = partial(_moving_average, recipe.averaging)
        self.average = AveragedModel(network, avg_fn=average, use_buffers=True)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.number = 0
        self.seconds = 0.0
        self.seconds_waiting = 0.0
        self.best: float | None = None
        self.validations = 0
        self.since_best = 0

    @property
    def fraction(self) -> float:
        """Part of the run that is done, 0..1."""
        minutes = self.recipe.minutes
        of_time = self.seconds / (60 * minutes) if minutes else 0.0
        return min(1.0, max(self.number / self.recipe.steps, of_time))

    @property
    def averaged(self) -> UNet:
        """The network with the averaged weights, in evaluation mode."""
        network = self.average.module.eval()
        if not isinstance(network, UNet):
            raise TypeError(f"Expected a U-Net, got {type(network).__name__}; train a U-Net.")
        return network

    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        warm = min(1.0, (self.number + 1) / max(1, self.recipe.warm_up))
        return self.recipe.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * self.fraction))

    def step(self, batch: Batch) -> float:
        """Take one step on a batch; return its loss.

        Raises
        ------
        RuntimeError
            If the loss is not finite; the weights are those of the step before.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        loss = _batch_loss(self.network, batch, self.recipe.loss)
        if not torch.isfinite(loss):
            raise RuntimeError(
                f"Expected a finite loss, got {loss.item()} at step {self.number + 1}; train with "
                "a lower learning rate."
            )
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.number += 1
        return float(loss.detach())

    def judge(self, score: float) -> bool:
        """Count a validation score; return whether it is the best so far."""
        is_best = self.best is None or score > self.best
        self.best = score if is_best else self.best
        self.since_best = 0 if is_best else self.since_best + 1
        self.validations += 1
        return is_best


def fit(
    trainer: Trainer, samples: list[Sample], validate: Callable[[UNet], float]
) -> Iterator[Step]:
    """Train until the recipe's end; stop iterating to stop early.

    Parameters
    ----------
    trainer : Trainer
        A new one, or one read from a checkpoint: the run goes on as if it had not stopped,
        since each step draws from its own seed.
    samples : list of Sample
        What is cropped.
    validate : callable
        Scores the averaged network, higher is better.

    Yields
    ------
    Step
        After every step.
    """
    while trainer.fraction < 1 and trainer.since_best < trainer.recipe.patience:
        loss = _advance(trainer, samples)
        score, is_best = None, False
        if trainer.fraction * trainer.recipe.validations >= trainer.validations + 1:
            score, is_best = _validate(trainer, validate)
        yield Step(
            trainer.number,
            trainer.fraction,
            trainer.seconds,
            loss,
            score,
            is_best,
            waiting=trainer.seconds_waiting / max(trainer.seconds, 1e-9),
        )


def _advance(trainer: Trainer, samples: list[Sample]) -> float:
    """Draw a batch and take a step on it; return its loss."""
    started = time.monotonic()
    recipe = trainer.recipe
    # Each step has its own seed: a resumed run draws what the uninterrupted one would have.
    seed = recipe.seed * 1_000_003 + trainer.number
    random = torch.Generator().manual_seed(seed)
    batch = random_batch(samples, recipe.crop, recipe.batch, recipe.augmentation, random)
    waited = time.monotonic() - started
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # for the dropout
        loss = trainer.step(batch)
    trainer.seconds_waiting += waited
    trainer.seconds += time.monotonic() - started
    return loss


def _validate(trainer: Trainer, validate: Callable[[UNet], float]) -> tuple[float, bool]:
    """Return the score of the averaged network, and whether it is the best so far."""
    started = time.monotonic()
    score = validate(trainer.averaged)
    trainer.seconds += time.monotonic() - started
    return score, trainer.judge(score)


def _batch_loss(network: UNet, batch: Batch, weights: LossWeights) -> Tensor:
    """Return the loss of a network's maps of a batch."""
    device = next(network.parameters()).device
    image = batch.image.to(device).contiguous(memory_format=torch.channels_last)
    with autocast(device, training=True):
        logits = network(image)
    target = torch.stack([batch.labels > 0, border_map(batch.labels), batch.distance], dim=1)
    known = batch.known * (1 + weights.contact * contact_map(batch.labels))
    return map_loss(logits.float(), target.float().to(device), known.to(device), weights)


def _moving_average(decay: float, averaged: Tensor, current: Tensor, n_averaged: Tensor) -> Tensor:
    """Return the average moved towards the current value, fast at first (as TensorFlow does)."""
    n = int(n_averaged)
    return averaged + (current - averaged) * (1 - min(decay, (1 + n) / (10 + n)))
