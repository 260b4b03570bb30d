"""A network over tiles against the same network over the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_unet.network.card import Card
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet, UNetConfig
from napari_unet.segmentation import QUALITIES, SegmentSettings, finish, predict_maps

CONFIG = UNetConfig(filters=(4, 8, 16), dropout=(0.0,) * 5)
RIM = 8


@pytest.fixture(scope="module")
def model() -> Model:
    """A network of random weights, its logits spread so that the sigmoid shows differences."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = UNet(CONFIG).eval()
        network.head.weight *= 8
    return Model(network, Card("random", CONFIG, 22.0))


def maps(model: Model, **settings: Any) -> NDArray[np.int64]:
    image = np.random.default_rng(0).random((90, 331)).repeat(2, axis=0)
    chosen = SegmentSettings(diameter=22.0, **settings)
    found = finish(predict_maps(image, "YX", model.predict, chosen))
    return found[:, RIM:-RIM, RIM:-RIM].astype(int)


@pytest.mark.parametrize("quality", QUALITIES)
def test_tiles_on_the_networks_grid_give_the_maps_of_the_whole_image(
    model: Model, quality: str
) -> None:
    grid = CONFIG.multiple
    whole = maps(model, tile=1024, grid=grid, quality=quality)
    tiled = maps(model, tile=160, overlap=120, grid=grid, quality=quality)
    assert np.abs(tiled - whole).max() <= 0.01 * 255
    assert np.ptp(whole) > 100


def test_tiles_off_the_grid_do_not(model: Model) -> None:
    whole = maps(model, tile=1024)
    assert np.abs(maps(model, tile=160, overlap=120, grid=1) - whole).max() > 0.05 * 255
