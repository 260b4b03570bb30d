"""The copy of a network that predicts gives its maps, and is made anew when it has changed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_unet.network import VARIANTS
from napari_unet.network.config import UNetConfig
from napari_unet.network.folding import Folding, folded
from napari_unet.network.unet import UNet
from napari_unet.network.variants import build_network

IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def trained(variant: str = VARIANTS[0], *, batch_norm: bool = True) -> UNet:
    """A network whose batch norm has seen something."""
    torch.manual_seed(1)
    config = UNetConfig(filters=(4, 8), dropout=(0.1,) * 3, batch_norm=batch_norm, variant=variant)
    network = build_network(config)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias, -1, 1)
            nn.init.uniform_(layer.running_mean, -1, 1)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return network.eval()


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_folded_network_gives_the_same_maps(variant, batch_norm):
    network = trained(variant, batch_norm=batch_norm)
    copy = folded(network, torch.float32)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in copy.modules())
    with torch.inference_mode():
        torch.testing.assert_close(copy(IMAGE), network(IMAGE), atol=1e-4, rtol=1e-4)


def test_the_network_itself_stays_as_it_is():
    network = trained()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    network.train()
    assert not folded(network, torch.bfloat16).training
    assert network.training
    after = network.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_the_copy_is_kept_until_a_weight_changes():
    network, folding = trained(), Folding()
    first = folding.of(network, torch.float32)
    assert folding.of(network, torch.float32) is first
    assert folding.of(network, torch.bfloat16).head.weight.dtype == torch.bfloat16
    first = folding.of(network, torch.float32)
    with torch.no_grad():
        network.head.bias += 1
    second = folding.of(network, torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(second(IMAGE), first(IMAGE) + 1)


def step(network: UNet) -> None:
    """A step of training."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    network(IMAGE).sum().backward()
    optimiser.step()


def see(network: UNet) -> None:
    """Batch norm alone: its statistics are no parameters."""
    with torch.no_grad():
        network.train()(IMAGE)
    network.eval()


def load(network: UNet) -> None:
    network.load_state_dict({name: it + 1 for name, it in network.state_dict().items()})


@pytest.mark.parametrize("change", [step, see, load])
def test_whatever_changes_a_weight_is_seen(change):
    network, folding = trained(), Folding()
    folding.of(network, torch.float32)
    change(network)
    with torch.inference_mode():
        expected = network(IMAGE)
        found = folding.of(network, torch.float32)(IMAGE)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
