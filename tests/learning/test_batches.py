"""The batches of a run."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
import torch

from napari_unet.images.intensity import Normalisation
from napari_unet.learning.atlas import Atlas
from napari_unet.learning.augment import Sample, prepare_sample
from napari_unet.learning.batches import (
    RandomCrops,
    _has_room,
    _made_on,
    batches_from,
    n_workers,
)
from napari_unet.learning.losses import LossWeights
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.targets import separation_map

RECIPE = Recipe(crop=16, batch=2, steps=5)


def samples() -> list[Sample]:
    labels = np.zeros((24, 24), np.int32)
    labels[4:12, 4:12], labels[14:20, 6:16] = 1, 2
    return [prepare_sample(labels * 50, labels, Normalisation())]


def images(crops: RandomCrops, steps: range, workers: int = 0) -> list[torch.Tensor]:
    return [
        torch.cat([part.flatten() for part in astuple(batch)])
        for batch in batches_from(crops, steps, workers)
    ]


def test_there_is_one_batch_for_each_step():
    found = list(batches_from(RandomCrops(samples(), RECIPE), range(2, 5)))
    assert [batch.image.shape for batch in found] == [(2, 3, 16, 16)] * 3


def test_a_resumed_run_gets_the_batches_of_the_uninterrupted_one():
    crops = RandomCrops(samples(), RECIPE)
    whole, rest = images(crops, range(5)), images(crops, range(3, 5))
    assert torch.equal(torch.stack(whole[3:]), torch.stack(rest))
    assert not torch.equal(whole[3], whole[4])


def test_another_seed_draws_other_crops():
    one, other = (RandomCrops(samples(), replace(RECIPE, seed=seed)) for seed in (1, 2))
    assert not torch.equal(images(one, range(1))[0], images(other, range(1))[0])


def test_worker_processes_prepare_the_same_batches_in_the_same_order():
    crops = RandomCrops(samples(), RECIPE)
    alone, together = images(crops, range(5)), images(crops, range(5), workers=1)
    assert torch.equal(torch.stack(alone), torch.stack(together))


@pytest.mark.parametrize(
    ("device", "cores", "expected"),
    [("cpu", 16, 0), ("cuda", 4, 3), ("cuda", 64, 8), ("cuda", 1, 1)],
)
def test_a_processor_prepares_its_own_crops_and_a_graphics_card_is_served(
    device, cores, expected, monkeypatch
):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert n_workers(torch.device(device)) == expected


def test_pixels_between_nuclei_weigh_more_if_asked_for():
    plain = RandomCrops(samples(), RECIPE)[0]
    recipe = replace(RECIPE, loss=LossWeights(separation=10.0))
    weighted = RandomCrops(samples(), recipe)[0]
    assert torch.equal(plain.labels, weighted.labels)
    expected = [1 + 10 * separation_map(labels.numpy().astype(int), 5.0) for labels in plain.labels]
    np.testing.assert_allclose(weighted.known, np.stack(expected), rtol=1e-5)
    assert weighted.known.max() > 1.5


def card_with(n_bytes: int, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Return a graphics card with this much memory, none of it free."""
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (0, n_bytes))
    return torch.device("cuda")


def test_a_card_makes_its_own_crops_if_it_has_room_for_the_planes(monkeypatch):
    crops = RandomCrops(samples(), RECIPE)
    n_bytes = Atlas.n_bytes(crops.samples)
    assert _has_room(card_with(5 * n_bytes, monkeypatch), crops)
    assert not _has_room(card_with(3 * n_bytes, monkeypatch), crops)
    assert not _has_room(torch.device("cpu"), crops)


def test_weights_between_nuclei_are_not_made_by_a_card(monkeypatch):
    recipe = replace(RECIPE, loss=LossWeights(separation=10.0))
    assert not _has_room(card_with(2**40, monkeypatch), RandomCrops(samples(), recipe))


def test_crops_made_on_a_device_are_those_of_their_steps():
    crops = RandomCrops(samples(), RECIPE)
    whole, rest = (
        [batch.image for batch in _made_on(torch.device("cpu"), crops, range(first, 5))]
        for first in (0, 3)
    )
    assert torch.equal(torch.stack(whole[3:]), torch.stack(rest))
    torch.testing.assert_close(whole[0], crops[0].image)
