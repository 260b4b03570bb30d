"""``napari-unet train``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import napari_unet
from napari_unet.images.files import write_labels
from napari_unet.images.synthetic import nuclei_field
from napari_unet.learning.classic import ClassicRecipe
from napari_unet.learning.fit import Step
from napari_unet.learning.train import train
from napari_unet.network.unet import UNetConfig

TINY = UNetConfig(filters=(4, 8), dropout=(0, 0, 0))
REPORT = ["curves.png", "history.csv", "index.html", "scores.csv", "validation.png"]


@pytest.fixture
def data(tmp_path) -> Path:
    for folder in ("images", "labels"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for seed in range(2):
        image, labels = nuclei_field((64, 64), n=6, seed=seed)
        iio.imwrite(tmp_path / "data" / "images" / f"{seed}.png", image)
        write_labels(tmp_path / "data" / "labels" / f"{seed}.tif", labels, "YX")
    return tmp_path / "data"


def test_bad_training_data_are_listed_before_anything_is_trained(run, data, tmp_path):
    (data / "images" / "x.png").write_bytes(b"no image")
    (data / "images" / "y.png").write_bytes((data / "images" / "0.png").read_bytes())
    result = run("train", data, "-o", tmp_path / "m.safetensors")
    assert result.exit_code == 1
    assert sum(str(data / "images") in line for line in result.stderr.splitlines()) == 2
    assert not list(tmp_path.glob("m*"))


def test_an_existing_model_is_not_trained_over(run, assert_refused, data, tmp_path):
    (tmp_path / "m.safetensors").write_text("mine")
    assert_refused(run("train", data, "-o", tmp_path / "m.safetensors"), 1, "--resume")
    assert (tmp_path / "m.safetensors").read_text() == "mine"


def test_a_model_is_trained_resumed_and_used(run, data, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_unet.learning.runs.UNetConfig", lambda: TINY)
    output = tmp_path / "new" / "m.safetensors"
    options = ("train", data, "-o", output, "--steps", 1, "--device", "cpu")
    result = run(*options, "--validation", data)
    assert result.exit_code == 0, result.output
    assert "step 1  0:00 left  loss " in result.stderr
    assert "  waiting " in result.stderr
    assert "(best)" in result.stderr
    assert str(output) in result.stdout
    assert str(tmp_path / "new" / "m_report" / "index.html") in result.stdout
    assert sorted(path.name for path in (tmp_path / "new" / "m_report").iterdir()) == REPORT
    assert napari_unet.load_model(output).card.training["images"] == 2
    assert run(*options, "--validation", data, "--resume", "--quiet").output == ""


def test_training_starts_from_an_earlier_model(run, data, tmp_path, bright_model):
    output = tmp_path / "m.safetensors"
    options = ("train", data, "-o", output, "--validation", data, "--steps", 1, "--device", "cpu")
    result = run(*options, "--from", bright_model, "--quiet")
    assert result.exit_code == 0, result.output
    parent = napari_unet.load_model(bright_model)
    assert napari_unet.load_model(output).card.parent == parent.sha256


@pytest.mark.parametrize("variant", ["dense", "nested-deep"])
def test_another_kind_of_network_is_trained(run, data, tmp_path, monkeypatch, variant):
    monkeypatch.setattr("napari_unet.network.config.UNetConfig", lambda: TINY)
    output = tmp_path / "m.safetensors"
    options = ("train", data, "-o", output, "--validation", data, "--steps", 1, "--device", "cpu")
    result = run(*options, "--variant", variant, "--quiet")
    assert result.exit_code == 0, result.output
    config = napari_unet.load_model(output).card.config
    assert config == replace(TINY, variant=variant)


def test_an_unknown_kind_of_network_is_refused(run, assert_refused, data, tmp_path):
    result = run("train", data, "-o", tmp_path / "m.safetensors", "--variant", "v-net")
    assert_refused(result, 2, "Expected one of unet, attention")


def test_a_model_keeps_its_kind_of_network(run, assert_refused, data, tmp_path, bright_model):
    output = tmp_path / "m.safetensors"
    options = ("train", data, "-o", output, "--validation", data, "--steps", 1, "--device", "cpu")
    options = (*options, "--from", bright_model, "--quiet")
    assert_refused(run(*options, "--variant", "dense"), 1, "leave one of the two out")
    assert run(*options, "--variant", "unet").exit_code == 0


def test_a_stopped_training_says_how_to_go_on(run, assert_refused, data, tmp_path, monkeypatch):
    def stopped(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_unet.learning.train.train", stopped)
    output = tmp_path / "m.safetensors"
    assert_refused(run("train", data, "-o", output), 130, "too short")
    output.with_suffix(".checkpoint.safetensors").touch()
    assert_refused(run("train", data, "-o", output), 130, "--resume")


def test_a_training_without_a_report_leaves_the_model_alone(run, data, tmp_path, bright_model):
    output = tmp_path / "new" / "m.safetensors"
    options = ("train", data, "-o", output, "--validation", data, "--steps", 1, "--device", "cpu")
    result = run(*options, "--from", bright_model, "--no-report")
    assert result.exit_code == 0, result.output
    assert "report" not in result.output
    assert not list(output.parent.glob("*_report"))


def test_a_training_stopped_after_a_validation_has_a_report(
    run, assert_refused, data, tmp_path, monkeypatch, bright_model
):
    def stopped(*arguments: Any, **options: Any) -> Iterator[Step]:
        yield from train(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_unet.learning.train.train", stopped)
    output = tmp_path / "m.safetensors"
    options = ("train", data, "-o", output, "--validation", data, "--steps", 1, "--device", "cpu")
    result = run(*options, "--from", bright_model, "--quiet")
    page = tmp_path / "m_report" / "index.html"
    assert_refused(result, 130, f"(report: {page})")
    assert sorted(path.name for path in page.parent.iterdir()) == REPORT


def test_tensorboard_gets_a_folder_per_model(run, data, tmp_path, bright_model):
    options = ("train", data, "-o", tmp_path / "m.safetensors", "--validation", data)
    options = (*options, "--steps", 1, "--device", "cpu", "--from", bright_model, "--no-report")
    result = run(*options, "--tensorboard", tmp_path / "logs", "--quiet")
    assert result.exit_code == 0, result.output
    events = EventAccumulator(str(tmp_path / "logs" / "m")).Reload()
    scalars = ["learning_rate", "loss", "score", "waiting"]
    assert sorted(events.Tags()["scalars"]) == scalars
    assert [[event.step for event in events.Scalars(name)] for name in scalars] == [[1]] * 4


def test_without_tensorboard_nothing_is_trained(run, assert_refused, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    result = run(
        "train", data, "-o", tmp_path / "m.safetensors", "--tensorboard", tmp_path / "logs"
    )
    assert_refused(result, 2, 'pip install "napari-unet-nuclei[train]"')
    assert not list(tmp_path.glob("m*"))


def test_the_classic_recipe_makes_a_model_of_one_map(run, data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "napari_unet.learning.classic.ClassicRecipe", partial(ClassicRecipe, side=16, epochs=1)
    )
    output = tmp_path / "m.safetensors"
    result = run("train", data, "-o", output, "--validation", data, "--recipe", "classic")
    assert result.exit_code == 0, result.output
    assert "minus validation loss" in result.stdout
    card = napari_unet.load_model(output).card
    assert card.config == UNetConfig.classic()
    assert card.instances.seeds == "none"
    assert card.normalisation.per == "type"
    labels = napari_unet.segment(np.zeros((40, 50), np.uint8), model=output)
    assert labels.shape == (40, 50)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--recipe", "fancy"), "default, classic"),
        (("--recipe", "classic", "--minutes", 3), "leave --minutes and --steps out"),
        (("--recipe", "classic", "--seed", -1), "seed"),
    ],
)
def test_a_recipe_that_there_is_not_is_refused(run, assert_refused, data, tmp_path, options, words):
    assert_refused(run("train", data, "-o", tmp_path / "m.safetensors", *options), 2, words)
