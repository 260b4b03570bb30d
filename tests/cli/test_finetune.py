"""``napari-unet finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import tifffile

import napari_unet
from napari_unet.cli.finetune import finetune
from napari_unet.learning.finetune import FineTuneSettings, FineTuning


@pytest.fixture
def image(tmp_path) -> Path:
    pixels = np.full((64, 64), 30, np.uint8)
    pixels[20:36, 20:36] = 200
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    return tmp_path / "a.tif"


@pytest.fixture
def labels(tmp_path) -> Path:
    truth = np.zeros((64, 64), np.uint16)
    truth[20:36, 20:36] = 1
    tifffile.imwrite(tmp_path / "a_labels.tif", truth)
    return tmp_path / "a_labels.tif"


@pytest.mark.parametrize("what", ["labels", "known"])
def test_files_that_do_not_fit_an_image_are_told_with_its_name(
    run, assert_refused, image, labels, bright_model, tmp_path, what
):
    small = tmp_path / "small.tif"
    tifffile.imwrite(small, np.ones((20, 64), np.uint8))
    files = {"labels": labels, "known": labels} | {what: small}
    options = ("--known", files["known"], "-o", tmp_path / "new.safetensors")
    result = run("finetune", bright_model, image, files["labels"], *options)
    sentence = f"Expected {what} of the shape (64, 64) of 'a.tif', got (20, 64)"
    assert_refused(result, 2, sentence)


def test_a_model_that_is_not_better_is_not_written(
    run, assert_refused, image, labels, bright_model, tmp_path
):
    output = tmp_path / "new.safetensors"
    result = run("finetune", bright_model, image, labels, "-o", output, "--seconds", 1)
    assert_refused(result, 3, "--keep-anyway")
    assert not output.exists()


def test_a_model_is_written_if_it_is_wanted_all_the_same(
    run, image, labels, bright_model, tmp_path
):
    output = tmp_path / "new" / "plate.safetensors"
    options = ("-o", output, "--seconds", 1, "--keep-anyway", "--diameter", 16)
    result = run("finetune", bright_model, image, labels, *options)
    assert result.exit_code == 0, result.output
    assert "before" in result.stdout
    card = napari_unet.load_model(output).card
    assert card.name == "plate"
    assert card.parent == napari_unet.load_model(bright_model).sha256
    assert card.line == card.training["parent_name"] == "bright"
    assert card.training["image_names"] == ["a.tif"]
    assert card.training["n_nuclei"] == 1


def test_folders_are_matched_by_their_stems(
    run, assert_refused, image, labels, bright_model, tmp_path
):
    for folder, file in (("images", image), ("labels", labels)):
        (tmp_path / folder).mkdir()
        file.rename(tmp_path / folder / file.name)
    places = (tmp_path / "images", tmp_path / "labels")
    options = ("-o", tmp_path / "new.safetensors", "--seconds", 1, "--keep-anyway")
    assert run("finetune", bright_model, *places, *options).exit_code == 0
    (tmp_path / "images" / "b.tif").write_bytes((tmp_path / "images" / "a.tif").read_bytes())
    result = run("finetune", bright_model, *places, *options, "--overwrite")
    assert_refused(result, 1, "a file named 'b'")


def test_where_nothing_is_known_nothing_is_learned(
    run, assert_refused, image, labels, bright_model, tmp_path
):
    tifffile.imwrite(tmp_path / "known.tif", np.zeros((64, 64), np.uint8))
    options = ("-o", tmp_path / "new.safetensors", "--known", tmp_path / "known.tif")
    assert_refused(run("finetune", bright_model, image, labels, *options), 2, "correct a nucleus")


@pytest.mark.parametrize("name", ["model.pt", "a.tif"])
def test_only_model_files_are_written(
    run, assert_refused, image, labels, bright_model, tmp_path, name
):
    result = run("finetune", bright_model, image, labels, "-o", tmp_path / name)
    assert_refused(result, 2, ".safetensors")


def test_a_run_that_was_stopped_goes_on(
    run, assert_refused, image, labels, bright_model, tmp_path, monkeypatch
):
    output = tmp_path / "new.safetensors"
    options = ("-o", output, "--seconds", 5, "--keep-anyway", "--diameter", 16)
    result = run("finetune", bright_model, image, labels, *options, "--resume")
    assert_refused(result, 1, "no file")
    monkeypatch.setattr("napari_unet.api.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    steps = FineTuning.steps

    def interrupted(self):
        for step in steps(self):
            if step.number == 2:
                raise KeyboardInterrupt
            yield step

    with monkeypatch.context() as once:
        once.setattr(FineTuning, "steps", interrupted)
        stopped = run("finetune", bright_model, image, labels, *options)
    assert_refused(stopped, 130, "--resume")
    assert not output.exists()
    result = run("finetune", bright_model, image, labels, *options, "--resume")
    assert result.exit_code == 0, result.output
    assert napari_unet.load_model(output).card.training["steps"] > 1
    assert [path.name for path in tmp_path.glob("*.checkpoint.*")] == []


def test_the_help_shows_the_time_that_a_fine_tune_takes_if_none_is_given() -> None:
    _, option = get_args(get_type_hints(finetune, include_extras=True)["seconds"])
    assert option.show_default == f"{FineTuneSettings.seconds:g}"
