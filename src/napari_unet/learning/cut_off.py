"""A fine-tune that was cut off: the file that it was saved in, read without torch."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from napari_unet.learning.autosave import time_of
from napari_unet.network import SUFFIX

FOLDER = "runs"
HEADER = "napari_unet_checkpoint"
MOST_FILES = 3  # of 31 MB each for the shipped model
UNREADABLE = (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError)


@dataclass(frozen=True)
class CutOff:
    """A run that did not end.

    Parameters
    ----------
    path : Path
        The file that it was saved in.
    seconds : float
        How long it was to learn.
    fraction : float
        Part of that time which is over, 0..1.
    """

    path: Path
    seconds: float
    fraction: float


def run_file(data: Path, result: str) -> Path:
    """Return the file in which a fine-tune is saved as it goes on: one for each result.

    Parameters
    ----------
    data : Path
        The user's data folder.
    result : str
        What tells the corrected labels from all others.
    """
    name = sha256(result.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return data / FOLDER / f"{name}{SUFFIX}"


def cut_off(path: Path, parent: str) -> CutOff | None:
    """Return the run that a file holds, by its header alone; None if there is none to go on with.

    Parameters
    ----------
    path : Path
        As `run_file` says.
    parent : str
        SHA-256 of the model that the run must have started from.
    """
    if not path.exists():
        return None
    try:
        facts = read_facts(path)
        seconds = 60 * float(facts["recipe"]["minutes"])
        run = CutOff(path, seconds, min(1.0, max(0.0, facts["seconds"] / seconds)))
        is_same = facts["origin"]["model to start from"] == parent
    except (*UNREADABLE, ArithmeticError):
        return None
    return run if is_same and 0 < seconds < float("inf") else None


def read_facts(path: Path) -> dict[str, Any]:
    """Return what a checkpoint says of its run.

    Raises
    ------
    SafetensorError, KeyError, TypeError, ValueError, OSError
        If it is damaged, or is none.
    """
    with safe_open(path, framework="np") as file:
        return dict(json.loads((file.metadata() or {})[HEADER]))


def forget(path: Path) -> None:
    """Delete a run's file; one that another program keeps open is offered again."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def make_room(folder: Path) -> None:
    """Delete all but the newest files, those that were never finished among them."""
    newest_first = sorted(folder.iterdir(), key=time_of, reverse=True)
    for path in newest_first[MOST_FILES - 1 :]:
        forget(path)
