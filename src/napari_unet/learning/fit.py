"""The training loop: a generator that yields after every step and never prints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_unet.learning.augment import Batch
from napari_unet.learning.batches import step_seed
from napari_unet.learning.losses import LossWeights, map_loss
from napari_unet.learning.own_llvm import load_triton
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.targets import border_map, contact_map
from napari_unet.network.device import autocast
from napari_unet.network.unet import UNet

Tensors = tuple[Tensor, ...] | list[Tensor]
Loss = Callable[[UNet, Batch, LossWeights], Tensor]
STEPS_OF_LOSS = 20  # that the mean loss is of: one step's own jumps about


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
    mean_loss : float
        Training loss, the mean over the last 20 steps.
    learning_rate : float
        Of this step.
    """

    number: int
    fraction: float
    seconds: float
    loss: float
    score: float | None = None
    is_best: bool = False
    waiting: float = 0.0
    mean_loss: float = 0.0
    learning_rate: float = 0.0


class Trainer:
    """All that changes during a run; what a checkpoint holds.

    Parameters
    ----------
    network : UNet
        Trained in place, on its device.
    recipe : Recipe
        How.
    loss : callable
        What a step lowers; see `batch_loss`.
    origin : str
        SHA-256 of the model that the run starts from; empty for random weights.

    Raises
    ------
    ValueError
        If the network does not take crops of the recipe's size.
    """

    def __init__(
        self, network: UNet, recipe: Recipe, loss: Loss | None = None, origin: str = ""
    ) -> None:
        if recipe.crop % network.config.multiple:
            raise ValueError(
                f"Expected crops of a multiple of {network.config.multiple} pixels for this "
                f"network, got {recipe.crop}; choose another crop."
            )
        self.network = network.train()
        self.recipe = recipe
        self.origin = origin
        self.loss = loss or batch_loss
        self.average = AveragedModel(network, multi_avg_fn=self._move, use_buffers=True)
        load_triton()
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            recipe.learning_rate,
            eps=recipe.epsilon,
            weight_decay=recipe.weight_decay,
        )
        self.number = 0
        self.seconds = 0.0
        self.seconds_waiting = 0.0
        self.losses: list[float] = []  # of the last steps
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
        left = 0.5 * (1 + math.cos(math.pi * self.fraction)) if self.recipe.cosine else 1.0
        return self.recipe.learning_rate * warm * left

    def step(self, batch: Batch) -> float:
        """Take one step on a batch; return its loss.

        Raises
        ------
        RuntimeError
            If the loss is not finite; the weights are those of the step before.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        loss = self.loss(self.network, batch, self.recipe.loss)
        self.optimiser.zero_grad()
        loss.backward()
        # Asked for only now: a graphics card is kept waiting by the question.
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RuntimeError(
                f"Expected a finite loss, got {value} at step {self.number + 1}; train with "
                "a lower learning rate."
            )
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.number += 1
        self.losses = [*self.losses, value][-STEPS_OF_LOSS:]
        return value

    def _move(self, averaged: Tensors, current: Tensors, n_averaged: Tensor | int) -> None:
        """Move averages towards the current values, fast at first (as TensorFlow does)."""
        decay = min(self.recipe.averaging, (1 + self.number) / (10 + self.number))
        get_ema_multi_avg_fn(decay)(averaged, current, n_averaged)

    def judge(self, score: float) -> bool:
        """Count a validation score; return whether it is the best so far."""
        is_best = self.best is None or score > self.best
        self.best = score if is_best else self.best
        self.since_best = 0 if is_best else self.since_best + 1
        self.validations += 1
        return is_best


def fit(
    trainer: Trainer, batches: Iterable[Batch], validate: Callable[[UNet], float]
) -> Iterator[Step]:
    """Train until the recipe's end; stop iterating to stop early.

    Parameters
    ----------
    trainer : Trainer
        A new one, or one read from a checkpoint: the run goes on as if it had not stopped,
        if the batches begin with that of its next step.
    batches : iterable of Batch
        One per step.
    validate : callable
        Scores the averaged network, higher is better.

    Yields
    ------
    Step
        After every step.
    """
    source = iter(batches)
    while trainer.fraction < 1 and trainer.since_best < trainer.recipe.patience:
        loss = _advance(trainer, source)
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
            mean_loss=fmean(trainer.losses),
            learning_rate=trainer.optimiser.param_groups[0]["lr"],
        )


def _advance(trainer: Trainer, batches: Iterator[Batch]) -> float:
    """Wait for a batch and take a step on it; return its loss."""
    started = time.monotonic()
    batch = next(batches)
    waited = time.monotonic() - started
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step_seed(trainer.recipe.seed, trainer.number))  # for the dropout
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


def batch_loss(network: UNet, batch: Batch, weights: LossWeights) -> Tensor:
    """Return the loss of a network's maps of a batch, the mean over its heads."""
    device = next(network.parameters()).device
    image = batch.image.to(device).contiguous(memory_format=torch.channels_last)
    with autocast(device, training=True):
        heads = network.heads(image)
    return loss_of_heads(heads, batch, weights)


def loss_of_heads(heads: tuple[Tensor, ...], batch: Batch, weights: LossWeights) -> Tensor:
    """Return the loss of the logits (n, maps, y, x) of each head, their mean."""
    target, known = (part.to(heads[0].device) for part in targets(batch, weights))
    return torch.stack([map_loss(maps.float(), target, known, weights) for maps in heads]).mean()


def targets(batch: Batch, weights: LossWeights) -> tuple[Tensor, Tensor]:
    """Return what the maps of a batch should be, (n, 3, y, x), and the weights, (n, y, x)."""
    maps = torch.stack([batch.labels > 0, border_map(batch.labels), batch.distance], dim=1)
    return maps.float(), batch.known * (1 + weights.contact * contact_map(batch.labels))
