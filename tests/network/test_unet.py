"""The U-Net of the source, and ours of the same family."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_unet.network.unet import UNet, UNetConfig

CLASSIC_DROPOUT = [0.1, 0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.1, 0.1]
SMALL = UNetConfig(filters=(2, 4, 8), dropout=(0.0,) * 5)


@pytest.fixture(scope="module")
def classic() -> UNet:
    return UNet(UNetConfig.classic())


def layers(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_classic_network_has_the_parameters_of_the_source(classic):
    assert n_parameters(classic) == 1_941_105


def test_the_classic_network_maps_128_pixels_of_three_colours_to_one_map(classic):
    with torch.inference_mode():
        assert classic.eval()(torch.rand(2, 3, 128, 128)).shape == (2, 1, 128, 128)


def test_the_classic_network_has_the_layers_of_the_source(classic):
    convolutions = [layer for layer in layers(classic, nn.Conv2d) if layer.kernel_size == (3, 3)]
    n_in = [3, 16, 16, 32, 32, 64, 64, 128, 128, 256, 256, 128, 128, 64, 64, 32, 32, 16]
    n_out = [n for n in (16, 32, 64, 128, 256, 128, 64, 32, 16) for _ in range(2)]
    assert [layer.in_channels for layer in convolutions] == n_in
    assert [layer.out_channels for layer in convolutions] == n_out
    raised = layers(classic, nn.ConvTranspose2d)
    assert [layer.out_channels for layer in raised] == [128, 64, 32, 16]
    assert {(layer.kernel_size, layer.stride) for layer in raised} == {((2, 2), (2, 2))}
    assert (classic.pool.kernel_size, classic.pool.stride) == (2, 2)
    assert (classic.head.kernel_size, classic.head.out_channels) == ((1, 1), 1)
    assert layers(classic, nn.BatchNorm2d) == []


def test_the_classic_network_drops_out_as_the_source(classic):
    assert [layer.p for layer in layers(classic, nn.Dropout)] == CLASSIC_DROPOUT


def test_dropout_lies_between_the_two_convolutions_of_a_level(classic):
    kinds = [type(layer) for layer in classic.contracting[0]]
    assert kinds == [nn.Conv2d, nn.ReLU, nn.Dropout, nn.Conv2d, nn.ReLU]


def test_convolutions_start_he_normal():
    torch.manual_seed(0)
    layer = UNet(UNetConfig.classic()).contracting[4][3]
    deviation = (2 / (256 * 9)) ** 0.5
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.01)
    assert layer.weight.mean().item() == pytest.approx(0, abs=0.01 * deviation)
    # A uniform distribution of this deviation ends at 1.73 of it.
    assert layer.weight.abs().max() > 4 * deviation
    assert not layer.bias.any()


def test_batch_normalisation_follows_every_3x3_convolution_and_takes_over_its_bias():
    network = UNet(SMALL)
    kinds = [type(layer) for layer in network.contracting[0]]
    one = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert kinds == [*one, nn.Dropout, *one]
    assert network.contracting[0][0].bias is None


@pytest.mark.parametrize(
    ("config", "multiple"), [(UNetConfig(), 16), (UNetConfig.classic(), 16), (SMALL, 8)]
)
@pytest.mark.parametrize("factors", [(1, 1), (1, 5), (3, 2)])
def test_the_output_is_as_large_as_the_input(config, multiple, factors):
    assert config.multiple == multiple
    size = [factor * multiple for factor in factors]
    with torch.device("meta"):
        network = UNet(config)
        assert network(torch.rand(2, 3, *size)).shape == (2, len(config.maps), *size)


def test_the_stem_folds_blocks_of_pixels_into_channels():
    config = UNetConfig(filters=(4,), dropout=(0.0,), stem=3, batch_norm=False)
    network = UNet(config)
    assert network.contracting[0][0].in_channels == 27
    assert network.head.out_channels == 27
    assert network(torch.rand(1, 3, 6, 9)).shape == (1, 3, 6, 9)


def test_skips_carry_detail_past_the_bottom():
    network = UNet(UNetConfig(filters=(2, 4), dropout=(0.0,) * 3, batch_norm=False, stem=1))
    nn.init.zeros_(network.expanding[0].up.weight)
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    network(image).sum().backward()
    assert image.grad.abs().sum() > 0


def test_outputs_are_logits():
    network = UNet(SMALL)
    nn.init.constant_(network.head.bias, -7.0)
    nn.init.zeros_(network.head.weight)
    assert torch.equal(network(torch.rand(2, 3, 8, 8)), torch.full((2, 3, 8, 8), -7.0))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"in_channels": 0}, "from 1 to 4096"),
        ({"maps": ()}, "from 1 to 4096"),
        ({"filters": (8, 2**20, 8, 8)}, "from 1 to 4096"),
        ({"filters": (8, 1.5, 8, 8)}, "whole numbers"),
        ({"filters": (8, True, 8, 8)}, "whole numbers"),
        ({"filters": (1,) * 9, "dropout": (0.0,) * 17}, "levels and stem"),
        ({"stem": 9}, "levels and stem"),
        ({"dropout": (0.0,) * 8}, "Expected 7 dropout probabilities for 4 levels, got 8"),
        ({"dropout": (float("nan"), *(0.0,) * 6)}, "from 0 to 1"),
        ({"dropout": (1.1, *(0.0,) * 6)}, "from 0 to 1"),
    ],
)
def test_a_network_that_cannot_be_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        UNetConfig(**change)
