"""A run that goes on as if it had not stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_unet.images.intensity import Normalisation
from napari_unet.learning import checkpoint as checkpoint_module
from napari_unet.learning.augment import Augmentation, Sample, prepare_sample
from napari_unet.learning.batches import RandomCrops, batches_from
from napari_unet.learning.checkpoint import restore_checkpoint, save_checkpoint
from napari_unet.learning.fit import Step, Trainer, fit
from napari_unet.learning.recipe import Recipe
from napari_unet.network.unet import UNet, UNetConfig

CONFIG = UNetConfig(filters=(4, 8), dropout=(0.0, 0.3, 0.0))
RECIPE = Recipe(crop=16, batch=2, steps=6, warm_up=2, validations=3)


def samples() -> list[Sample]:
    labels = np.zeros((24, 24), np.int32)
    labels[4:12, 4:12], labels[14:20, 6:16] = 1, 2
    return [prepare_sample(labels * 50, labels, Normalisation())]


def trainer(recipe: Recipe = RECIPE, config: UNetConfig = CONFIG, seed: int = 0) -> Trainer:
    torch.manual_seed(seed)
    return Trainer(UNet(config), recipe)


def fitted(
    run: Trainer, samples: list[Sample], validate: Callable[[UNet], float]
) -> Iterator[Step]:
    """Train on random crops from where the run stands."""
    steps = range(run.number, run.recipe.steps)
    return fit(run, batches_from(RandomCrops(samples, run.recipe), steps), validate)


def advance(run: Trainer, until: int = RECIPE.steps) -> Trainer:
    for step in fitted(run, samples(), lambda network: run.number / 10):
        if step.number == until:
            break
    return run


def state(run: Trainer) -> dict[str, torch.Tensor]:
    found = {f"network {key}": value for key, value in run.network.state_dict().items()}
    found |= {f"average {key}": value for key, value in run.average.state_dict().items()}
    for index, values in run.optimiser.state_dict()["state"].items():
        found |= {f"optimiser {index} {key}": value for key, value in values.items()}
    return found


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "run.checkpoint.safetensors"
    save_checkpoint(path, advance(trainer(), until=3))
    return path


def test_a_resumed_run_ends_with_the_same_bits_as_an_uninterrupted_one(path):
    resumed = trainer(seed=99)
    restore_checkpoint(path, resumed)
    assert resumed.number == 3
    expected, found = state(advance(trainer())), state(advance(resumed))
    assert expected.keys() == found.keys()
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []


def test_the_counters_go_on(path):
    resumed = trainer()
    restore_checkpoint(path, resumed)
    assert resumed.best == 0.2
    assert (resumed.validations, resumed.since_best) == (1, 0)
    assert resumed.seconds > resumed.seconds_waiting > 0


def test_a_run_that_has_not_begun_can_be_saved(tmp_path):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, trainer())
    resumed = trainer(seed=99)
    restore_checkpoint(path, resumed)
    expected, found = state(advance(trainer())), state(advance(resumed))
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_a_restored_run_does_not_hold_on_to_the_file(path):
    resumed = trainer()
    restore_checkpoint(path, resumed)
    path.write_bytes(bytes(path.stat().st_size))
    expected, found = state(advance(trainer(), until=3)), state(resumed)
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_an_interrupted_write_leaves_the_earlier_checkpoint(path, monkeypatch):
    def fail_half_way(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    before = path.read_bytes()
    monkeypatch.setattr(checkpoint_module, "save_file", fail_half_way)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, advance(trainer()))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


KILLED_IN_THE_WRITE = """
import os, signal, sys
from pathlib import Path
from napari_unet.learning import checkpoint
from napari_unet.learning.fit import Trainer
from napari_unet.learning.recipe import Recipe
from napari_unet.network.unet import UNet, UNetConfig

def die_half_way(tensors, path, metadata):
    Path(path).write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

checkpoint.save_file = die_half_way
config = UNetConfig(filters=(4, 8), dropout=(0.0, 0.3, 0.0))
checkpoint.save_checkpoint(Path(sys.argv[1]), Trainer(UNet(config), Recipe(crop=16)))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_killed_in_the_write_leaves_the_earlier_checkpoint(path):
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED_IN_THE_WRITE, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("recipe", "config", "sentence"),
    [
        (replace(RECIPE, steps=7), CONFIG, "with the steps 6 for 7"),
        (replace(RECIPE, seed=5), CONFIG, "with the seed 0 for 5"),
        (replace(RECIPE, augmentation=Augmentation(blur=1.0)), CONFIG, "augmentation"),
        (RECIPE, replace(CONFIG, batch_norm=False), "with the batch_norm True for False"),
        (RECIPE, replace(CONFIG, filters=(4, 16)), "filters"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(path, recipe, config, sentence):
    with pytest.raises(ValueError, match=f"^Expected a checkpoint of this run, got .*{sentence}"):
        restore_checkpoint(path, trainer(recipe, config))


def test_a_checkpoint_of_other_corrections_is_refused(path):
    save_checkpoint(path, trainer(), "ab")
    restore_checkpoint(path, trainer(), "ab")
    with pytest.raises(ValueError, match=r"with the corrections ab for cd; "):
        restore_checkpoint(path, trainer(), "cd")
    with pytest.raises(ValueError, match=r"with the corrections ab for None; "):
        restore_checkpoint(path, trainer())


def with_nan(path: Path) -> None:
    tensors, facts = contents(path)
    tensors["network.head.bias"][0] = torch.nan
    save_file(tensors, path, facts)


def without_a_tensor(path: Path) -> None:
    tensors, facts = contents(path)
    del tensors["average.module.head.bias"]
    save_file(tensors, path, facts)


def without_a_counter(path: Path) -> None:
    tensors, facts = contents(path)
    name = checkpoint_module.HEADER
    held = json.loads(facts[name])
    del held["best"]
    save_file(tensors, path, {name: json.dumps(held)})


def contents(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    return {name: tensor.clone() for name, tensor in load_file(path).items()}, facts


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "damage",
    [
        with_nan,
        without_a_tensor,
        without_a_counter,
        cut_off,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("steps: 3\n" * 30),
        lambda path: save_file({"a": torch.zeros(1)}, path),
        lambda path: save_file({"a": torch.zeros(1)}, path, {checkpoint_module.HEADER: "[]"}),
    ],
)
def test_a_damaged_checkpoint_is_refused(path, damage: Callable[[Path], None]):
    damage(path)
    with pytest.raises(ValueError, match=r"^Expected a whole checkpoint of napari-unet, got "):
        restore_checkpoint(path, trainer())


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"got no file .*none"):
        restore_checkpoint(tmp_path / "none.safetensors", trainer())
