"""From folders of images and labels to a model file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_unet.images.intensity import Normalisation
from napari_unet.learning import train as train_module
from napari_unet.learning.augment import Augmentation
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.runs import TrainingRun, prepare_run
from napari_unet.learning.train import train
from napari_unet.network.card import Card
from napari_unet.network.model import Model, load_model_file
from napari_unet.network.unet import UNet, UNetConfig
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.nuclei.metrics import Scores

CONFIG = UNetConfig(filters=(4, 8), dropout=(0.0, 0.1, 0.0))
RECIPE = Recipe(crop=16, batch=2, steps=4, warm_up=1, validations=4)


def write_data(folder: Path, n: int = 4, shape: tuple[int, ...] = (24, 24)) -> Path:
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    labels = np.zeros(shape, np.uint8)
    labels[..., 4:12, 4:12], labels[..., 14:20, 6:16] = 1, 2
    for number in range(n):
        tifffile.imwrite(folder / "images" / f"{number}.tif", labels * 50 + number)
        tifffile.imwrite(folder / "labels" / f"{number}.tif", labels)
    return folder


@pytest.fixture
def data(tmp_path) -> Path:
    return write_data(tmp_path / "plate")


@pytest.fixture
def run(data, tmp_path) -> TrainingRun:
    output = tmp_path / "mine.safetensors"
    return prepare_run(data, output, recipe=RECIPE, config=CONFIG, device="cpu")


@pytest.fixture
def start(tmp_path) -> Model:
    torch.manual_seed(5)
    card = Card(
        "old",
        CONFIG,
        20.0,
        normalisation=Normalisation(low=5),
        instances=InstanceSettings(threshold=0.3),
    )
    path = Model(UNet(CONFIG), card).save(tmp_path / "old.safetensors")
    return load_model_file(path, "cpu")


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [weight.clone() for weight in network.state_dict().values()]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture
def falling_scores(monkeypatch):
    """Let the first validation be the best."""
    hits = iter(range(9, 0, -1))

    def score(model, scenes, settings):
        return Scores(true_positives=(next(hits),) * 10, n_predicted=10, n_truth=10)

    monkeypatch.setattr(train_module, "score_scenes", score)


def test_a_tenth_of_the_images_is_held_out(run):
    assert (len(run.samples), len(run.scenes)) == (3, 1)
    assert run.origin == {"data": "plate", "images": 3, "seed": 0}


def test_every_plane_of_a_stack_is_trained_with(tmp_path):
    folder = write_data(tmp_path / "stacks", n=2, shape=(5, 24, 24))
    run = prepare_run(folder, tmp_path / "a.safetensors", recipe=RECIPE, config=CONFIG)
    assert (len(run.samples), len(run.scenes)) == (5, 5)
    assert run.scenes[0].pixels.shape == (3, 24, 24)
    held_out = run.scenes[0].name.split()[0]
    assert [scene.name for scene in run.scenes] == [f"{held_out} plane {n}" for n in range(5)]


def test_validation_images_may_be_given(data, tmp_path):
    other = write_data(tmp_path / "held out", n=2)
    reported: list[tuple[int, int]] = []
    run = prepare_run(
        data,
        tmp_path / "a.safetensors",
        validation=other,
        progress=lambda *done: reported.append(done),
    )
    assert (len(run.samples), len(run.scenes)) == (4, 2)
    assert reported == [(n, 6) for n in range(1, 7)]
    assert run.config == UNetConfig()
    assert run.recipe == Recipe()


def test_bad_files_are_all_named_before_the_first_step(data, tmp_path):
    (data / "images" / "0.tif").write_bytes(b"no image")
    (data / "labels" / "2.tif").unlink()
    with pytest.raises(ValueError, match="got 2 that cannot") as caught:
        prepare_run(data, tmp_path / "a.safetensors")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert {Path(line.split(": ")[0]).name for line in lines[1:]} == {"0.tif", "2.tif"}


def test_one_image_is_not_enough(tmp_path):
    folder = write_data(tmp_path / "one", n=1)
    with pytest.raises(ValueError, match="at least two images, got 1"):
        prepare_run(folder, tmp_path / "a.safetensors")


def test_an_output_that_is_no_model_file_is_refused_before_the_data_are_read(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.safetensors, got 'a\.pt'"):
        prepare_run(tmp_path / "none", tmp_path / "a.pt")


def test_a_run_writes_a_model_that_says_where_it_is_from(run):
    steps = list(train(run))
    assert [step.number for step in steps] == [1, 2, 3, 4]
    card = load_model_file(run.output, "cpu").card
    best = max(step.score for step in steps)
    assert card.name == "mine"
    assert card.config == CONFIG
    assert card.scores == {"mean_ap": pytest.approx(best)}
    assert card.training["data"] == "plate"
    assert card.training["recipe"]["steps"] == 4
    assert card.training["crops"] in (2, 4, 6, 8)
    assert card.diameter == pytest.approx((11 * 45) ** 0.5)
    assert card.parent is None


@pytest.mark.usefixtures("falling_scores")
def test_the_best_model_is_kept_apart_from_the_last(run):
    bests, lasts = [], []
    for step in train(run):
        bests.append(run.output.read_bytes())
        lasts.append(run.checkpoint.read_bytes())
        assert step.is_best == (step.number == 1)
    assert len(set(bests)) == 1
    assert len(set(lasts)) == 4
    assert load_model_file(run.output, "cpu").card.scores == {"mean_ap": pytest.approx(9 / 11)}


def test_an_interrupted_run_goes_on_to_the_same_model(run, tmp_path):
    list(train(run))
    interrupted = replace(run, output=tmp_path / "again.safetensors")
    steps = train(interrupted)
    for _ in range(2):
        next(steps)
    steps.close()
    assert [step.number for step in train(interrupted, resume=True)] == [3, 4]
    expected, found = (load_model_file(each.output, "cpu") for each in (run, interrupted))
    assert same(weights(expected.network), weights(found.network))
    assert found.card.scores == expected.card.scores


def test_a_finished_run_has_nothing_to_resume(run):
    list(train(run))
    before = run.output.read_bytes()
    assert list(train(run, resume=True)) == []
    assert run.output.read_bytes() == before


def test_without_a_checkpoint_there_is_nothing_to_resume(run):
    with pytest.raises(FileNotFoundError, match="start anew"):
        next(train(run, resume=True))


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_checkpoints_are_written_now_and_then_between_validations(run, monkeypatch, seconds):
    monkeypatch.setattr(train_module, "SECONDS_BETWEEN_CHECKPOINTS", seconds)
    steps = train(replace(run, recipe=replace(RECIPE, validations=1)))
    next(steps)
    assert run.checkpoint.exists() == (seconds == 0)


def test_a_run_leaves_the_random_numbers_alone(run):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    list(train(run))
    assert torch.equal(torch.rand(4), expected)


def test_a_run_from_a_model_begins_with_its_weights_and_its_settings(data, tmp_path, start):
    output = tmp_path / "new.safetensors"
    still = replace(RECIPE, learning_rate=0.0)
    run = prepare_run(data, output, recipe=still, start=start, device="cpu")
    before = weights(start.network)
    list(train(run))
    model = load_model_file(output, "cpu")
    trained = dict(model.network.named_parameters())
    for name, parameter in start.network.named_parameters():
        assert torch.equal(trained[name], parameter)
    assert same(weights(start.network), before)
    assert model.card.parent == start.sha256
    assert model.card.normalisation == Normalisation(low=5)
    assert model.card.instances == InstanceSettings(threshold=0.3)


def test_a_run_from_a_model_can_be_resumed(data, tmp_path, start):
    runs = [
        prepare_run(data, tmp_path / name, recipe=RECIPE, start=start, device="cpu")
        for name in ("a.safetensors", "b.safetensors")
    ]
    list(train(runs[0]))
    next(train(runs[1]))
    list(train(runs[1], resume=True))
    expected, found = (load_model_file(run.output, "cpu").network for run in runs)
    assert same(weights(expected), weights(found))


def test_another_network_than_that_of_the_model_is_refused(data, tmp_path, start):
    with pytest.raises(ValueError, match="leave one of the two out"):
        prepare_run(data, tmp_path / "a.safetensors", config=UNetConfig(), start=start)


def test_the_recipe_says_which_diameter_the_model_knows(run):
    sizes = Augmentation(diameter=(10.0, 40.0))
    changed = replace(run, recipe=replace(RECIPE, augmentation=sizes, steps=1))
    list(train(changed))
    assert load_model_file(run.output, "cpu").card.diameter == 20.0
