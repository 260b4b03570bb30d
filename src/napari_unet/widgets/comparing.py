"""One comparison with the truth in a worker thread; it touches no layer and no widget."""

import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from napari_unet.images.arrays import read_whole
from napari_unet.nuclei.comparison import Comparison, compare
from napari_unet.widgets.running import Failed, one_sentence, until

Done = tuple[int, int]


@dataclass(frozen=True, eq=False)
class CompareRequest:
    """What the user asked for.

    Parameters
    ----------
    found, truth : array-like of int
        Labels of the same shape, axes of one entry aside.
    truth_name : str
        What the user calls the truth.
    depth : int, optional
        The axis along which nuclei have planes; see `napari_unet.nuclei.comparison.compare`.
    right_from : float
        Least IoU of a right outline.
    cancelled : threading.Event
        Set to end without a result.
    """

    found: Any
    truth: Any
    truth_name: str
    depth: int | None
    right_from: float
    cancelled: threading.Event = field(default_factory=threading.Event)


def run_comparison(request: CompareRequest) -> Generator[Done, None, Comparison | Failed | None]:
    """Compare; errors become a sentence, see `running`, and None is cancelled."""
    try:
        return (yield from until(request.cancelled, _steps(request)))
    except MemoryError:
        return Failed("There is not enough memory to compare these labels; crop them first.")
    # Whatever the layers' own arrays raise: the dock must hear of it.
    except Exception as error:
        advice = "check that their files are still there"
        return Failed(one_sentence(error, "The labels could not be compared", advice))


def _steps(request: CompareRequest) -> Generator[Done, None, Comparison]:
    truth = request.truth
    if truth.shape != request.found.shape:
        truth = read_whole(truth).reshape(request.found.shape)
    comparison = yield from compare(request.found, truth, request.depth, request.right_from)
    if comparison.scores.n_truth == 0:
        raise ValueError(
            f"Expected at least one true nucleus, got none in {request.truth_name!r}; choose the "
            "layer that holds the truth."
        )
    return comparison
