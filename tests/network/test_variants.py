"""The networks of the U-Net's family: what each changes, and that each can be used as it can."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_unet.network import VARIANTS
from napari_unet.network.card import Card, card_from_json, card_to_json
from napari_unet.network.files import HEADER
from napari_unet.network.model import Model, load_model_file
from napari_unet.network.unet import UNet, UNetConfig
from napari_unet.network.variants import (
    NETWORKS,
    AttentionGate,
    AttentionUNet,
    DeepNestedUNet,
    DenseBlock,
    DenseUNet,
    NestedUNet,
    NoSkipUNet,
    build_network,
)

SMALL = UNetConfig(filters=(4, 6, 8), dropout=(0.0,) * 5)
PLAIN = replace(SMALL, batch_norm=False, stem=1)

each_variant = pytest.mark.parametrize("variant", VARIANTS)


def network(variant: str, config: UNetConfig = SMALL, seed: int = 0) -> UNet:
    torch.manual_seed(seed)
    return build_network(replace(config, variant=variant))


def model(variant: str) -> Model:
    """Return a model whose weights float16 can hold."""
    built = network(variant).half().float().eval()
    return Model(built, Card("small", built.config, 20.0))


def image(*size: int) -> torch.Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))


def test_every_variant_has_its_network():
    assert tuple(NETWORKS) == VARIANTS
    assert [type(network(variant)) for variant in VARIANTS] == list(NETWORKS.values())


def test_the_variants_have_these_many_parameters_at_equal_filters():
    with torch.device("meta"):
        built = {variant: build_network(UNetConfig(variant=variant)) for variant in VARIANTS}
    assert {name: sum(p.numel() for p in net.parameters()) for name, net in built.items()} == {
        "unet": 1_929_964,
        "attention": 1_994_703,
        "nested": 2_210_156,
        "nested-deep": 2_210_948,
        "dense": 1_514_348,
        "no-skips": 1_736_428,
    }


def test_the_weights_of_the_u_net_keep_their_names():
    names = network("unet").state_dict().keys()
    assert {
        "contracting.0.0.weight",
        "contracting.2.5.running_var",
        "expanding.0.up.bias",
        "expanding.1.convolutions.4.weight",
        "head.bias",
    } <= names
    assert {name.split(".")[0] for name in names} == {"contracting", "expanding", "head"}


@each_variant
@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_logits_are_as_large_as_the_image(variant, stem, batch_norm):
    config = replace(SMALL, stem=stem, batch_norm=batch_norm, maps=("nucleus",), in_channels=2)
    size = (config.multiple, 3 * config.multiple)
    with torch.device("meta"):
        built = network(variant, config)
        assert built(torch.rand(2, 2, *size)).shape == (2, 1, *size)


@each_variant
@pytest.mark.parametrize("filters", [(3,), (3, 5)])
def test_a_network_may_have_few_levels(variant, filters):
    config = replace(PLAIN, filters=filters, dropout=(0.0,) * (2 * len(filters) - 1))
    assert network(variant, config)(image(4, 6)).shape == (2, 3, 4, 6)


@each_variant
def test_every_weight_is_trained(variant):
    built = network(variant)
    built(image(16, 24)).square().sum().backward()
    untrained = [name for name, p in built.named_parameters() if p.grad is None or not p.grad.any()]
    assert untrained == []


@each_variant
def test_dropout_and_batch_normalisation_are_those_of_the_config(variant):
    config = replace(SMALL, dropout=(0.1, 0.2, 0.3, 0.4, 0.5))
    kinds = {type(layer) for layer in network(variant, PLAIN).modules()}
    assert nn.BatchNorm2d not in kinds
    modules = list(network(variant, config).modules())
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in modules)
    assert {layer.p for layer in modules if isinstance(layer, nn.Dropout)} == set(config.dropout)


@each_variant
def test_a_network_is_the_mean_of_its_heads(variant):
    built = network(variant).eval()
    heads = built.heads(image(8, 8))
    assert len(heads) == (2 if variant == "nested-deep" else 1)
    assert torch.equal(built(image(8, 8)), torch.stack(heads).mean(dim=0))


@each_variant
def test_a_saved_variant_comes_back_with_the_same_maps(variant, tmp_path):
    saved = model(variant)
    loaded = load_model_file(saved.save(tmp_path / "a.safetensors"), "cpu")
    pixels = np.random.default_rng(0).random((3, 70, 90), np.float32)
    # Where a weight lies in memory can change the order of a sum, and with it the last digit.
    np.testing.assert_allclose(loaded.predict(pixels), saved.predict(pixels), atol=1e-6)
    assert type(loaded.network) is NETWORKS[variant]
    assert loaded.card.config.variant == variant


@each_variant
def test_the_largest_network_that_a_file_can_claim_takes_no_memory(variant):
    largest = UNetConfig(filters=(4096,) * 8, dropout=(0.0,) * 15, stem=8, variant=variant)
    with torch.device("meta"):
        built = build_network(largest)
    assert all(weight.is_meta for weight in built.state_dict().values())
    assert len(list(built.modules())) < 1000


def test_weights_of_another_variant_are_refused(tmp_path):
    text = card_to_json(model("no-skips").card)
    save_file(model("dense").network.state_dict(), tmp_path / "a.safetensors", {HEADER: text})
    with pytest.raises(ValueError, match="its weights do not fit its network"):
        load_model_file(tmp_path / "a.safetensors", "cpu")


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match=r"^Expected one of unet, attention, .* got 'v-net'"):
        UNetConfig(variant="v-net")


@pytest.mark.parametrize("variant", ["v-net", 3, ["unet"], None])
def test_a_file_of_an_unknown_variant_is_refused_in_one_sentence(variant, tmp_path):
    card = json.loads(card_to_json(model("unet").card))
    card["config"]["variant"] = variant
    weights = model("unet").network.state_dict()
    save_file(weights, tmp_path / "a.safetensors", {HEADER: json.dumps(card)})
    with pytest.raises(ValueError, match=r"^Expected a model of napari-unet") as caught:
        load_model_file(tmp_path / "a.safetensors", "cpu")
    assert "variant" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_names_no_variant_holds_a_u_net():
    card = json.loads(card_to_json(model("unet").card))
    del card["config"]["variant"]
    assert card_from_json(json.dumps(card)).config == SMALL


def test_a_class_is_not_built_from_the_config_of_another():
    with pytest.raises(ValueError, match="the variant dense, got one of unet"):
        DenseUNet(SMALL)
    assert DenseUNet().config == UNetConfig(variant="dense")


def flat(built: UNet) -> UNet:
    """Let only skips reach the output: what comes up from below is always 0."""
    for layer in built.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    return built


@each_variant
def test_detail_passes_by_the_bottom_in_all_but_the_ablation(variant):
    built = flat(network(variant, PLAIN))
    first, second = built(image(8, 8)), built(1 - image(8, 8))
    assert torch.equal(first, second) == (variant == "no-skips")


def test_the_ablation_joins_nothing_on_its_way_up():
    built = NoSkipUNet(replace(SMALL, variant="no-skips"))
    assert [level.convolutions[0].in_channels for level in built.expanding] == [6, 4]


def gate(bias: float) -> AttentionGate:
    built = AttentionGate(4, 6)
    nn.init.zeros_(built.score.weight)
    nn.init.constant_(built.score.bias, bias)
    return built


def test_a_closed_gate_lets_nothing_through_and_an_open_one_all():
    skip, signal = torch.randn(1, 4, 6, 8), torch.randn(1, 6, 3, 4)
    assert not gate(-200.0)(skip, signal).any()
    assert torch.equal(gate(200.0)(skip, signal), skip)


def test_a_gate_adds_skip_and_signal():
    built = AttentionGate(1, 1)
    for parameter in built.parameters():
        nn.init.ones_(parameter)
    skip, signal = torch.full((1, 1, 4, 6), 0.25), torch.full((1, 1, 2, 3), -1.5)
    score = max(0.0, 4 * 0.25 - 1.5 + 1) + 1  # 2x2 pixels of the skip, the signal, its bias
    share = 1 / (1 + np.exp(-score))
    torch.testing.assert_close(built(skip, signal), torch.full_like(skip, 0.25 * share))


def test_the_level_below_decides_what_a_gate_lets_through():
    built = gate(0.0)
    nn.init.ones_(built.score.weight)
    nn.init.zeros_(built.of_skip.weight)
    signal = torch.zeros(1, 6, 2, 8)
    built.of_signal.weight.data.fill_(1.0)
    built.of_signal.bias.data.zero_()
    signal[..., 4:] = 50.0
    passed = built(torch.ones(1, 4, 4, 16), signal)[0, 0]
    assert (passed[:, :7] == 0.5).all()
    assert (passed[:, 9:] == 1.0).all()


def test_closed_gates_make_of_it_a_network_without_skips():
    built = AttentionUNet(replace(PLAIN, variant="attention"))
    finest = built.expanding[-1]
    finest.gate = gate(-200.0)
    nn.init.zeros_(finest.up.weight)
    assert torch.equal(built(image(8, 8)), built(1 - image(8, 8)))


def test_a_node_joins_all_earlier_nodes_of_its_row():
    built = NestedUNet(replace(PLAIN, variant="nested"))
    joined = [[node.convolutions[0].in_channels for node in nodes] for nodes in built.expanding]
    assert joined == [[2 * 4, 2 * 6], [3 * 4]]
    raised = [[node.up.in_channels for node in nodes] for nodes in built.expanding]
    assert raised == [[6, 8], [6]]


def test_a_node_takes_what_comes_up_from_the_node_before_of_the_row_below():
    built = NestedUNet(replace(PLAIN, variant="nested"))
    seen: dict[str, torch.Tensor] = {}
    lower, last = built.expanding[0][1], built.expanding[1][0]
    lower.register_forward_hook(lambda module, given, out: seen.update(lower=out))
    last.register_forward_hook(lambda module, given, out: seen.update(given=given[0]))
    built(image(8, 8))
    assert seen["given"] is seen["lower"]


@pytest.mark.parametrize(("n_levels", "n_heads"), [(1, 1), (2, 1), (3, 2), (5, 4)])
def test_every_depth_has_its_head(n_levels, n_heads):
    config = replace(PLAIN, filters=(3,) * n_levels, dropout=(0.0,) * (2 * n_levels - 1))
    assert len(network("nested-deep", config).heads(image(16, 16))) == n_heads


def test_a_shallow_head_sees_nothing_of_the_levels_below_it():
    built = DeepNestedUNet(replace(PLAIN, variant="nested-deep"))
    shallow, deep = built.heads(image(8, 8))
    nn.init.zeros_(built.contracting[2][0].weight)
    again = built.heads(image(8, 8))
    assert torch.equal(again[0], shallow)
    assert not torch.equal(again[1], deep)


def test_each_convolution_of_a_dense_block_sees_all_before_it():
    block = DenseBlock(n_in=6, n_out=8, dropout=0.0, batch_norm=False)
    assert [layer[0].in_channels for layer in block.layers] == [6, 8, 10, 12]
    assert [layer[0].out_channels for layer in block.layers] == [2, 2, 2, 2]
    assert (block.joined[0].in_channels, block.joined[0].kernel_size) == (14, (1, 1))


def test_the_input_of_a_dense_block_reaches_its_end_unchanged():
    block = DenseBlock(n_in=2, n_out=2, dropout=0.0, batch_norm=False)
    nn.init.zeros_(block.joined[0].weight)
    block.joined[0].weight.data[[0, 1], [0, 1]] = 1.0
    x = torch.rand(1, 2, 5, 5)
    assert torch.equal(block(x), x)
