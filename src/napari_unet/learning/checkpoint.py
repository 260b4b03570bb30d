"""A run on disk, so that it goes on after any interruption."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_unet.images.atomic import overwriting
from napari_unet.learning.cut_off import HEADER, UNREADABLE, read_facts
from napari_unet.learning.fit import Trainer
from napari_unet.network import SUFFIX

COUNTERS = ("number", "seconds", "seconds_waiting", "losses", "best", "validations", "since_best")


def checkpoint_beside(output: Path) -> Path:
    """Return where a run is saved that is to write a model file."""
    return output.with_suffix(f".checkpoint{SUFFIX}")


def save_checkpoint(path: Path, trainer: Trainer, corrections: str = "", **more: Any) -> None:
    """Write all that a run needs to go on; the earlier checkpoint stays until this one is whole.

    Parameters
    ----------
    path : Path
        The file.
    trainer : Trainer
        Where the run stands.
    corrections : str
        A hash of what a fine-tune learns; only with the same can it go on.
    **more
        What else the run has to know when it goes on, as JSON can hold it.
    """
    counters = {name: getattr(trainer, name) for name in COUNTERS}
    facts = counters | _settings_of(trainer, corrections) | more
    with overwriting(path) as temporary:
        save_file(_run_tensors(trainer), temporary, {HEADER: json.dumps(facts)})


def restore_checkpoint(path: Path, trainer: Trainer, corrections: str = "") -> dict[str, Any]:
    """Bring a new trainer to where the run stood; return all that the file says of it.

    Parameters
    ----------
    path, trainer, corrections
        As `save_checkpoint` has them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no checkpoint, is damaged, or of another network, recipe, origin or
        corrections; the trainer must not be used then.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a checkpoint to go on from, got no file {str(path)!r}; start anew."
        )
    with reading(path):
        facts, tensors = _read(path)
    _check_same_run(path, facts, _settings_of(trainer, corrections))
    with reading(path):
        _restore_tensors(trainer, tensors)
        for name in COUNTERS:
            setattr(trainer, name, facts[name])
    return facts


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say of a checkpoint that it is damaged, whatever reading it raises.

    Raises
    ------
    ValueError
        If something did.
    """
    try:
        yield
    except UNREADABLE as error:
        raise ValueError(
            f"Expected a whole checkpoint of napari-unet, got {str(path)!r} ({error}); "
            "name another one, or start anew."
        ) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    facts = read_facts(path)
    with safe_open(path, framework="pt") as file:
        # A tensor that shares its memory with the file would keep that from being replaced.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ValueError("not every number in it is finite")
    return facts, tensors


def _settings_of(trainer: Trainer, corrections: str) -> dict[str, dict[str, Any]]:
    """Return network, recipe and origin as JSON gives them back."""
    learned = {"corrections": corrections} if corrections else {}
    settings = {
        "config": asdict(trainer.network.config),
        "recipe": asdict(trainer.recipe),
        "origin": {"model to start from": trainer.origin, **learned},
    }
    restored: dict[str, dict[str, Any]] = json.loads(json.dumps(settings))
    return restored


def _check_same_run(path: Path, facts: dict[str, Any], settings: dict[str, dict[str, Any]]) -> None:
    for part, own in settings.items():
        with reading(path):
            found = dict(facts[part])
        for name in sorted(own.keys() | found.keys()):
            if found.get(name) != own.get(name):
                raise ValueError(
                    f"Expected a checkpoint of this run, got {str(path)!r} with the {name} "
                    f"{found.get(name)} for {own.get(name)}; resume with the options that it was "
                    "started with, or start anew."
                )


def _run_tensors(trainer: Trainer) -> dict[str, Tensor]:
    """Return copies of every tensor of a run, each under one flat name."""
    tensors = {f"network.{k}": v for k, v in trainer.network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in trainer.average.state_dict().items()}
    for index, state in trainer.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{k}": v for k, v in state.items()}
    return {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}


def _restore_tensors(trainer: Trainer, tensors: dict[str, Tensor]) -> None:
    """Undo `_run_tensors`."""
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
