"""Learning from corrections."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

import napari_unet as nu
from napari_unet.learning.augment import Batch, sample_of
from napari_unet.learning.checkpoint import save_checkpoint
from napari_unet.learning.corrections import corrections
from napari_unet.learning.crops import Crop, correction_crops
from napari_unet.learning.finetune import (
    CorrectedCrops,
    FineTuneSettings,
    FineTuning,
    tuning_loss,
)
from napari_unet.learning.lessons import Found, emphasis, held_out, lessons_of, rehearsal
from napari_unet.learning.losses import LossWeights
from napari_unet.learning.runs import Scene
from napari_unet.network.card import Card
from napari_unet.network.model import Model, load_model_file
from napari_unet.network.unet import UNet, UNetConfig

CONFIG = UNetConfig(filters=(8, 16), dropout=(0.0,) * 3, stem=1)
# A parent that knows nothing yet is none to hold on to.
SMALL = FineTuneSettings(seconds=1e4, learning_rate=1e-2, epsilon=1e-8, crop=64, batch=2, seed=1)


def discs(radius: float = 8, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of nine bright discs and their labels."""
    labels = np.zeros((size, size), np.int32)
    y, x = np.mgrid[:size, :size]
    for number, (cy, cx) in enumerate(np.ndindex(3, 3), start=1):
        labels[np.hypot(y - 16 - 32 * cy, x - 16 - 32 * cx) < radius] = number
    return np.where(labels > 0, 200, 30).astype(np.uint8), labels


def crops_with(nuclei: list[int]) -> list[Crop]:
    """Return what a user taught who painted some discs where the model saw nothing."""
    image, truth = discs()
    painted = np.where(np.isin(truth, nuclei), truth, 0)
    return correction_crops(image, "YX", corrections(np.zeros_like(truth), painted), diameter=16.0)


@pytest.fixture
def parent(tmp_path) -> Model:
    torch.manual_seed(0)
    path = tmp_path / "parent.safetensors"
    Model(UNet(CONFIG), Card("parent", CONFIG, 16.0)).save(path)
    return load_model_file(path, "cpu")


def nothing(scene: Scene) -> Found:
    """Label a scene as a parent does that sees nothing."""
    return Found(np.zeros_like(scene.labels), 0.0)


def weights(model: Model) -> list[torch.Tensor]:
    return [weight.clone() for weight in model.network.state_dict().values()]


def test_of_four_nuclei_one_is_held_out_and_of_three_none():
    card = Card("parent", CONFIG, 16.0)
    few = lessons_of(crops_with([1, 2, 3]), card, nothing)[0]
    assert few.learned.tolist() == [1, 2, 3]
    assert few.held_out.tolist() == []
    more = lessons_of(crops_with([1, 2, 3, 5]), card, nothing)[0]
    assert len(more.held_out) == 1
    assert sorted([*more.learned, *more.held_out]) == [1, 2, 3, 5]
    held_out = more.scene.labels == more.held_out[0]
    assert not more.taught[held_out].any()
    assert more.examined[held_out].all()
    assert more.taught.any()


def test_what_is_held_out_stays_so_as_more_is_corrected():
    few = {("a", label) for label in (1, 2, 3)}
    assert held_out(few) == set()
    earlier = dict.fromkeys(few, False)
    more = few | {("a", 4)}
    assert held_out(more, earlier=earlier) == {("a", 4)}
    earlier[("a", 4)] = True
    assert held_out(more | {("b", 1), ("b", 2)}, earlier=earlier) == {("a", 4)}
    eight = more | {("b", label) for label in range(4)}
    assert ("a", 4) in held_out(eight, earlier=earlier)
    assert len(held_out(eight, earlier=earlier)) == 1
    assert not held_out(eight, earlier=earlier) & few


def test_the_order_of_the_crops_does_not_decide_what_is_held_out():
    nuclei = [("a", label) for label in range(1, 40)]
    assert held_out(nuclei) == held_out(nuclei[::-1])
    assert held_out(nuclei, seed=1) != held_out(nuclei)


def test_crops_are_seen_at_the_scale_of_the_model():
    image, truth = discs()
    large = np.kron(image, np.ones((4, 4), np.uint8)), np.kron(truth, np.ones((4, 4), np.int32))
    known = corrections(large[1], large[1], np.ones(large[1].shape, bool))
    crops = correction_crops(large[0], "YX", known, diameter=64.0)
    lesson = lessons_of(crops, Card("parent", CONFIG, 16.0), nothing)[0]
    assert lesson.scene.pixels.shape == (3, 96, 96)
    assert np.unique(lesson.scene.labels).tolist() == list(range(10))


def test_drawn_fields_have_truth_and_the_range_of_the_model():
    scenes = rehearsal(Card("parent", CONFIG, 16.0))
    assert len(scenes) > 1
    assert all(scene.labels.max() > 20 for scene in scenes)
    assert all(scene.pixels.min() >= 0 and scene.pixels.max() <= 4 for scene in scenes)


def test_the_painted_nuclei_are_learned_and_the_parent_stays(parent):
    before = weights(parent)
    run = FineTuning(parent, crops_with([1, 3, 5, 7, 9]), SMALL)
    assert run.before.corrected < 0.1
    for step in run.steps():
        if step.number == 60:
            break
    tuned = run.conclude()
    assert tuned.after.corrected > 0.5
    assert len(tuned.history) == 60
    assert tuned.model.card.parent == parent.sha256
    assert tuned.model.card.training["steps"] == 60
    assert all(torch.equal(a, b) for a, b in zip(before, weights(parent), strict=True))


def test_background_where_the_model_saw_a_nucleus_is_a_correction(bright_model):
    parent = load_model_file(bright_model, "cpu")
    image, truth = discs()
    false = corrections(truth, np.where(truth == 5, 0, truth))
    crops = correction_crops(image, "YX", false, diameter=16.0)
    run = FineTuning(parent, crops, replace(SMALL, crop=64))
    assert run.before.corrected == 0
    assert run.before.n_known == 1
    blank = deepcopy(parent.network)
    torch.nn.init.constant_(blank.head.bias, -100.0)
    assert run.exam.marks(blank).corrected == 1


def test_one_nucleus_is_enough_to_learn_from(parent):
    run = FineTuning(parent, crops_with([5]), SMALL)
    assert all(np.isfinite(step.loss) for step in islice(run.steps(), 60))
    assert run.conclude().after.corrected > 0.5


def test_a_run_that_was_stopped_at_once_leaves_the_parent(parent):
    tuned = FineTuning(parent, crops_with([5]), SMALL).conclude()
    assert "does not get the corrected nuclei clearly better" in tuned.objection


def test_the_statistics_of_the_parent_stay(parent):
    run = FineTuning(parent, crops_with([5]), SMALL)
    next(run.steps())
    for name, weight in run.trainer.network.state_dict().items():
        if "running" in name:
            assert torch.equal(weight, parent.network.state_dict()[name])


def test_a_run_learns_what_is_painted_meanwhile_and_its_weights_go_on(parent):
    run = FineTuning(parent, crops_with([1, 3, 5]), replace(SMALL, live=True))
    steps = run.steps()
    assert len(list(islice(steps, 2))) == 2
    before = {name: weight.clone() for name, weight in run.trainer.network.state_dict().items()}
    run.renew(crops_with([1, 3, 5, 7]))
    assert [lesson.held_out.tolist() for lesson in run.exam.lessons] == [[7]]
    assert all(torch.equal(w, before[n]) for n, w in run.trainer.network.state_dict().items())
    assert next(steps).number == 3
    run.renew(crops_with([1, 2, 3, 4, 5, 6, 7, 9]))
    (lesson,) = run.exam.lessons
    assert 7 in lesson.held_out
    assert not np.isin(lesson.held_out, [1, 3, 5]).any()
    with pytest.raises(ValueError, match="correct a nucleus first"):
        run.renew([])
    assert next(steps).number == 4


def test_a_run_goes_on_where_it_was_saved(parent, tmp_path):
    crops = crops_with([1, 3, 5, 7])
    whole, first, second = (FineTuning(parent, crops, SMALL) for _ in range(3))
    whole.trainer.seconds = first.trainer.seconds  # what the exam took
    for run, n in ((whole, 5), (first, 3)):
        assert len(list(islice(run.steps(), n))) == n
    first.save(tmp_path / "run.safetensors")
    second.restore(tmp_path / "run.safetensors")
    assert [step.number for step in islice(second.steps(), 2)] == [4, 5]
    for name, weight in whole.trainer.network.state_dict().items():
        # The learning rate follows the time, which is never the same twice.
        torch.testing.assert_close(
            second.trainer.network.state_dict()[name], weight, rtol=1e-2, atol=1e-4
        )


def test_a_live_run_goes_on_with_other_corrections_and_what_was_held_out_stays_so(parent, tmp_path):
    live = replace(SMALL, live=True)
    first = FineTuning(parent, crops_with([1, 3, 5]), live)
    first.renew(crops_with([1, 3, 5, 7]))
    assert [lesson.held_out.tolist() for lesson in first.exam.lessons] == [[7]]
    assert len(list(islice(first.steps(), 2))) == 2
    first.save(tmp_path / "run.safetensors")
    more = [1, 2, 3, 4, 5, 6, 7, 9]
    anew, again = (FineTuning(parent, crops_with(more), live) for _ in range(2))
    assert not {7} <= set(anew.exam.lessons[0].held_out)
    again.restore(tmp_path / "run.safetensors")
    (lesson,) = again.exam.lessons
    assert 7 in lesson.held_out
    assert not np.isin(lesson.held_out, [1, 3, 5]).any()
    assert next(again.steps()).number == 3


def test_a_live_run_that_does_not_say_what_was_held_out_is_damaged(parent, tmp_path):
    run = FineTuning(parent, crops_with([5]), replace(SMALL, live=True))
    save_checkpoint(tmp_path / "run.safetensors", run.trainer)
    with pytest.raises(ValueError, match="whole checkpoint"):
        run.restore(tmp_path / "run.safetensors")


def test_a_run_of_another_parent_is_not_gone_on_with(parent, tmp_path):
    run = FineTuning(parent, crops_with([5]), SMALL)
    run.save(tmp_path / "run.safetensors")
    other = FineTuning(replace(parent, sha256="0"), crops_with([5]), SMALL)
    with pytest.raises(ValueError, match="model to start from"):
        other.restore(tmp_path / "run.safetensors")


class Given(torch.nn.Module):
    """Gives the same logits for whatever image."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, image):
        return self.logits


def test_dice_is_of_what_is_known_alone():
    """It has no weights: all that is not known would outweigh a few nuclei."""
    labels, known = torch.ones(2, 8, 8), torch.zeros(2, 8, 8)
    known[0, 2:4] = 50.0
    batch = Batch(torch.rand(2, 3, 8, 8), labels, labels / 2, known)
    parent, network = Given(torch.zeros(2, 3, 8, 8)), Given(torch.randn(2, 3, 8, 8))
    only_dice = LossWeights(nucleus=0, border=0, distance=0, dice=1)
    tuning_loss(parent, 1, network, batch, only_dice).backward()
    assert torch.equal(network.logits.grad[:, 0] != 0, known > 0)


def test_a_batch_has_room_for_a_drawn_crop():
    with pytest.raises(ValueError, match="batch of 2 crops or more, got 1"):
        FineTuneSettings(batch=1)


def test_beside_a_few_nuclei_half_of_the_crops_are_drawn():
    image, labels = discs()
    pixels = (image[None] / 255).astype(np.float32)
    samples = [sample_of(pixels, labels, np.full(labels.shape, known)) for known in (True, False)]
    batches = CorrectedCrops(samples[:1], samples[1:], replace(SMALL, batch=4))
    assert batches[0].known.flatten(1).any(dim=1).tolist() == [True, True, False, False]
    batches.n_rehearsed = batches.settings.n_rehearsed(100)
    assert batches[0].known.flatten(1).any(dim=1).tolist() == [True, True, True, False]


def test_the_exam_is_part_of_the_time(parent):
    run = FineTuning(parent, crops_with([5]), replace(SMALL, seconds=0.02))
    assert run.trainer.seconds == 0.01
    assert 0 < FineTuning(parent, crops_with([5]), SMALL).trainer.seconds < 100


def test_where_nothing_is_taught_the_labels_are_the_parents():
    card = Card("parent", CONFIG, 16.0)
    crops = crops_with([1])

    def left_half(scene: Scene) -> Found:
        labels = np.zeros_like(scene.labels)
        labels[:, : labels.shape[1] // 2] = 1
        return Found(labels, 0.6)

    (lesson,) = lessons_of(crops, card, left_half)
    labels = lesson.sample.labels[0].numpy()
    assert np.array_equal(labels[lesson.taught] > 0, lesson.scene.labels[lesson.taught] > 0)
    unknown = ~lesson.taught
    assert np.unique(lesson.sample.known).tolist() == [0, np.float16(emphasis(0.6))]
    assert np.array_equal(labels[unknown] > 0, left_half(lesson.scene).labels[unknown] > 0)


def test_of_many_crops_only_the_first_are_judged(parent, monkeypatch):
    monkeypatch.setattr("napari_unet.learning.lessons.MOST_JUDGED", 1)
    crops = [replace(crop, source=name) for name in "ab" for crop in crops_with([1, 3, 5, 7])]
    run = FineTuning(parent, crops, SMALL)
    assert len(run.exam.lessons) == 1
    assert run._lessons[0].held_out.size == 1
    assert run._lessons[1].held_out.size == 0


def test_a_run_without_an_end_keeps_its_learning_rate():
    live, timed = (replace(SMALL, live=it).recipe() for it in (True, False))
    assert (live.cosine, live.minutes) == (False, None)
    assert (timed.cosine, timed.minutes) == (True, SMALL.seconds / 60)


def test_without_a_correction_there_is_nothing_to_learn(parent):
    with pytest.raises(ValueError, match="correct a nucleus first"):
        FineTuning(parent, [], SMALL)


def test_images_are_taught_by_one_call(parent):
    image, truth = discs()
    numbers: list[int] = []
    tuned = nu.fine_tune(
        parent, [image, image], [truth, truth], axes="YX", seconds=0.01, diameter=16,
        progress=lambda step: numbers.append(step.number),
    )  # fmt: skip
    assert numbers == [1]
    assert isinstance(tuned, nu.FineTune)


@pytest.mark.parametrize(
    ("labels", "known", "words"),
    [
        (np.zeros((4, 4), np.int32), None, "labels of the shape"),
        (np.zeros((96, 96), np.int32), np.zeros((96, 96), bool), "correct a nucleus first"),
        (np.zeros((96, 96)), None, "whole numbers"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(parent, labels, known, words):
    with pytest.raises(ValueError, match=words):
        nu.fine_tune(parent, discs()[0], labels, known, diameter=16)


def test_lists_of_two_lengths_are_refused(parent):
    image, truth = discs()
    with pytest.raises(ValueError, match="lists of one length"):
        nu.fine_tune(parent, [image, image], [truth])
