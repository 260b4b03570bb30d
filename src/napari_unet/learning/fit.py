"""The training loop: a generator that yields after every step and never prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_unet.learning.augment import Augmentation, Batch, Sample, random_batch
from napari_unet.learning.losses import LossWeights, map_loss
from napari_unet.learning.targets import border_map, contact_map
from napari_unet.network.device import precision
from napari_unet.network.unet import UNet

__all__ = ["Recipe", "Step", "Trainer", "fit"]


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
        Of AdamW (Loshchilov, Hutter, ICLR 2019), one warm-up, then half a cosine.
    warm_up : int
        Steps over which the learning rate rises.
    averaging : float
        Decay of the moving average of the weights that is kept as the result.
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
    """

    def __init__(self, network: UNet, recipe: Recipe) -> None:
        self.network = network.train()
        self.recipe = recipe
        averaging = get_ema_multi_avg_fn(recipe.averaging)
        self.average = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
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
            raise TypeError(f"expected a U-Net to train, got {type(network).__name__}")
        return network

    def learning_rate(self) -> float:
        """Give the learning rate of the next step."""
        warm = min(1.0, (self.number + 1) / self.recipe.warm_up)
        cosine = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * self.fraction)).item())
        return self.recipe.learning_rate * warm * cosine

    def step(self, batch: Batch) -> float:
        """Take one step on a batch; give its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        loss = batch_loss(self.network, batch, self.recipe.loss)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.number += 1
        return float(loss.detach())

    def judge(self, score: float) -> bool:
        """Count a validation score; tell whether it is the best so far."""
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
    recipe = trainer.recipe
    while trainer.fraction < 1 and trainer.since_best < recipe.patience:
        started = time.monotonic()
        random = torch.Generator().manual_seed(recipe.seed * 1_000_003 + trainer.number)
        batch = random_batch(samples, recipe.crop, recipe.batch, recipe.augmentation, random)
        trainer.seconds_waiting += time.monotonic() - started
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed * 1_000_003 + trainer.number)
            loss = trainer.step(batch)
        trainer.seconds += time.monotonic() - started
        waiting = trainer.seconds_waiting / trainer.seconds
        step = Step(trainer.number, trainer.fraction, trainer.seconds, loss, waiting=waiting)
        if trainer.fraction * recipe.validations >= trainer.validations + 1:
            started = time.monotonic()
            score = validate(trainer.averaged)
            is_best = trainer.judge(score)
            step = replace(step, score=score, is_best=is_best)
            trainer.seconds += time.monotonic() - started
        yield step


def batch_loss(network: UNet, batch: Batch, weights: LossWeights) -> Tensor:
    """Give the loss of a network's maps of a batch."""
    device = next(network.parameters()).device
    dtype = precision(device)
    image = batch.image.to(device).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, dtype, enabled=dtype == torch.bfloat16):
        logits = network(image)
    target = torch.stack([batch.labels > 0, border_map(batch.labels), batch.distance], dim=1)
    known = batch.known * (1 + weights.contact * contact_map(batch.labels))
    return map_loss(logits.float(), target.float().to(device), known.to(device), weights)
