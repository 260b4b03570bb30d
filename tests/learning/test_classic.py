"""The classic recipe."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_unet.learning.batches import batches_from
from napari_unet.learning.classic import ClassicRecipe, WholeImages, validation_loss, whole_images
from napari_unet.learning.fit import Trainer, fit
from napari_unet.network.unet import UNet, UNetConfig


def plane(value: int, shape: tuple[int, ...] = (64, 32)) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of one value whose left half is one nucleus."""
    labels = np.zeros(shape[:2], np.int32)
    labels[:, : shape[1] // 2] = 70000
    return np.full(shape, value, np.uint8), labels


def images(n: int, recipe: ClassicRecipe | None = None) -> WholeImages:
    return whole_images((plane(number) for number in range(n)), recipe or ClassicRecipe(side=16))


def test_images_become_squares_over_255_whatever_their_shape_and_colours():
    found = whole_images([plane(51), plane(255, (20, 40, 3))], ClassicRecipe())
    assert found.pixels.shape == (2, 3, 128, 128)
    assert found.pixels.dtype == np.float32
    np.testing.assert_allclose(found.pixels[0], 51 / 255, rtol=1e-6)
    np.testing.assert_allclose(found.pixels[1], 1)


def test_labels_are_resized_as_labels():
    found = images(1)
    assert found.labels.dtype == np.int32
    assert (found.labels[0, :, :8] == 70000).all()
    assert not found.labels[0, :, 8:].any()


def test_every_epoch_holds_each_image_once_in_another_order():
    recipe = ClassicRecipe(side=16, batch=2, epochs=2)
    found = images(5, recipe)
    assert len(found) == 6
    drawn = [batch.image[:, 0, 0, 0] * 255 for batch in batches_from(found, range(6))]
    assert [len(batch) for batch in drawn] == [2, 2, 1, 2, 2, 1]
    first, second = (torch.cat(epoch).round().tolist() for epoch in (drawn[:3], drawn[3:]))
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4]
    assert first != second


def test_the_recipe_is_adam_at_one_rate_with_cross_entropy_of_one_mask():
    recipe = ClassicRecipe().as_recipe(n_images=100)
    assert (recipe.steps, recipe.batch, recipe.validations, recipe.patience) == (175, 16, 25, 2)
    trainer = Trainer(UNet(UNetConfig.classic()), recipe)
    trainer.number = 100
    assert trainer.learning_rate() == 1e-3
    assert trainer.optimiser.param_groups[0]["weight_decay"] == 0
    assert (recipe.loss.nucleus, recipe.loss.dice, recipe.loss.contact) == (1, 0, 0)
    assert recipe.averaging == 0


def test_the_validated_network_is_that_of_the_last_step():
    recipe = ClassicRecipe(side=16, batch=2, epochs=1)
    data = images(4, recipe)
    config = UNetConfig(maps=("nucleus",), filters=(2, 4), dropout=(0.0,) * 3, batch_norm=False)
    trainer = Trainer(UNet(config), recipe.as_recipe(4))
    list(fit(trainer, batches_from(data, range(2)), lambda network: 0.0))
    for name, weight in trainer.network.state_dict().items():
        torch.testing.assert_close(trainer.averaged.state_dict()[name], weight)


def test_the_validation_loss_is_the_mean_cross_entropy_over_all_pixels():
    config = UNetConfig(maps=("nucleus",), filters=(2, 4), dropout=(0.0,) * 3, batch_norm=False)
    network = UNet(config).eval()
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    assert validation_loss(network, images(3)) == pytest.approx(math.log(2), abs=1e-3)
