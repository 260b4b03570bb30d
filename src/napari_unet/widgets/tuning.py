"""Learning from corrections in a worker thread; it touches no layer and no widget."""

import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari_unet.widgets.corrections import Edited
from napari_unet.widgets.running import Failed, load, one_sentence

if TYPE_CHECKING:
    from napari_unet.learning.crops import Crop
    from napari_unet.learning.finetune import FineTune
    from napari_unet.learning.gate import Marks
    from napari_unet.network.model import Model

PHASES = {
    "read": "Reading what was corrected",
    "prepare": "Looking at how good the model is so far",
    "learn": "Learning",
    "compare": "Comparing before and after",
}


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
    edited : Edited
        The result, copied from its layer.
    source : str
        What tells this result's corrections from all others.
    model : str
        Name or file of the model that made the result.
    device : str
        "auto", "cuda", "mps" or "cpu".
    line : str
        Name of the model that the model's line began with.
    seconds : float
        Time to learn.
    data : Path, optional
        Folder in which corrections are remembered; they are not if it is None.
    stop : threading.Event
        Set to end the learning early and keep what is learned.
    cancelled : threading.Event
        Set to end without a result.
    """

    pixels: Any
    axes: str
    channel: int | None
    edited: Edited
    source: str
    model: str
    device: str
    line: str
    seconds: float
    data: Path | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)


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
    """

    phase: str
    seconds: float = 0.0
    loss: float | None = None
    mark: float | None = None


@dataclass(frozen=True, eq=False)
class Learned:
    """What came out; ``note`` says in one sentence what else went wrong, if anything did."""

    tuned: "FineTune"
    note: str = ""


def learn(request: LearnRequest) -> Generator[Glance, None, Learned | Failed | None]:
    """Learn from the corrections of a result; errors become a sentence, None is cancelled.

    An error must not leave the generator, see `running.run`.
    """
    try:
        steps = _steps(request)
        while not request.cancelled.is_set():
            try:
                glance = next(steps)
            except StopIteration as end:
                return cast(Learned, end.value)
            yield glance
        # A worker that quits keeps its generator and all that it holds: this one ends by itself.
        return None
    except MemoryError:
        return Failed("There is not enough memory to learn; close other programs and try again.")
    # Whatever the image's own array, a decoder or the network raises: the dock must hear of it.
    except Exception as error:
        advice = "your corrections are still there, try again"
        return Failed(one_sentence(error, "Learning ended early", advice))


def _steps(request: LearnRequest) -> Generator[Glance, None, Learned]:
    """Load the model, cut out what was corrected, learn, and compare."""
    yield Glance("read")
    model = load(request.model, request.device)
    from napari_unet.learning.finetune import FineTuneSettings, FineTuning
    from napari_unet.widgets.curve import load_matplotlib

    load_matplotlib()
    crops, note = remembered(request, corrected_crops(request, model))
    yield Glance("prepare")
    run = FineTuning(model, crops, FineTuneSettings(seconds=request.seconds))
    yield Glance("learn", mark=run.before.corrected)
    for step in run.steps():
        yield Glance("learn", step.seconds, step.mean_loss, step.score)
        if request.stop.is_set():
            break
    yield Glance("compare", request.seconds)
    return Learned(run.conclude(), note)


def corrected_crops(request: LearnRequest, model: "Model") -> list["Crop"]:
    """Return the parts of the image in which something is corrected.

    Raises
    ------
    ValueError
        If nothing is, or labels and image do not fit.
    """
    from napari_unet.learning.crops import correction_crops

    found = request.edited.find()
    if not found:
        raise ValueError(
            "Nothing is corrected yet; paint, erase or redraw a nucleus on the result first."
        )
    return correction_crops(
        request.pixels,
        request.axes,
        found,
        diameter=request.edited.diameter,
        normalisation=model.card.normalisation,
        channel=request.channel,
        source=request.source,
    )


def remembered(request: LearnRequest, crops: list["Crop"]) -> tuple[list["Crop"], str]:
    """Store crops, and return them with those stored earlier, and what went wrong.

    What is undone since the last time is forgotten; other results' corrections stay.
    """
    if request.data is None:
        return crops, ""
    from napari_unet.learning.store import Store

    store = Store.of_line(request.data, request.line)
    problems: list[str] = []
    try:
        store.forget(request.source, store.add(crops))
    except OSError as error:
        advice = "make room on the disk, or allow writing there"
        problems.append(one_sentence(error, "The corrections could not be stored", advice))
    earlier, unreadable = store.read()
    others = [crop for crop in earlier if crop.source != request.source]
    return [*crops, *others], " ".join([*problems, *unreadable[:1]])


def store_text(data: Path, line: str) -> str:
    """Return how much is remembered for a line of models, in words."""
    from napari_unet.learning.store import Store

    try:
        size = Store.of_line(data, line).size()
    except OSError:
        return "cannot be read"
    crops = "1 crop" if size.n_crops == 1 else f"{size.n_crops} crops"
    return f"{crops}, {size.n_bytes / 1e6:.1f} MB" if size.n_crops else "none yet"


def comparison(before: "Marks", after: "Marks") -> str:
    """Return in one sentence what a fine-tune brought."""
    which = "the corrected nuclei" if isnan(after.held_out) else "corrected nuclei held back"
    return (
        f"Overlap with {which}: {before.corrected:.2f} before, {after.corrected:.2f} after; what "
        f"was not corrected stayed {after.kept:.2f} the same."
    )
