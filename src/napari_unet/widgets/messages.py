"""What the dock that learns and its worker thread tell each other."""

import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.widgets.corrections import Edited, Place
from napari_unet.widgets.scribbles import Scribbled

if TYPE_CHECKING:
    from napari_unet.learning.finetune import FineTune
    from napari_unet.network.model import Model

Painted = Edited | Scribbled

PHASES = {
    "read": "Reading what was corrected",
    "wait": "Paint a nucleus to begin",
    "prepare": "Looking at how good the model is so far",
    "learn": "Learning",
    "compare": "Comparing before and after",
}


@dataclass(eq=False)
class View:
    """What the canvas shows: the window's thread sets it, the worker reads it.

    Parameters
    ----------
    place : tuple of slice, optional
        Part of the labels, one slice per axis of their layer; None if nothing is to be drawn.
    """

    place: Place | None = None


@dataclass(frozen=True, eq=False)
class LearnRequest:
    """What is learned, from what, for how long.

    Parameters
    ----------
    pixels : array-like
        The image.
    axes : str
        One letter per axis.
    channel : int, optional
        Which one was segmented.
    painted : Edited or Scribbled
        What is learned from, as it is now.
    source : str
        What tells these corrections from all others.
    model : str
        Name or file of the model that is to learn.
    device : str
        "auto", "cuda", "mps" or "cpu".
    line : str
        Name of the model that the model's line began with; the model says so if it is empty.
    seconds : float
        Time to learn.
    data : Path, optional
        Folder in which corrections are remembered; they are not if it is None.
    instances : InstanceSettings, optional
        How nuclei come out of the maps; as the model's card says if not given.
    live : bool
        Whether learning goes on, without an end, while the user paints.
    saved : Path, optional
        File in which the run is saved as it goes on; it is not if not given.
    is_saved : threading.Event
        Set once that file holds this run, and not an older one that was cut off.
    resumes : bool
        Whether it goes on with the run in that file.
    view : View
        What the canvas shows.
    strokes : deque
        The newest of what was painted meanwhile, if the worker has not taken it.
    stop : threading.Event
        Set to end the learning early and keep what is learned.
    cancelled : threading.Event
        Set to end without a result.
    """

    pixels: Any
    axes: str
    channel: int | None
    painted: Painted
    source: str
    model: str
    device: str
    line: str
    seconds: float
    data: Path | None = None
    instances: InstanceSettings | None = None
    live: bool = False
    saved: Path | None = None
    is_saved: threading.Event = field(default_factory=threading.Event)
    resumes: bool = False
    view: View = field(default_factory=View)
    strokes: deque[Painted] = field(default_factory=lambda: deque(maxlen=1))
    stop: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, eq=False)
class Sight:
    """What a network makes of what the canvas shows.

    Parameters
    ----------
    labels : (y, x) int32
        One label per nucleus.
    place : tuple of slice
        Where they lie, one slice per axis of the labels' layer.
    """

    labels: NDArray[np.int32]
    place: Place


@dataclass(frozen=True)
class Glance:
    """Where learning stands.

    Parameters
    ----------
    phase : str
        One of `PHASES`.
    seconds : float
        Time spent learning.
    loss : float, optional
        Training loss, the mean of the last steps.
    mark : float, optional
        Overlap with the corrected nuclei, where it was just taken; nan if there are none.
    sight : Sight, optional
        What the canvas shows by the network as it is now, where that was just drawn.
    warning : str
        What the user should hear of before the end.
    """

    phase: str
    seconds: float = 0.0
    loss: float | None = None
    mark: float | None = None
    sight: Sight | None = None
    warning: str = ""

    @property
    def is_rare(self) -> bool:
        """Whether it tells more than that a step was taken."""
        return self.loss is None or self.mark is not None


@dataclass(frozen=True, eq=False)
class Compared:
    """The same view before and after."""

    before: Sight
    after: Sight


@dataclass(frozen=True, eq=False)
class Learned:
    """What came out.

    Parameters
    ----------
    parent : Model
        What it was tuned from.
    tuned : FineTune
        What it became.
    view : Compared, optional
        What the canvas shows by both, if it shows something.
    note : str
        What else went wrong, in one sentence; empty if nothing did.
    advice : str
        What to do if it is not better; empty if that is what usually helps.
    """

    parent: "Model"
    tuned: "FineTune"
    view: Compared | None = None
    note: str = ""
    advice: str = ""
