"""The batches of a run, one per step, prepared ahead where a network is fast enough to wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from napari_unet.images.threads import n_cores
from napari_unet.learning.atlas import Atlas
from napari_unet.learning.augment import Batch, Sample, random_batch
from napari_unet.learning.losses import LossWeights
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.targets import separation_map

MOST_WORKERS = 8
MOST_OF_CARD = 0.25  # of a card's memory; the rest is for the network


def step_seed(seed: int, number: int) -> int:
    """Return the seed of a step: a resumed run draws what the uninterrupted one would have."""
    return seed * 1_000_003 + number


def step_random(seed: int, number: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Return the random numbers of a step, on a device."""
    return torch.Generator(device).manual_seed(step_seed(seed, number))


def n_workers(device: torch.device) -> int:
    """Return how many processes should prepare crops for a network on a device.

    None on a processor: there the network itself keeps all cores busy.
    """
    if device.type == "cpu":
        return 0
    return min(MOST_WORKERS, max(1, n_cores() - 1))


class RandomCrops(Dataset[Batch]):
    """Random crops as one batch for every step of a recipe.

    Parameters
    ----------
    samples : list of Sample
        What is cropped.
    recipe : Recipe
        Size, number and variation of the crops, and the seed.
    """

    def __init__(self, samples: list[Sample], recipe: Recipe) -> None:
        self.samples = samples
        self.recipe = recipe

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.recipe.steps

    def __getitem__(self, number: int) -> Batch:
        """Return the batch of a step; the same one whenever it is asked for."""
        recipe = self.recipe
        random = step_random(recipe.seed, number)
        batch = random_batch(self.samples, recipe.crop, recipe.batch, recipe.augmentation, random)
        return _separating(batch, recipe.loss) if recipe.loss.separation else batch


def _separating(batch: Batch, loss: LossWeights) -> Batch:
    """Return a batch whose known pixels weigh more where they lie between nuclei."""
    maps = [
        separation_map(labels.numpy().astype(int), loss.separation_reach) for labels in batch.labels
    ]
    weight = 1 + loss.separation * torch.from_numpy(np.stack(maps))
    return replace(batch, known=batch.known * weight)


def batches_on(device: torch.device, dataset: Dataset[Batch], numbers: range) -> Iterator[Batch]:
    """Yield the batches of some steps in the way that is fastest for a network on a device.

    A graphics card with room for all planes makes random crops itself; for others, worker
    processes prepare them ahead; a processor makes its own.
    """
    if isinstance(dataset, RandomCrops) and _has_room(device, dataset):
        return _made_on(device, dataset, numbers)
    return batches_from(dataset, numbers, n_workers(device))


def _has_room(device: torch.device, crops: RandomCrops) -> bool:
    """Tell whether a device is a card that can keep all planes and makes crops of this kind."""
    # The weights between nuclei are computed by SciPy.
    if device.type != "cuda" or crops.recipe.loss.separation:
        return False
    # Not of what is free now: a resumed run must draw the crops of the uninterrupted one.
    _, total = torch.cuda.mem_get_info(device)
    return Atlas.n_bytes(crops.samples) < total * MOST_OF_CARD


def _made_on(device: torch.device, crops: RandomCrops, numbers: range) -> Iterator[Batch]:
    """Yield the batches of some steps that a device makes of planes in its own memory."""
    recipe, atlas = crops.recipe, Atlas(crops.samples, device)
    for number in numbers:
        random = step_random(recipe.seed, number, device)
        yield atlas.random_batch(recipe.crop, recipe.batch, recipe.augmentation, random)


def batches_from(dataset: Dataset[Batch], numbers: range, workers: int = 0) -> Iterator[Batch]:
    """Yield the batches of some steps in their order.

    Parameters
    ----------
    dataset : Dataset
        Gives a step's batch by the step's number.
    numbers : range
        The steps.
    workers : int
        Processes that prepare batches ahead; 0 prepares each when it is asked for.
    """
    # A generator of its own: the loader draws a seed, and must leave the global one alone.
    yield from DataLoader(
        dataset,
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        generator=torch.Generator(),
    )
