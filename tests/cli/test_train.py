"""``napari-unet train``."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import pytest

import napari_unet
from napari_unet.images.files import write_labels
from napari_unet.images.synthetic import nuclei_field
from napari_unet.network.unet import UNetConfig

TINY = UNetConfig(filters=(4, 8), dropout=(0, 0, 0))


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
    monkeypatch.setattr("napari_unet.learning.train.UNetConfig", lambda: TINY)
    output = tmp_path / "new" / "m.safetensors"
    options = ("train", data, "-o", output, "--steps", 1, "--device", "cpu")
    result = run(*options, "--validation", data)
    assert result.exit_code == 0, result.output
    assert "step 1  0:00 left  loss " in result.stderr
    assert "(best)" in result.stderr
    assert str(output) in result.stdout
    assert napari_unet.load_model(output).card.training["images"] == 2
    assert run(*options, "--validation", data, "--resume", "--quiet").output == ""


def test_training_starts_from_an_earlier_model(run, data, tmp_path, bright_model):
    output = tmp_path / "m.safetensors"
    options = ("train", data, "-o", output, "--validation", data, "--steps", 1, "--device", "cpu")
    result = run(*options, "--from", bright_model, "--quiet")
    assert result.exit_code == 0, result.output
    parent = napari_unet.load_model(bright_model)
    assert napari_unet.load_model(output).card.parent == parent.sha256


def test_a_stopped_training_says_how_to_go_on(run, assert_refused, data, tmp_path, monkeypatch):
    def stopped(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_unet.learning.train.train", stopped)
    output = tmp_path / "m.safetensors"
    assert_refused(run("train", data, "-o", output), 130, "too short")
    output.with_suffix(".checkpoint.safetensors").touch()
    assert_refused(run("train", data, "-o", output), 130, "--resume")
