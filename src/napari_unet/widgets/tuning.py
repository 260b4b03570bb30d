"""Learning from corrections in a worker thread; it touches no layer and no widget."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_unet.widgets.corrections import Place
from napari_unet.widgets.live import Follower
from napari_unet.widgets.messages import Compared, Glance, Learned, LearnRequest
from napari_unet.widgets.painted_size import size_advice
from napari_unet.widgets.remembering import NOTHING, corrected_crops, remembered
from napari_unet.widgets.running import Failed, load, one_sentence, until
from napari_unet.widgets.saving import Saver, restore
from napari_unet.widgets.viewing import Viewing

if TYPE_CHECKING:
    from napari_unet.learning.crops import Crop
    from napari_unet.learning.finetune import FineTuning
    from napari_unet.network.model import Model


LAST_STEPS = 5  # in which what was painted just before the end is learned too


def learn(request: LearnRequest) -> Generator[Glance, None, Learned | Failed | None]:
    """Learn from what is painted; errors become a sentence, None is without a result.

    An error must not leave the generator, see `running`.
    """
    try:
        return (yield from until(request.cancelled, _steps(request)))
    except MemoryError:
        return Failed("There is not enough memory to learn; close other programs and try again.")
    # Whatever the image's own array, a decoder or the network raises: the dock must hear of it.
    except Exception as error:
        advice = "your corrections are still there, try again"
        return Failed(one_sentence(error, "Learning ended early", advice))


def _steps(request: LearnRequest) -> Generator[Glance, None, Learned | None]:
    """Load the model, cut out what was corrected, learn, and compare."""
    yield Glance("read")
    loaded = load(request.model, request.device)
    from napari_unet.network.library import load_unet

    model = load_unet(loaded)
    request = replace(request, line=request.line or model.card.line)
    from napari_unet.learning.finetune import FineTuneSettings, FineTuning
    from napari_unet.widgets.curve import load_matplotlib

    load_matplotlib()
    follower = Follower(request, model) if request.live else None
    if follower is None:
        crops, note = _all_crops(request, model)
    elif (yield from follower.begin()):
        crops, note = follower.crops, follower.note
    else:
        return None
    yield Glance("prepare", warning=size_advice(_own(request, crops)))
    run = FineTuning(model, crops, FineTuneSettings(seconds=request.seconds, live=request.live))
    if request.resumes and request.saved is not None:
        restore(run, request.saved)
        request.is_saved.set()
    yield Glance("learn", mark=run.before.corrected)
    saver = Saver(run, request.saved, request.is_saved)
    yield from _learn(request, run, follower, saver)
    yield Glance("compare", request.seconds)
    tuned = run.conclude()
    view = compare(request, model, tuned.model, request.view.place)
    notes = [follower.note if follower else note, saver.note]
    advice = size_advice(_own(request, follower.crops if follower else crops))
    return Learned(model, tuned, view, " ".join(filter(None, notes)), advice)


def _own(request: LearnRequest, crops: Sequence["Crop"]) -> list["Crop"]:
    """Return those of this result, without what is remembered of others."""
    return [crop for crop in crops if crop.source == request.source]


def _all_crops(request: LearnRequest, model: "Model") -> tuple[list["Crop"], str]:
    """Return the crops of a result and those remembered, and what went wrong with these."""
    own = corrected_crops(request, request.painted, model)
    if not own:
        raise ValueError(NOTHING)
    others, note = remembered(request, own)
    return [*own, *others], note


def _learn(
    request: LearnRequest, run: "FineTuning", follower: Follower | None, saver: Saver
) -> Generator[Glance, None, None]:
    """Learn step by step, show the view by what is learned, and follow what is painted."""
    viewing = Viewing(request, run.parent.card)
    left = 0
    for step in run.steps():
        saver.save_at_times()
        mark = follower.mark(run) if follower else step.score
        yield Glance("learn", step.seconds, step.mean_loss, mark)
        for sight in viewing.due(run.trainer.averaged):
            yield Glance("learn", step.seconds, sight=sight)
        left -= request.stop.is_set()
        if follower:
            if follower.follow(run, at_once=request.stop.is_set()):
                left = LAST_STEPS
            yield from follower.wait(step.seconds)
        if request.stop.is_set() and left <= 0:
            break
    # Until the user has decided: comparing takes a while, and napari may end meanwhile.
    saver.save()


def compare(
    request: LearnRequest, parent: "Model", tuned: "Model", place: Place | None
) -> Compared | None:
    """Return a place by two models; None if there is none to show."""
    if place is None:
        return None
    viewing = Viewing(request, parent.card)
    return Compared(viewing.sight(parent.network, place), viewing.sight(tuned.network, place))
