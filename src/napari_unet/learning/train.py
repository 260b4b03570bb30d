"""From a folder of images and labels to a model file: what ``napari-unet train`` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input
from napari_unet.learning.augment import Sample, prepare_sample
from napari_unet.learning.checkpoint import restore_checkpoint, save_checkpoint
from napari_unet.learning.datasets import (
    LabelledImage,
    Pair,
    find_pairs,
    read_pairs,
    split_pairs,
)
from napari_unet.learning.fit import Recipe, Step, Trainer, fit
from napari_unet.network import SUFFIX
from napari_unet.network.card import Card
from napari_unet.network.device import choose_device, place
from napari_unet.network.model import Model, check_name
from napari_unet.network.unet import UNet, UNetConfig
from napari_unet.nuclei.instances import InstanceSettings, instances
from napari_unet.nuclei.metrics import Scores, evaluate

SECONDS_BETWEEN_CHECKPOINTS = 60.0
HELD_OUT = 0.1  # of the images, for validation


@dataclass(frozen=True)
class Scene:
    """A validation plane: normalised ``pixels`` (3, y, x) and true ``labels`` (y, x)."""

    pixels: NDArray[np.float32]
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class TrainingRun:
    """All that a run needs, checked.

    Parameters
    ----------
    samples : list of Sample
        Training planes.
    scenes : list of Scene
        Validation planes.
    recipe : Recipe
        How to train.
    config : UNetConfig
        What to train.
    output : Path
        The model file; the checkpoint lies beside it.
    device : str
        Where.
    normalisation : Normalisation
        How the images were brought to one range.
    origin : dict
        What the model's card says of the data.
    start : Model, optional
        The model whose weights the run starts from; it stays as it is.
    """

    samples: list[Sample]
    scenes: list[Scene]
    recipe: Recipe
    config: UNetConfig
    output: Path
    device: str = "auto"
    normalisation: Normalisation = field(default_factory=Normalisation)
    origin: dict[str, str | int] = field(default_factory=dict)
    start: Model | None = None

    @property
    def checkpoint(self) -> Path:
        """Where the run's checkpoint lies."""
        return self.output.with_suffix(f".checkpoint{SUFFIX}")

    @property
    def instances(self) -> InstanceSettings:
        """How labels are made of the network's maps."""
        return self.start.card.instances if self.start else InstanceSettings()


def prepare_run(
    data: Path,
    output: Path,
    *,
    validation: Path | None = None,
    recipe: Recipe | None = None,
    config: UNetConfig | None = None,
    start: Model | None = None,
    device: str = "auto",
    progress: Callable[[int, int], None] = lambda done, n: None,
) -> TrainingRun:
    """Return a run with all its training data read and checked.

    Parameters
    ----------
    data, validation : Path
        Folders as `find_pairs` takes them; without validation data, a tenth is split off.
    output : Path
        The model file to write.
    recipe, config : Recipe, UNetConfig
        How and what to train.
    start : Model, optional
        The model to start from, instead of `config` and random weights. Its normalisation and
        its settings for instances stay.
    device : str
        "auto", "cuda", "mps" or "cpu".
    progress : callable
        Called with files read and files in all.

    Raises
    ------
    ValueError
        If data are missing or bad, with one line per bad file; if the output is no name of a
        model; if `config` is not that of the model to start from.
    """
    recipe = recipe or Recipe()
    check_name(output)
    config = _config_of(config, start)
    normalisation = start.card.normalisation if start else Normalisation()
    pairs, held_out = _find(data, validation, recipe.seed)
    images = _read([*pairs, *held_out], progress)
    return TrainingRun(
        [sample for image in images[: len(pairs)] for sample in _samples(image, normalisation)],
        [scene for image in images[len(pairs) :] for scene in _scenes(image, normalisation)],
        recipe,
        config,
        output,
        device,
        normalisation,
        {"data": data.resolve().name, "images": len(pairs), "seed": recipe.seed},
        start,
    )


def train(run: TrainingRun, *, resume: bool = False) -> Iterator[Step]:
    """Train; the model file always holds the best validated network so far.

    Parameters
    ----------
    run : TrainingRun
        From `prepare_run`.
    resume : bool
        Go on from the run's checkpoint.

    Yields
    ------
    Step
        After every step.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no checkpoint to resume from, or it belongs to another run.
    RuntimeError
        If the loss is not finite.
    """
    trainer = Trainer(_new_network(run), run.recipe)
    if resume:
        restore_checkpoint(run.checkpoint, trainer)
    last_saved = time.monotonic()
    for step in fit(trainer, run.samples, lambda network: _validate(network, run)):
        if step.is_best:
            _save_best(trainer, run, step)
        if step.score is not None or time.monotonic() - last_saved > SECONDS_BETWEEN_CHECKPOINTS:
            save_checkpoint(run.checkpoint, trainer)
            last_saved = time.monotonic()
        yield step


def score_scenes(model: Model, scenes: list[Scene], settings: InstanceSettings) -> Scores:
    """Return the scores of a model on validation scenes at their own scale, pooled."""
    rows = (
        evaluate(instances(model.predict(scene.pixels), settings), scene.labels) for scene in scenes
    )
    return sum(rows, start=Scores())


def _config_of(config: UNetConfig | None, start: Model | None) -> UNetConfig:
    if start is None:
        return config or UNetConfig()
    if config not in (None, start.card.config):
        raise ValueError(
            f"Expected the network of the model to start from, {start.card.config}, got {config}; "
            "leave one of the two out."
        )
    return start.card.config


def _find(data: Path, validation: Path | None, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs to train with and those to validate with."""
    if validation is None:
        return split_pairs(find_pairs(data), HELD_OUT, seed)
    return find_pairs(data), find_pairs(validation)


def _read(pairs: list[Pair], progress: Callable[[int, int], None]) -> list[LabelledImage]:
    """Return all pairs, or raise one error that names every file that cannot be used."""
    images, problems = read_pairs(pairs, progress)
    if problems:
        raise ValueError(
            f"Expected files that can be trained with, got {len(problems)} that cannot; correct "
            "them or take them away:\n" + "\n".join(problems)
        )
    return images


def _samples(image: LabelledImage, normalisation: Normalisation) -> Iterator[Sample]:
    for plane, labels in zip(image.planes, image.labels, strict=True):
        yield prepare_sample(plane, labels, normalisation)


def _scenes(image: LabelledImage, normalisation: Normalisation) -> Iterator[Scene]:
    for plane, labels in zip(image.planes, image.labels, strict=True):
        yield Scene(network_input(plane, normalisation), labels)


def _new_network(run: TrainingRun) -> UNet:
    """Return the network to train, on its device, with new or with a model's weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.recipe.seed)
        network = UNet(run.config)
    if run.start is not None:
        network.load_state_dict(run.start.network.state_dict())
    place(network, choose_device(run.device))
    return network


def _validate(network: UNet, run: TrainingRun) -> float:
    """Return the mean AP at IoU .5 to .9 over the nuclei of all validation scenes."""
    return score_scenes(Model(network, _card(run)), run.scenes, run.instances).mean_ap


def _save_best(trainer: Trainer, run: TrainingRun, step: Step) -> None:
    """Write the averaged network as the run's model file."""
    Model(trainer.averaged, _card(run, step)).save(run.output, overwrite=True)


def _card(run: TrainingRun, step: Step | None = None) -> Card:
    """Return the facts of a run's model."""
    low, high = run.recipe.augmentation.diameter
    training: dict[str, Any] = {
        **run.origin,
        "recipe": asdict(run.recipe),
        "date": time.strftime("%Y-%m-%d"),
    }
    if step is not None:
        training["seconds"] = round(step.seconds)
        training["crops"] = step.number * run.recipe.batch
    return Card(
        name=run.output.stem,
        config=run.config,
        diameter=(low * high) ** 0.5,
        normalisation=run.normalisation,
        instances=run.instances,
        training=training,
        scores={"mean_ap": step.score} if step and step.score is not None else {},
        parent=(run.start.sha256 or None) if run.start else None,
    )
