"""A plane of a result by other settings, around what is corrected; no layer, no widget."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.intensity import Normalisation
from napari_unet.images.roomy import copied
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.relabel import Relabelling, in_its_place, plane_place
from napari_unet.segmentation import SegmentSettings, walk_order
from napari_unet.widgets.corrections import Edited, Place
from napari_unet.widgets.segmenting import Finished


@dataclass(frozen=True, eq=False)
class Known:
    """What does not depend on the sliders.

    Parameters
    ----------
    relabelling : Relabelling
        Of the maps, with the run's own labels.
    locked : bool array, optional
        Where the result is corrected; None where nothing is.
    """

    relabelling: Relabelling
    locked: NDArray[np.bool_] | None


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a thread is to make of one plane.

    Parameters
    ----------
    how : InstanceSettings
        How nuclei come out of the maps.
    plane : tuple of int, optional
        Frame and plane in the whole image; None where none is shown.
    earlier : Edited
        The result as it is.
    n_strokes : int
        How often it was seen to be painted on until then.
    """

    how: InstanceSettings
    plane: tuple[int, ...] | None
    earlier: Edited
    n_strokes: int


@dataclass(frozen=True, eq=False)
class DrawnPlane:
    """One plane of a result, as the user is to see it and as the maps have it."""

    wanted: Wanted
    known: Known
    place: Place | None
    labels: NDArray[np.int32]
    prediction: NDArray[np.int32]


def plane_of(
    wanted: Wanted, outcome: Finished, relabelling: Relabelling | None, known: Known | None
) -> DrawnPlane:
    """Return what a user is to see of a plane; what is not known yet is found.

    Parameters
    ----------
    wanted : Wanted
        The plane and the settings.
    outcome : Finished
        The run, with its maps.
    relabelling, known : optional
        What an earlier plane has found; `known` goes with the corrections, `relabelling` stays.

    Raises
    ------
    ValueError
        If the run has no maps.
    """
    relabelling = relabelling or _relabelling(wanted.earlier, outcome)
    known = known or Known(relabelling, _locked(wanted.earlier))
    nothing = np.zeros(0, np.int32)
    if wanted.plane is None:
        return DrawnPlane(wanted, known, None, nothing, nothing)
    axes = outcome.facts["axes"]
    place = plane_place(axes, wanted.plane)
    labels, prediction = _around(wanted, outcome, known)
    return DrawnPlane(
        wanted, known, place, in_its_place(axes, labels), in_its_place(axes, prediction)
    )


def settings_of(facts: dict[str, Any]) -> SegmentSettings:
    """Return the settings that a result says it was made with."""
    settings = facts["settings"]
    parts = {
        "normalisation": Normalisation(**settings["normalisation"]),
        "instances": InstanceSettings(**settings["instances"]),
    }
    return SegmentSettings(**{**settings, **parts})


def ranges_of(outcome: Finished) -> list[range]:
    """Return where the maps lie in the labels of the whole image, in the order of the walk."""
    order, _ = walk_order(outcome.facts["axes"])
    return [range(outcome.shape[axis])[outcome.place[axis]] for axis in order]


def _around(
    wanted: Wanted, outcome: Finished, known: Known
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return a plane with the nuclei of the maps in it, around what is locked."""
    order, _ = walk_order(outcome.facts["axes"])
    ranges, plane = ranges_of(outcome), wanted.plane or ()
    within = tuple(at - part.start for at, part in zip(plane, ranges[:-2], strict=True))
    rows, columns = (slice(part.start, part.stop) for part in ranges[-2:])
    before = wanted.earlier.prediction.transpose(order)[plane]
    new = np.array(before)
    new[rows, columns] = known.relabelling.plane(within, wanted.how)
    if known.locked is None:
        return new, new
    from napari_unet.learning.corrections import rim_for
    from napari_unet.learning.locking import drawn_around

    locked = known.locked.transpose(order)[plane]
    labels = np.array(wanted.earlier.labels.transpose(order)[plane], np.int32)
    rim, right = rim_for(outcome.diameter), wanted.earlier.right
    return drawn_around(locked, before, labels, new, rim=rim, reserved=right)


def _relabelling(earlier: Edited, outcome: Finished) -> Relabelling:
    """Return that of a result which was not adjusted yet."""
    if outcome.maps is None:
        raise ValueError("Expected a run with its maps, got one without; segment again.")
    highest = max(int(it.max(initial=0)) for it in (earlier.prediction, earlier.labels))
    before = copied(earlier.prediction[outcome.place])
    facts = outcome.facts
    return Relabelling(outcome.maps, facts["axes"], settings_of(facts), before, highest)


def _locked(earlier: Edited) -> NDArray[np.bool_] | None:
    """Return where a result is corrected, None where it is not."""
    if not earlier.is_sure and np.array_equal(earlier.prediction, earlier.labels):
        return None
    from napari_unet.learning.corrections import as_labels
    from napari_unet.learning.locking import locks

    return locks(earlier.prediction, as_labels(earlier.labels), earlier.sure())[0]
