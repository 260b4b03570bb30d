"""A run on disk, so that it goes on after any interruption."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_unet.images.atomic import overwriting
from napari_unet.learning.fit import Trainer

__all__ = ["restore_checkpoint", "save_checkpoint"]

COUNTERS = ("number", "seconds", "seconds_waiting", "best", "validations", "since_best")
HEADER = "napari_unet_checkpoint"


def save_checkpoint(path: Path, trainer: Trainer) -> None:
    """Write all that a run needs to go on; the earlier checkpoint stays until this one is whole."""
    facts = {name: getattr(trainer, name) for name in COUNTERS}
    facts["config"] = asdict(trainer.network.config)
    facts["recipe"] = asdict(trainer.recipe)
    with overwriting(path) as temporary:
        save_file(run_tensors(trainer), temporary, {HEADER: json.dumps(facts)})


def restore_checkpoint(path: Path, trainer: Trainer) -> None:
    """Bring a new trainer to where the run stood.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or of another network or recipe.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[HEADER])
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path.name} is not a checkpoint of napari-unet; name one, or start anew."
        ) from error
    for key, own in (("config", trainer.network.config), ("recipe", trainer.recipe)):
        if facts[key] != json.loads(json.dumps(asdict(own))):
            raise ValueError(
                f"{path.name} was made with another {key}; resume with the options it was "
                "started with, or start anew."
            )
    restore_tensors(trainer, tensors)
    for name in COUNTERS:
        setattr(trainer, name, facts[name])


def run_tensors(trainer: Trainer) -> dict[str, Tensor]:
    """Give every tensor of a run under one flat name; a checkpoint holds copies of them."""
    tensors = {f"network.{k}": v for k, v in trainer.network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in trainer.average.state_dict().items()}
    for index, state in trainer.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{k}": v for k, v in state.items()}
    return {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}


def restore_tensors(trainer: Trainer, tensors: dict[str, Tensor]) -> None:
    """Undo :func:`run_tensors`."""
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimiser": {}}
    for key, value in tensors.items():
        part, name = key.split(".", 1)
        parts[part][name] = value
    trainer.network.load_state_dict(parts["network"])
    trainer.average.load_state_dict(parts["average"])
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in parts["optimiser"].items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    groups = trainer.optimiser.state_dict()["param_groups"]
    trainer.optimiser.load_state_dict({"state": state, "param_groups": groups})
    if not all(bool(torch.isfinite(v).all()) for v in parts["network"].values()):
        raise ValueError("the checkpoint's weights are not finite; start anew.")
