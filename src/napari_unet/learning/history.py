"""What a training run writes down while it goes on: rows of numbers, in a table or another log."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet.images.atomic import overwriting

if TYPE_CHECKING:
    from napari_unet.learning.fit import Step

STEPS_BETWEEN_ROWS = 20


@dataclass(frozen=True)
class Row:
    """Where a run stands; a row of its history.

    Parameters
    ----------
    step : int
        Steps done.
    crops : int
        Crops seen.
    seconds : float
        Time the run has taken.
    learning_rate : float
        Of this step.
    loss : float
        Training loss, the mean over the last steps.
    score : float, optional
        Validation score, where there was a validation: mean AP at IoU 0.5 to 0.9.
    waiting : float
        Share of the time that went into waiting for crops, 0..1.
    """

    step: int
    crops: int
    seconds: float
    learning_rate: float
    loss: float
    score: float | None
    waiting: float


COLUMNS = tuple(field.name for field in fields(Row))

Log = Callable[[int], AbstractContextManager[Callable[[Row], None]]]
"""Opened with the number of steps that a run goes on after, 0 for a new one; then takes rows."""


@contextmanager
def recording(logs: Sequence[Log], after: int, batch: int) -> Iterator[Callable[[Step], None]]:
    """Open logs while the block runs; yield what takes each step and writes some of them down.

    Parameters
    ----------
    logs : sequence of Log
        Each gets a row after every validation and every 20 steps.
    after : int
        Steps that were done before.
    batch : int
        Crops per step.
    """
    with ExitStack() as stack:
        takers = [stack.enter_context(log(after)) for log in logs]

        def record(step: Step) -> None:
            if step.score is not None or step.number % STEPS_BETWEEN_ROWS == 0:
                for take in takers:
                    take(row_of(step, batch))

        yield record


def row_of(step: Step, batch: int) -> Row:
    """Return a step as a row of the history, its numbers rounded to what they mean."""
    return Row(
        step.number,
        step.number * batch,
        round(step.seconds, 2),
        float(f"{step.learning_rate:.6g}"),
        float(f"{step.mean_loss:.6g}"),
        None if step.score is None else round(step.score, 6),
        round(step.waiting, 4),
    )


def history_log(path: Path) -> Log:
    """Return a log that writes a CSV table, row by row.

    A new run starts a new table, in a folder that is made if need be. A resumed run keeps the
    rows up to the step that it goes on after, so that no step is in it twice.

    Parameters
    ----------
    path : Path
        The ``.csv`` file.
    """

    @contextmanager
    def opened(after: int) -> Iterator[Callable[[Row], None]]:
        kept = [row for row in read_history(path) if row.step <= after] if after else []
        path.parent.mkdir(parents=True, exist_ok=True)
        with overwriting(path) as temporary, _open(temporary, "w") as file:
            csv.writer(file).writerows([COLUMNS, *map(_cells, kept)])
        # Each line goes to the disk at its end: a run that is killed leaves its curve.
        with _open(path, "a") as file:
            yield lambda row: csv.writer(file).writerow(_cells(row))

    return opened


def read_history(path: Path) -> list[Row]:
    """Return the rows of a history; none if there is no such file.

    A last row that was only half written is left out.

    Raises
    ------
    ValueError
        If the file is no history.
    """
    if not path.exists():
        return []
    with _open(path, "r") as file:
        whole = [line for line in file if line.endswith("\n")]
    header, *lines = list(csv.reader(whole)) or [[]]
    try:
        if tuple(header) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(header)}")
        return [_row(cells) for cells in lines]
    except ValueError as error:
        raise ValueError(
            f"Expected the history of a training run, got {str(path)!r} ({error}); move it away."
        ) from error


def _open(path: Path, mode: str) -> Any:
    return path.open(mode, newline="", encoding="utf-8", buffering=1)


def _cells(row: Row) -> list[Any]:
    return [getattr(row, name) for name in COLUMNS]  # None becomes an empty cell


def _row(cells: list[str]) -> Row:
    step, crops, seconds, rate, loss, score, waiting = cells
    return Row(
        int(step),
        int(crops),
        float(seconds),
        float(rate),
        float(loss),
        float(score) if score else None,
        float(waiting),
    )
