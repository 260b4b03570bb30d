"""The report of a training run."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input
from napari_unet.learning.augment import prepare_sample
from napari_unet.learning.history import history_log, read_history
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.report import MOST_EXAMPLES, examine, facts, write_report
from napari_unet.learning.runs import Scene, TrainingRun
from napari_unet.learning.train import train
from napari_unet.network.model import load_model_file
from napari_unet.network.unet import UNetConfig
from napari_unet.nuclei.metrics import Scores

CONFIG = UNetConfig(filters=(3,), dropout=(0.0,), batch_norm=False, stem=1)
RECIPE = Recipe(crop=16, batch=2, steps=6, warm_up=1, validations=3)


def plane() -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((32, 32), np.int32)
    labels[4:12, 4:12], labels[16:26, 8:20] = 1, 2
    return np.where(labels > 0, 200, 0).astype(np.uint8), labels


@pytest.fixture
def run(tmp_path) -> TrainingRun:
    pixels, labels = plane()
    scenes = [
        Scene(network_input(pixels, Normalisation()), labels, f"<{number}>") for number in range(8)
    ]
    sample = prepare_sample(pixels, labels, Normalisation())
    output = tmp_path / "mine.safetensors"
    return TrainingRun(
        [sample], scenes, RECIPE, CONFIG, output, "cpu", origin={"data": "plate", "images": 1}
    )


@pytest.fixture
def bright_run(run, bright_model) -> TrainingRun:
    """A run whose model finds every nucleus."""
    bright_model.replace(run.output)
    rows = "20,40,90.0,0.001,0.5,0.25,0.125\n40,80,180.0,0.001,0.25,0.125,0.125\n"
    run.history.parent.mkdir()
    header = "step,crops,seconds,learning_rate,loss,score,waiting\n"
    run.history.write_text(header + rows, encoding="utf-8")
    return run


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def steps(run: TrainingRun) -> list[int]:
    return [row.step for row in read_history(run.history)]


def test_the_scores_are_pooled_and_of_each_image(bright_run):
    write_report(bright_run)
    header, *rows = table(bright_run.report / "scores.csv")
    assert header == ["image", "n_predicted", "n_truth", "ap50", "ap75", "mean_ap", "f1", "pq"]
    assert rows[0] == ["all images", "16", "16", *["1.0"] * 5]
    assert rows[1:] == [[f"<{number}>", "2", "2", *["1.0"] * 5] for number in range(8)]


def test_the_pictures_can_be_opened(bright_run):
    write_report(bright_run)
    for name in ("curves.png", "validation.png"):
        picture = iio.imread(bright_run.report / name)
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 1


def test_the_page_shows_everything_that_lies_beside_it(bright_run):
    page = write_report(bright_run)
    assert page == bright_run.report / "index.html"
    text = page.read_text(encoding="utf-8")
    for path in bright_run.report.iterdir():
        assert f'"{path.name}"' in text or path == page
    assert "plate" in text
    assert "&lt;0&gt;" in text
    assert "<0>" not in text


def test_the_facts_of_a_run_are_in_plain_words(bright_run):
    config = load_model_file(bright_run.output, "cpu").config
    found = facts(bright_run, config, read_history(bright_run.history))
    assert found == {
        "model": "mine.safetensors",
        "data": "plate",
        "images trained with": "1",
        "validation images": "8",
        "network": "unet, 3 filters",
        "seed": "0",
        "crops seen": "80 in 40 steps",
        "time": "3.0 minutes",
        "spent waiting for crops": "12% of the time",
        "best score": "0.250 after 20 steps (mean AP at IoU 0.5 to 0.9)",
    }


def test_without_a_history_there_is_a_report_all_the_same(bright_run):
    bright_run.history.unlink()
    assert "best score" not in write_report(bright_run).read_text(encoding="utf-8")


def test_the_same_images_are_shown_every_time(bright_run):
    model = load_model_file(bright_run.output, "cpu")
    shown = [
        [example.name for example in examine(model, chosen).examples]
        for chosen in (bright_run, bright_run, replace(bright_run, recipe=replace(RECIPE, seed=5)))
    ]
    assert len(shown[0]) == MOST_EXAMPLES
    assert shown[0] == shown[1] != shown[2]


def test_a_run_without_a_model_has_no_report(run):
    with pytest.raises(FileNotFoundError, match=r"mine\.safetensors"):
        write_report(run)
    assert not run.report.exists()


def test_an_interrupted_run_has_the_history_of_an_uninterrupted_one(run, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_unet.learning.history.STEPS_BETWEEN_ROWS", 1)
    monkeypatch.setattr("napari_unet.learning.train.score_scenes", lambda *given: Scores())
    other = replace(run, output=tmp_path / "other.safetensors")
    for _ in train(run, logs=[history_log(run.history)]):
        pass
    interrupted = train(other, logs=[history_log(other.history)])
    for _ in range(5):
        next(interrupted)
    interrupted.close()
    assert steps(other) == [1, 2, 3, 4, 5]
    for _ in train(other, resume=True, logs=[history_log(other.history)]):
        pass
    expected, found = (
        [replace(row, seconds=0, waiting=0) for row in read_history(each.history)]
        for each in (run, other)
    )
    assert [row.step for row in expected] == [1, 2, 3, 4, 5, 6]
    assert found == expected
