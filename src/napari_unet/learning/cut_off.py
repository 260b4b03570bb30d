"""A fine-tune that was cut off: the file that it was saved in, read without torch."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from napari_unet.learning.autosave import time_of
from napari_unet.network import SUFFIX

FOLDER = "runs"
HEADER = "napari_unet_checkpoint"
LOCK = ".lock"
PATIENCE = 0.2  # s: another window may be asking at this moment, which takes it a millisecond
MOST_FILES = 3  # of 31 MB each for the shipped model
UNREADABLE = (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError)


@dataclass(frozen=True)
class CutOff:
    """A run that did not end.

    Parameters
    ----------
    path : Path
        The file that it was saved in.
    seconds : float, optional
        How long it was to learn; None for live learning, which has no end.
    learned : float
        How many seconds it had learned by then.
    """

    path: Path
    seconds: float | None
    learned: float

    @property
    def live(self) -> bool:
        """Whether it followed what the user painted."""
        return self.seconds is None


class Hold:
    """Tells other programs that a run is under way, until it is let go or this program ends.

    Where files cannot be locked, nobody is told, and nobody has it.

    Parameters
    ----------
    path : Path
        The file of the run, as `run_file` says.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # The window's thread takes it, and whichever collects the dock may let it go.
        self._lock = FileLock(path.with_suffix(LOCK), thread_local=False)

    def take(self, patience: float = PATIENCE) -> bool:
        """Hold it; return whether nobody else does, after that many seconds."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=patience)
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            pass
        return True

    def let_go(self) -> None:
        """Hold it no more, and leave nothing behind if there is no run."""
        # Whoever has opened the lock by now, and gets it, finds it gone and opens another.
        if self._lock.is_locked and not self._path.exists():
            with suppress(OSError):
                Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


def is_under_way(path: Path) -> bool:
    """Tell whether another dock, in whatever window, learns what is saved in a run's file."""
    if not path.with_suffix(LOCK).exists():
        return False
    hold = Hold(path)
    is_free = hold.take(patience=0)
    hold.let_go()
    return not is_free


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
        minutes = facts["recipe"]["minutes"]
        seconds = None if minutes is None else 60 * float(minutes)
        run = CutOff(path, seconds, float(facts["seconds"]))
        is_same = facts["origin"]["model to start from"] == parent
    except UNREADABLE:
        return None
    is_possible = run.learned >= 0 and (seconds is None or 0 < seconds < float("inf"))
    return run if is_same and is_possible else None


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


def forget_if_free(path: Path) -> None:
    """Delete a run's file and its lock, unless another dock, in whatever window, has it."""
    hold = Hold(path)
    if hold.take(patience=0):
        forget(path)
        hold.let_go()


def make_room(folder: Path) -> None:
    """Delete all runs but the newest, none that is under way, and the locks that no run has."""
    files = list(folder.iterdir())
    runs = (path for path in files if path.suffix == SUFFIX)
    newest = sorted(runs, key=time_of, reverse=True)[: MOST_FILES - 1]
    known = {path.with_suffix(SUFFIX) for path in files if path.suffix in (SUFFIX, LOCK)}
    for path in known.difference(newest):
        forget_if_free(path)
