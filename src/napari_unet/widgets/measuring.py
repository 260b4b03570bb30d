"""Measuring and saving in a worker thread; it touches no layer and no widget."""

import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from napari_unet.nuclei.measuring import Measured, Task, steps
from napari_unet.nuclei.table_files import write_table
from napari_unet.widgets.curve import load_matplotlib
from napari_unet.widgets.running import Failed, one_sentence, seldom, until


@dataclass(frozen=True, eq=False)
class MeasureRequest:
    """What the user asked for: a task, the layer's name, and an event that ends the run."""

    task: Task
    name: str
    cancelled: threading.Event = field(default_factory=threading.Event)


def measure(request: MeasureRequest) -> Generator[float, None, Measured | Failed | None]:
    """Measure, and yield the part that is done; errors become a sentence, None is cancelled."""
    try:
        measured = yield from until(request.cancelled, steps(request.task))
    except MemoryError:
        return Failed("There is not enough memory for these labels; crop them first.")
    # An error must not leave a worker: napari takes some for those of a deleted window.
    except Exception as error:
        return Failed(one_sentence(error, "The nuclei could not be measured", "check their layers"))
    if measured is not None and not len(measured.table):
        return Failed(
            f"Expected nuclei in {request.name!r}, got background alone; segment an image or paint "
            "some first."
        )
    return measured


def save(table: pd.DataFrame, path: Path) -> str | Failed:
    """Write a table to a file as a whole or not at all, and say so; errors become a sentence."""
    try:
        write_table(table, path)
    except Exception as error:
        return Failed(one_sentence(error, "The table could not be saved", "choose another folder"))
    return f"{len(table):,} rows are in {path.name}."


def background_measure(request: MeasureRequest) -> Any:
    """Run in napari's worker thread; a function of its own, since napari shows its name."""
    outcome = yield from seldom(measure(request))
    load_matplotlib()
    return outcome
