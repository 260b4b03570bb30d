"""Bars on stderr, with the time left; none where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

if TYPE_CHECKING:
    from napari_unet import segmentation


# Part of the time that each step of the walk takes, as seen on a laptop's CPU.
PARTS = {
    "diameter": (0.0, 0.05),
    "spacing": (0.05, 0.1),
    "network": (0.1, 0.85),
    "sides": (0.85, 0.85),
    "nuclei": (0.85, 0.95),
    "linking": (0.95, 0.98),
    "writing": (0.98, 0.99),
    "tracks": (0.99, 1.0),
}
SECONDS_FOR_SPEED = 120.0
WIDEST_NAME = 48  # characters, which leave room for the bar and the time on 80 columns


@contextmanager
def work_bar(
    total: float, *, quiet: bool, time_left: bool = True, widest: int = WIDEST_NAME
) -> Iterator[Callable[[str, float], None]]:
    """Show a bar while the block runs; yield ``show(text, done)``, which moves it.

    Parameters
    ----------
    total : float
        What ``done`` is when all is done.
    quiet : bool
        Show nothing, as where stderr is no terminal.
    time_left : bool
        Show the time left, as it follows from the speed so far.
    widest : int
        Most characters of the text.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(max_width=widest, no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        *([TimeRemainingColumn(compact=True)] if time_left else []),
        console=console,
        disable=quiet or not console.is_terminal,
        speed_estimate_period=SECONDS_FOR_SPEED,
        # What goes into a file or a pipe must not be taken for text above the bar.
        redirect_stdout=sys.stdout.isatty(),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda text, done: bar.update(task, description=text, completed=done)


def fraction_of(step: segmentation.Progress) -> float:
    """Return how much of an image is done, 0..1, from a step of the walk."""
    first, last = PARTS.get(step.step, (0.0, 0.0))
    return first + (last - first) * step.done / max(step.total, 1)


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds.

    Examples
    --------
    >>> clock(75.2), clock(3601)
    ('1:15', '60:01')
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
