"""From a folder of images and labels to a model file: what ``napari-unet train`` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_unet.images.intensity import Normalisation, limits, normalise, to_rgb
from napari_unet.learning.augment import Sample, prepare_sample
from napari_unet.learning.checkpoint import restore_checkpoint, save_checkpoint
from napari_unet.learning.datasets import check_pairs, find_pairs, split_pairs
from napari_unet.learning.fit import Recipe, Step, Trainer, fit
from napari_unet.network.card import Card
from napari_unet.network.device import choose_device, place
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet, UNetConfig
from napari_unet.nuclei.instances import InstanceSettings, instances
from napari_unet.nuclei.metrics import Scores, evaluate

__all__ = ["Scene", "TrainingRun", "prepare_run", "score_scenes", "train"]

SECONDS_BETWEEN_CHECKPOINTS = 60.0


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
    origin : dict
        What the model's card says of the data.
    """

    samples: list[Sample]
    scenes: list[Scene]
    recipe: Recipe
    config: UNetConfig
    output: Path
    device: str = "auto"
    normalisation: Normalisation = field(default_factory=Normalisation)
    origin: dict[str, str | int] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Path:
        """Where the run's checkpoint lies."""
        return self.output.with_suffix(".checkpoint.safetensors")


def prepare_run(
    data: Path,
    output: Path,
    *,
    validation: Path | None = None,
    recipe: Recipe | None = None,
    config: UNetConfig | None = None,
    device: str = "auto",
    progress: Callable[[int, int], None] = lambda done, n: None,
) -> TrainingRun:
    """Read and check all training data.

    Parameters
    ----------
    data, validation : Path
        Folders as :func:`find_pairs` takes them; without validation data, a tenth is split off.
    output : Path
        The model file to write.
    recipe, config : Recipe, UNetConfig
        How and what to train.
    device : str
        "auto", "cuda", "mps" or "cpu".
    progress : callable
        Called with files read and files in all.

    Raises
    ------
    ValueError
        If data are missing or bad, with one line per bad file.
    """
    recipe, normalisation = recipe or Recipe(), Normalisation()
    if validation is None:
        pairs, held_out = split_pairs(find_pairs(data), 0.1, recipe.seed)
    else:
        pairs, held_out = find_pairs(data), find_pairs(validation)
    read = list(check_pairs([*pairs, *held_out], progress))
    if problems := [row for row in read if isinstance(row, str)]:
        raise ValueError("these files cannot be used:\n" + "\n".join(problems))
    samples, scenes = [], []
    for pair, planes, labels in (row for row in read if not isinstance(row, str)):
        for plane, truth in zip(planes, labels, strict=True):
            if pair in held_out:
                scenes.append(prepare_scene(plane, truth, normalisation))
            else:
                samples.append(prepare_sample(plane, truth, normalisation))
    origin: dict[str, str | int] = {"data": data.name, "images": len(pairs), "seed": recipe.seed}
    return TrainingRun(
        samples, scenes, recipe, config or UNetConfig(), output, device, normalisation, origin
    )


def prepare_scene(
    plane: NDArray[np.generic], labels: NDArray[np.int32], normalisation: Normalisation
) -> Scene:
    """Normalise a validation plane, (y, x) or (y, x, s)."""
    colour = plane[..., :3] if plane.ndim == 3 else plane
    bounds = limits(colour, normalisation)
    return Scene(to_rgb(normalise(colour, bounds, normalisation.ceiling)), labels)


def train(run: TrainingRun, *, resume: bool = False) -> Iterator[Step]:
    """Train; the model file always holds the best validated network so far.

    Parameters
    ----------
    run : TrainingRun
        From :func:`prepare_run`.
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
    """
    torch.manual_seed(run.recipe.seed)
    network = UNet(run.config)
    place(network, choose_device(run.device))
    trainer = Trainer(network, run.recipe)
    if resume:
        restore_checkpoint(run.checkpoint, trainer)
    settings = InstanceSettings()
    last_saved = time.monotonic()
    for step in fit(trainer, run.samples, lambda net: validate(net, run, settings)):
        if step.is_best:
            save_best(trainer, run, step)
        if step.score is not None or time.monotonic() - last_saved > SECONDS_BETWEEN_CHECKPOINTS:
            save_checkpoint(run.checkpoint, trainer)
            last_saved = time.monotonic()
        yield step


def card(run: TrainingRun, step: Step | None = None) -> Card:
    """Write down what a run's model is."""
    low, high = run.recipe.augmentation.diameter
    training = {**run.origin, "recipe": asdict(run.recipe), "date": time.strftime("%Y-%m-%d")}
    if step is not None:
        crops = step.number * run.recipe.batch
        training |= {"seconds": round(step.seconds), "crops": crops}
    return Card(
        name=run.output.stem,
        config=run.config,
        diameter=(low * high) ** 0.5,
        normalisation=run.normalisation,
        training=training,
        scores={"mean_ap": step.score} if step and step.score is not None else {},
    )


def save_best(trainer: Trainer, run: TrainingRun, step: Step) -> None:
    """Write the averaged network as the run's model file."""
    Model(trainer.averaged, card(run, step)).save(run.output, overwrite=True)


def validate(network: UNet, run: TrainingRun, settings: InstanceSettings) -> float:
    """Score a network on the validation scenes: mean AP at IoU .5 to .9, pooled."""
    return score_scenes(Model(network, card(run)), run.scenes, settings).mean_ap


def score_scenes(model: Model, scenes: list[Scene], settings: InstanceSettings) -> Scores:
    """Score a model on validation scenes at their own scale, pooled."""
    rows = (
        evaluate(instances(model.predict(scene.pixels), settings), scene.labels) for scene in scenes
    )
    return sum(rows, start=Scores())
