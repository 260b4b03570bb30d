"""How far a walk is, and driving one to its end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

STEPS = {
    "model": "loading the model",
    "diameter": "estimating the diameter of the nuclei",
    "spacing": "estimating the distance between planes",
    "network": "running the network",
    "sides": "looking at the stack from its sides",
    "nuclei": "separating the nuclei",
    "linking": "linking the nuclei",
    "writing": "writing the labels",
    "tracks": "writing the tracks",
}
"""The steps of a run, as a user reads them."""

Step = TypeVar("Step")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far the walk is: ``done`` of ``total`` parts of one ``step``."""

    step: str
    done: int
    total: int


def finish(
    steps: Generator[Step, None, Result], progress: Callable[[Step], None] | None = None
) -> Result:
    """Run a walk to its end and return what it returns.

    Parameters
    ----------
    steps : generator
        Of :func:`napari_unet.segmentation.segment` and its like.
    progress : callable, optional
        Called with every step that it yields, such as :class:`Progress`.
    """
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        if progress is not None:
            progress(step)
