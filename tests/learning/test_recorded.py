"""A recorded loss, with a recorder that takes its trial steps on the processor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from napari_unet.learning.augment import Batch
from napari_unet.learning.fit import batch_loss
from napari_unet.learning.losses import LossWeights
from napari_unet.learning.recorded import RecordedLoss, loss_on
from napari_unet.network.config import UNetConfig
from napari_unet.network.unet import UNet

TINY = UNetConfig(filters=(2, 4), dropout=(0.0,) * 3)


def batch(n: int = 2, seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n, 16, 16), generator=random).float()
    image = torch.rand(n, 3, 16, 16, generator=random)
    return Batch(image, labels, labels / 3, torch.ones_like(labels))


@pytest.fixture
def replayed(monkeypatch):
    """Let a recorder stand in for torch's; return how many images each replay was given."""
    numbers: list[int] = []

    def record(loss: nn.Module, parts: tuple[Tensor, ...]) -> Callable[..., Tensor]:
        for _ in range(3):
            loss(*parts)

        def replay(*parts: Tensor) -> Tensor:
            numbers.append(len(parts[0]))
            found: Tensor = loss(*parts)
            return found

        return replay

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    return numbers


def test_a_processor_records_nothing():
    assert loss_on(torch.device("cpu")) is batch_loss
    assert isinstance(loss_on(torch.device("cuda")), RecordedLoss)


def test_trial_steps_leave_the_statistics_alone(replayed):
    torch.manual_seed(0)
    network, other = UNet(TINY).train(), UNet(TINY).train()
    other.load_state_dict(network.state_dict())
    loss = RecordedLoss()
    for seed in range(2):
        seen = loss(network, batch(seed=seed), LossWeights())
        expected = batch_loss(other, batch(seed=seed), LossWeights())
        torch.testing.assert_close(seen, expected)
    for one, another in zip(network.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(one, another)
    assert replayed == [2, 2]


def test_another_network_is_not_the_recorded_one(replayed):
    loss, networks = RecordedLoss(), (UNet(TINY).train(), UNet(TINY).train())
    for network in networks:
        seen = loss(network, batch(), LossWeights())
        torch.testing.assert_close(seen, batch_loss(network, batch(), LossWeights()))
    assert replayed == [2]


def test_a_batch_of_another_shape_is_not_replayed(replayed):
    network, loss = UNet(TINY).train(), RecordedLoss()
    for n in (2, 1, 2):
        assert torch.isfinite(loss(network, batch(n), LossWeights()))
    assert replayed == [2, 2]
