"""Which device, at which precision."""

from __future__ import annotations

import pytest
import torch

from napari_unet.network import device
from napari_unet.network.device import (
    autocast,
    choose_device,
    describe_device,
    list_devices,
    place,
    precision,
)

CPU = torch.device("cpu")


@pytest.fixture
def no_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_cards")
def test_without_a_graphics_card_it_is_the_cpu():
    assert list_devices() == ["cpu"]
    assert choose_device() == choose_device("cpu") == CPU


@pytest.mark.usefixtures("two_cards")
def test_a_graphics_card_comes_first_and_each_can_be_chosen():
    assert list_devices() == ["cuda", "cpu"]
    assert choose_device() == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.usefixtures("two_cards")
def test_a_card_too_many_is_refused():
    with pytest.raises(ValueError, match="auto, cuda, cpu, cuda:1 as the device, got 'cuda:2'"):
        choose_device("cuda:2")


@pytest.mark.usefixtures("no_cards")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "cpu:x", "gpu", "", "CPU"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ValueError, match=f"one of auto, cpu as the device, got '{name}'; choose"):
        choose_device(name)


@pytest.mark.parametrize(("is_right", "expected"), [(True, ["mps", "cpu"]), (False, ["cpu"])])
@pytest.mark.usefixtures("no_cards")
def test_apples_device_is_listed_only_if_it_computes_right(monkeypatch, is_right, expected):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(device, "_computes_right", lambda name: is_right)
    assert list_devices() == expected


@pytest.fixture
def computes_right():
    device._computes_right.cache_clear()
    yield device._computes_right
    device._computes_right.cache_clear()


def test_a_device_that_agrees_with_the_cpu_computes_right(computes_right):
    assert computes_right("cpu")


def test_a_device_that_fails_does_not_compute_right(computes_right):
    assert not computes_right("meta")


@pytest.mark.parametrize("error", [0.02, float("nan")])
def test_a_device_with_other_results_does_not_compute_right(monkeypatch, computes_right, error):
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: tensor + error)
    assert not computes_right("cpu")


def test_the_check_of_a_device_leaves_the_random_numbers_alone(computes_right):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    computes_right("cpu")
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(
    ("has_bf16", "expected", "text"),
    [(True, torch.bfloat16, "CPU bf16"), (False, torch.float32, "CPU float32")],
)
def test_the_cpu_uses_bfloat16_where_it_has_instructions_for_it(
    monkeypatch, has_bf16, expected, text
):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert precision(CPU) == expected
    assert describe_device(CPU) == text
    layer, pixels = torch.nn.Conv2d(1, 1, 1), torch.ones(1, 1, 2, 2)
    with autocast(CPU):
        assert layer(pixels).dtype == expected


@pytest.mark.parametrize(
    ("chosen", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
@pytest.mark.parametrize("has_bf16", [True, False])
def test_a_precision_that_was_chosen_is_taken(monkeypatch, has_bf16, chosen, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    layer, pixels = torch.nn.Conv2d(1, 1, 1), torch.ones(1, 1, 2, 2)
    with autocast(CPU, chosen):
        assert layer(pixels).dtype == expected


@pytest.mark.parametrize("chosen", ["float16", "half", "", "int8"])
def test_a_precision_that_the_device_does_not_have_is_refused(chosen):
    with pytest.raises(
        ValueError,
        match=f"one of auto, float32, bfloat16 as the precision on cpu, got '{chosen}'; choose",
    ):
        precision(CPU, chosen)


def test_graphics_cards_compute_in_float16_too():
    assert precision(torch.device("cuda"), "float16") == torch.float16
    assert precision(torch.device("cuda"), "float32") == torch.float32


def test_training_is_not_done_in_float16(monkeypatch):
    monkeypatch.setattr(device, "precision", lambda device, chosen: torch.float16)
    layer, pixels = torch.nn.Conv2d(1, 1, 1), torch.ones(1, 1, 2, 2)
    with autocast(CPU, training=True):
        assert layer(pixels).dtype == torch.float32


def test_a_network_is_placed_with_its_channels_last():
    layer = place(torch.nn.Conv2d(4, 8, 3), CPU)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
