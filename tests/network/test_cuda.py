"""What is done on a graphics card; these tests are for computers that have one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

import napari_unet as nu
from napari_unet.images.synthetic import nuclei_field
from napari_unet.learning.augment import Batch
from napari_unet.learning.fit import batch_loss
from napari_unet.learning.losses import LossWeights
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.recorded import RecordedLoss
from napari_unet.learning.runs import TrainingRun, prepare_run
from napari_unet.learning.train import train
from napari_unet.network.config import UNetConfig
from napari_unet.network.device import choose_device, describe_device, place
from napari_unet.network.variants import build_network
from napari_unet.nuclei.metrics import evaluate

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
TINY = UNetConfig(filters=(4, 8), dropout=(0.0,) * 3)


def folder(path: Path) -> Path:
    """Return a folder with four small pictures of nuclei and their labels."""
    for seed in range(4):
        image, labels = nuclei_field((96, 96), n=8, seed=seed)
        for name, array in (("images", image), ("labels", labels.astype(np.uint16))):
            (path / name).mkdir(exist_ok=True)
            tifffile.imwrite(path / name / f"{seed}.tif", array)
    return path


def run_on_card(path: Path, output: str = "new.safetensors") -> TrainingRun:
    recipe = Recipe(
        crop=64, batch=4, steps=60, validations=2, seed=3, warm_up=5, learning_rate=5e-3
    )
    return prepare_run(folder(path), path / output, recipe=recipe, config=TINY, device="cuda")


def test_the_card_is_what_is_chosen():
    assert choose_device().type == "cuda"
    assert describe_device(choose_device()).endswith("float16")


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_labels_are_those_of_the_processor(precision):
    image, _ = nuclei_field((300, 420), n=90, seed=1)
    expected = nu.segment(image, device="cpu", precision="float32", diameter=18)
    found = nu.segment(image, device="cuda", precision=precision, diameter=18)
    assert expected.max() > 60
    assert evaluate(found, expected).ap50 >= 0.99


@pytest.mark.filterwarnings("ignore:There was not enough memory:RuntimeWarning")
def test_a_card_with_too_little_memory_gives_the_same_labels():
    image, _ = nuclei_field((1500, 1500), n=900, seed=2)
    expected = nu.segment(image, device="cpu", diameter=18, tile=1536)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**26) / total)
    try:
        found = nu.segment(image, device="cuda", diameter=18, tile=1536)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert evaluate(found, expected).ap50 >= 0.98


def test_training_on_a_card_is_reproducible_and_resumes(tmp_path):
    losses = [step.loss for step in train(run_on_card(tmp_path))]
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:10])
    again = run_on_card(tmp_path, "again.safetensors")
    for step in train(again):
        if step.score is not None:
            break
    rest = [step.loss for step in train(again, resume=True)]
    assert len(rest) == 30
    np.testing.assert_allclose(rest, losses[30:], rtol=0.05)


def test_a_recorded_loss_is_the_launched_one():
    """Loss, gradients and the statistics of the batch norms, at every step."""
    networks = [place(build_network(TINY), torch.device("cuda")).train() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    recorded = RecordedLoss()
    for seed in range(3):
        random = torch.Generator("cuda").manual_seed(seed)
        labels = torch.randint(0, 3, (4, 64, 64), generator=random, device="cuda").float()
        image = torch.rand(4, 3, 64, 64, generator=random, device="cuda")
        batch = Batch(image, labels, labels / 3, torch.ones_like(labels))
        losses = []
        for network, loss in zip(networks, (batch_loss, recorded), strict=True):
            network.zero_grad()
            losses.append(loss(network, batch, LossWeights()))
            losses[-1].backward()
        torch.testing.assert_close(losses[0], losses[1], rtol=1e-3, atol=1e-4)
        for one, other in zip(*(it.parameters() for it in networks), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=0.05, atol=0.02)
        for one, other in zip(*(it.buffers() for it in networks), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_fine_tune_runs_on_a_card():
    image, labels = nuclei_field((128, 128), n=20, seed=5)
    result = nu.fine_tune("nuclei", image, labels, device="cuda", seconds=8, diameter=18)
    assert result.model.device.type == "cuda"
    assert np.isfinite(result.model.predict(np.zeros((3, 64, 64), np.float32))).all()
