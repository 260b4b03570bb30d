"""From a training run to a model file: what ``napari-unet train`` does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch

from napari_unet.learning.batches import batches_on
from napari_unet.learning.checkpoint import restore_checkpoint, save_checkpoint
from napari_unet.learning.classic import validation_loss
from napari_unet.learning.fit import Step, Trainer, fit
from napari_unet.learning.history import Log, recording
from napari_unet.learning.recorded import loss_on
from napari_unet.learning.runs import Scene, TrainingRun
from napari_unet.network.card import Card
from napari_unet.network.device import choose_device, place
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet
from napari_unet.network.variants import build_network
from napari_unet.nuclei.instances import InstanceSettings, instances
from napari_unet.nuclei.metrics import Scores, evaluate

SECONDS_BETWEEN_CHECKPOINTS = 60.0


def train(run: TrainingRun, *, resume: bool = False, logs: Sequence[Log] = ()) -> Iterator[Step]:
    """Train; the model file always holds the best validated network so far.

    Parameters
    ----------
    run : TrainingRun
        From `prepare_run`.
    resume : bool
        Go on from the run's checkpoint.
    logs : sequence of Log
        Where the run's numbers are written down.

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
    device = choose_device(run.device)
    origin = run.start.sha256 if run.start else ""
    trainer = Trainer(_new_network(run, device), run.recipe, loss_on(device), origin)
    if resume:
        restore_checkpoint(run.checkpoint, trainer)
    numbers = range(trainer.number, run.recipe.steps)
    batches = batches_on(device, run.batches, numbers)
    last_saved = time.monotonic()
    with recording(logs, trainer.number, run.recipe.batch) as record:
        for step in fit(trainer, batches, lambda network: _score(network, run)):
            if step.is_best:
                _save_best(trainer, run, step)
            record(step)
            since = time.monotonic() - last_saved
            if step.score is not None or since > SECONDS_BETWEEN_CHECKPOINTS:
                save_checkpoint(run.checkpoint, trainer)
                last_saved = time.monotonic()
            yield step


def score_scenes(model: Model, scenes: list[Scene], settings: InstanceSettings) -> Scores:
    """Return the scores of a model on validation scenes at their own scale, pooled."""
    rows = (
        evaluate(instances(model.predict(scene.pixels), settings), scene.labels) for scene in scenes
    )
    return sum(rows, start=Scores())


def _new_network(run: TrainingRun, device: torch.device) -> UNet:
    """Return the network to train, on its device, with new or with a model's weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.recipe.seed)
        network = build_network(run.config)
    if run.start is not None:
        network.load_state_dict(run.start.network.state_dict())
    place(network, device)
    return network


def _score(network: UNet, run: TrainingRun) -> float:
    """Return the mean AP at IoU .5 to .9 of a network, or what the classic recipe goes by."""
    if run.classic:
        return -validation_loss(network, run.classic.held_out)
    return score_scenes(Model(network, _card(run)), run.scenes, run.instances).mean_ap


def _save_best(trainer: Trainer, run: TrainingRun, step: Step) -> None:
    """Write the averaged network as the run's model file."""
    Model(trainer.averaged, _card(run, step)).save(run.output, overwrite=True)


def _card(run: TrainingRun, step: Step | None = None) -> Card:
    """Return the facts of a run's model."""
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
        diameter=run.diameter,
        normalisation=run.normalisation,
        instances=run.instances,
        training=training,
        scores={run.score_name: step.score} if step and step.score is not None else {},
        parent=(run.start.sha256 or None) if run.start else None,
    )
