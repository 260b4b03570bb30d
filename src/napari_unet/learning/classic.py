"""The classic recipe: whole images of 128x128 pixels, a plain U-Net, cross-entropy alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.transform import resize
from torch.utils.data import Dataset

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input, resized_labels
from napari_unet.learning.augment import Augmentation, Batch
from napari_unet.learning.batches import step_random
from napari_unet.learning.losses import LossWeights, cross_entropy
from napari_unet.learning.recipe import Recipe
from napari_unet.network.device import autocast
from napari_unet.network.unet import UNet
from napari_unet.nuclei.instances import InstanceSettings

UNCLIPPED = 1e6  # no gradient is that large


@dataclass(frozen=True)
class ClassicRecipe:
    """How U-Nets for the nuclei of the 2018 Data Science Bowl are trained in many a tutorial.

    The network of `UNetConfig.classic` learns one binary mask per image by cross-entropy;
    the mask's connected components are the nuclei. Kept as it is, to compare with.

    Parameters
    ----------
    side : int
        Height and width, in pixels, that every image is resized to.
    batch : int
        Images per step.
    epochs : int
        Most times that each image is seen.
    learning_rate : float
        Of Adam (Kingma, Ba, ICLR 2015).
    patience : int
        The run ends after so many epochs without a lower validation loss.
    threshold : float
        Probability above which a pixel belongs to a nucleus.
    seed : int
        Of everything random.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    side: int = 128
    batch: int = 16
    epochs: int = 25
    learning_rate: float = 1e-3
    patience: int = 2
    threshold: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every number, as the training loop's own are checked."""
        Recipe(batch=self.batch, validations=self.epochs, seed=self.seed)
        self.as_recipe(n_images=1)

    @property
    def normalisation(self) -> Normalisation:
        """Intensities over the largest of their type, which for 8 bits is 255."""
        return Normalisation(per="type", ceiling=1.0)

    @property
    def instances(self) -> InstanceSettings:
        """Connected components of the thresholded map."""
        return InstanceSettings(threshold=self.threshold, seeds="none")

    def steps_per_epoch(self, n_images: int) -> int:
        """Return how many batches hold all images."""
        return -(-n_images // self.batch)

    def as_recipe(self, n_images: int) -> Recipe:
        """Return the same in the terms of the training loop.

        Parameters
        ----------
        n_images : int
            Images trained with.
        """
        return Recipe(
            crop=self.side,
            batch=self.batch,
            steps=self.epochs * self.steps_per_epoch(n_images),
            learning_rate=self.learning_rate,
            weight_decay=0.0,
            cosine=False,
            warm_up=0,
            averaging=0.0,
            clip=UNCLIPPED,
            validations=self.epochs,
            patience=self.patience,
            seed=self.seed,
            loss=LossWeights(border=0.0, distance=0.0, dice=0.0, contact=0.0),
            augmentation=Augmentation.none(),
        )


class WholeImages(Dataset[Batch]):
    """Whole images as one batch for every step, in another order every epoch.

    Parameters
    ----------
    pixels : (n, 3, y, x) float32
        Intensities in 0..1.
    labels : (n, y, x) int32
        One label per nucleus, 0 is background.
    recipe : ClassicRecipe
        Images per batch and the seed.
    """

    def __init__(
        self, pixels: NDArray[np.float32], labels: NDArray[np.int32], recipe: ClassicRecipe
    ) -> None:
        self.pixels = pixels
        self.labels = labels
        self.recipe = recipe

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.recipe.epochs * self.recipe.steps_per_epoch(len(self.pixels))

    def __getitem__(self, number: int) -> Batch:
        """Return the batch of a step; the same one whenever it is asked for."""
        epoch, place = divmod(number, self.recipe.steps_per_epoch(len(self.pixels)))
        random = step_random(self.recipe.seed, epoch)
        order = torch.randperm(len(self.pixels), generator=random)
        chosen = order[place * self.recipe.batch :][: self.recipe.batch].numpy()
        labels = torch.from_numpy(self.labels[chosen]).float()
        everywhere = torch.ones_like(labels)
        pixels = torch.from_numpy(self.pixels[chosen])
        return Batch(pixels, labels, distance=everywhere, known=everywhere)


def whole_images(
    planes: Iterable[tuple[NDArray[np.generic], NDArray[np.int32]]], recipe: ClassicRecipe
) -> WholeImages:
    """Return planes, (y, x) or (y, x, s), and their labels, (y, x), resized and ready to batch."""
    size = (recipe.side, recipe.side)
    pixels, labels = [], []
    for plane, truth in planes:
        pixels.append(resize(network_input(plane, recipe.normalisation), (3, *size), order=1))
        labels.append(resized_labels(truth, size))
    return WholeImages(np.asarray(pixels, np.float32), np.asarray(labels, np.int32), recipe)


def validation_loss(network: UNet, images: WholeImages) -> float:
    """Return the mean cross-entropy of a network over all pixels of some images."""
    device = next(network.parameters()).device
    total = 0.0
    with torch.inference_mode(), autocast(device):
        for pixels, labels in zip(images.pixels, images.labels, strict=True):
            logits = network(torch.from_numpy(pixels)[None].to(device)).float().cpu()[0]
            mask = torch.from_numpy(labels > 0).float()[None]
            total += float(cross_entropy(logits, mask, torch.ones_like(mask)))
    return total / len(images.pixels)
