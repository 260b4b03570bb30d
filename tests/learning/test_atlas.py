"""Crops that a graphics card makes itself are those that the processor makes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unet.images.intensity import Normalisation
from napari_unet.learning.atlas import Atlas
from napari_unet.learning.augment import Augmentation, Sample, prepare_sample, random_batch

CPU = torch.device("cpu")


def plane(shape: tuple[int, int], colours: int = 1, seed: int = 0) -> Sample:
    """Return noise with two labels, of which a part is not known."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    labels[3:20, 4:15], labels[3:20, 15:30] = 1, 2
    pixels = random.random((*shape, 3) if colours == 3 else shape)
    return prepare_sample(pixels, labels, Normalisation(), known=random.random(shape) > 0.2)


SAMPLES = [plane((40, 52)), plane((64, 33), colours=3, seed=1), plane((30, 90), seed=2)]


@pytest.mark.parametrize("settings", [Augmentation(), Augmentation.none()], ids=["varied", "plain"])
def test_an_atlas_makes_the_same_crops_as_the_samples_themselves(settings):
    expected = random_batch(SAMPLES, 32, 24, settings, torch.Generator().manual_seed(3))
    made = Atlas(SAMPLES, CPU).random_batch(32, 24, settings, torch.Generator().manual_seed(3))
    assert expected.labels.unique().tolist() == [0, 1, 2]
    for name in ("image", "labels", "distance", "known"):
        # A place right between two pixels may be rounded to either of them.
        differs = ((getattr(made, name) - getattr(expected, name)).abs() > 2e-3).float().mean()
        assert differs < 2e-4, name
