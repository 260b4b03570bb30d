"""What all work in a worker thread shares: it ends when asked, reports seldom, fails in a sentence.

An error must not leave a generator: napari's worker takes a RuntimeError, which is what torch
raises, for a deleted window and stays silent.
"""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from napari_unet.images.amounts import time_text
from napari_unet.network import PRECISIONS

if TYPE_CHECKING:
    from napari_unet.network.onnx_model import AnyModel

SECONDS_BETWEEN_REPORTS = 0.25
Report = TypeVar("Report")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failed:
    """What ended in an error, in one sentence."""

    sentence: str


def until(
    cancelled: threading.Event, steps: Generator[Report, None, Result]
) -> Generator[Report, None, Result | None]:
    """Pass on steps until they end, or until an event is set: then the result is None.

    A worker that quits keeps its generator and all that it holds; this one ends by itself.
    """
    while not cancelled.is_set():
        try:
            report = next(steps)
        except StopIteration as end:
            return cast(Result, end.value)
        yield report
    return None


def seldom(
    progress: Generator[Report, None, Any],
    clock: Callable[[], float] = time.monotonic,
    matters: Callable[[Report], bool] = lambda report: False,
    every: float = SECONDS_BETWEEN_REPORTS,
) -> Generator[Report, None, Any]:
    """Pass on few reports, four a second: every redraw of a bar takes time from the network.

    Those that matter are passed on whenever they come.
    """
    last = -every
    while True:
        try:
            report = next(progress)
        except StopIteration as end:
            return end.value
        if matters(report) or clock() - last >= every:
            last = clock()
            yield report


class TimeLeft:
    """Says how long a step still takes, from how long it took so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def text(self, fraction: float) -> str:
        """Return the time left as text, given the part that is done; empty if not known yet."""
        now = self._clock()
        if self._first is None or fraction <= self._first[1]:
            self._first = self._first or (now, fraction)
            return ""
        seconds = (now - self._first[0]) / (fraction - self._first[1]) * (1 - fraction)
        return f"{time_text(seconds)} left"


def load(model: str | Path, device: str, precision: str = PRECISIONS[0]) -> "AnyModel":
    """Load a model by its name or file, and torch with it."""
    try:
        from napari_unet.network.library import load_model
        from napari_unet.network.model import Model  # noqa: F401
        from napari_unet.network.onnx_model import AnyModel  # noqa: F401
    # Windows reports a library that torch needs and does not find as an OSError.
    except (ImportError, OSError) as error:
        raise RuntimeError(
            f"PyTorch could not be loaded ({error}); install Microsoft's Visual C++ "
            "Redistributable on Windows, or torch again, and restart napari."
        ) from error
    return load_model(model, device, precision)


def one_sentence(
    error: BaseException,
    failed: str = "The image could not be read or segmented",
    advice: str = "check its file",
) -> str:
    """Return an error's message on one line; what is not a sentence of ours is put into one."""
    text = " ".join(str(error).split())
    if text.endswith("."):
        return text
    name = type(error).__name__
    return f"{failed} ({name}: {text}); {advice}."
