"""What a user corrected on a result: read from its layer, confirmed there, found again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_unet.images import roomy
from napari_unet.images.axes import label_shape
from napari_unet.widgets.layers import full_resolution, visible_region

if TYPE_CHECKING:
    from napari_unet.learning.corrections import Corrections

METADATA = "napari_unet"
PREDICTION = "prediction"  # the labels as the run left them: what differs was corrected
CONFIRMED = "confirmed"  # what the user said is right: parts (tuples of slices), nuclei (labels)
RESULT = "result"  # what tells a result from all others, for as long as it lives on disk too

Place = tuple[slice, ...]
PerAxis = TypeVar("PerAxis")


@dataclass(frozen=True, eq=False)
class Edited:
    """A result and what became of it.

    Parameters
    ----------
    prediction, labels : (..., y, x) integers
        Labels as the run left them, and as they are now.
    confirmed : tuple of tuple of slice
        Parts that the user said are right.
    diameter : float
        Of a typical nucleus, in pixels.
    right : tuple of int
        Labels of the nuclei that the user said are right.
    """

    prediction: NDArray[np.int32]
    labels: NDArray[np.integer]
    confirmed: tuple[Place, ...]
    diameter: float
    right: tuple[int, ...] = ()

    @property
    def is_sure(self) -> bool:
        """Whether the user said of anything that it is right."""
        return bool(self.confirmed or self.right)

    def find(self) -> "Corrections":
        """Return the corrections.

        Raises
        ------
        ValueError
            If the labels were replaced by others that do not fit.
        """
        from napari_unet.learning.corrections import corrections, rim_for

        if self.labels.shape != self.prediction.shape:
            raise ValueError(
                f"Expected the labels that the run made, of the shape {self.prediction.shape}, got "
                f"others of {self.labels.shape}; put those back, or segment again."
            )
        rim = rim_for(self.diameter)
        return corrections(self.prediction, self.labels, self._sure_parts(), rim, self.right)

    def sure(self) -> NDArray[np.bool_]:
        """Return where the user said that the labels are right."""
        sure = self._sure_parts()
        return sure | np.isin(self.labels, self.right) if self.right else sure

    def _sure_parts(self) -> NDArray[np.bool_]:
        sure = np.zeros(self.prediction.shape, bool)
        for place in self.confirmed:
            sure[place] = True
        return sure


def labels_axes(axes: str) -> str:
    """Return the axes of the labels' layer of an image: a channel axis in the middle stays.

    Examples
    --------
    >>> labels_axes("CZYX"), labels_axes("ZCYX"), labels_axes("YXS")
    ('ZYX', 'ZCYX', 'YX')
    """
    return axes.removesuffix("S").removeprefix("C")


def is_result(layer: Any) -> bool:
    """Tell whether a layer holds labels that a run made, so that corrections can be found."""
    return isinstance(layer, Labels) and PREDICTION in layer.metadata.get(METADATA, {})


def facts_of(layer: Labels) -> dict[str, Any]:
    """Return what a result says of the run that made it."""
    facts: dict[str, Any] = layer.metadata[METADATA]
    return facts


def own_id(layer: Labels) -> str:
    """Return what tells a layer from all others; one that is brought back keeps it."""
    return str(layer.metadata.get(METADATA, {}).get(RESULT, layer.unique_id))


def facts_of_copy(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts for a copy of a result: what is confirmed on one is not on the other."""
    own = {RESULT: str(uuid4()), CONFIRMED: list(facts[CONFIRMED])}
    # Adjusting one draws into its prediction.
    return {**facts, **own, PREDICTION: roomy.copied(facts[PREDICTION])}


def edited(layer: Labels, *, copied: bool = False) -> Edited:
    """Return what became of a result.

    Parameters
    ----------
    layer : Labels
        A result.
    copied : bool
        Whether both are to stay as they are now, while the user paints on, or adjusts them.
    """
    facts = facts_of(layer)
    axis = _channel_axis(facts["axes"])
    labels = roomy.copied(np.asarray(layer.data)) if copied else np.asarray(layer.data)
    if axis is not None and labels.ndim > axis and labels.shape[axis] == 1:
        labels = labels.squeeze(axis)
    prediction = roomy.copied(facts[PREDICTION]) if copied else facts[PREDICTION]
    prediction = prediction if axis is None else prediction.squeeze(axis)
    right = tuple(it for it in facts[CONFIRMED] if isinstance(it, int))
    places = tuple(_without(it, axis) for it in facts[CONFIRMED] if not isinstance(it, int))
    return Edited(prediction, labels, places, facts["settings"]["diameter"], right)


def draw_plane(
    layer: Labels, place: Place, labels: NDArray[np.integer], prediction: NDArray[np.int32]
) -> None:
    """Put another part into a result, as the user sees it and as the run left it, in place.

    Whoever holds the prediction for longer has a copy; whoever knows the labels of a run by
    their array finds another one.

    Parameters
    ----------
    layer : Labels
        A result.
    place : tuple of slice
        Where, in `Edited.labels`.
    labels, prediction : int32
        Of that part.
    """
    facts, shown = facts_of(layer), edited(layer)
    # The base of an array on disk is the file.
    is_view = isinstance(facts[PREDICTION].base, np.ndarray)
    owner = facts[PREDICTION].base if is_view else facts[PREDICTION]
    owner.flags.writeable = True
    inside = shown.prediction.view()
    inside.flags.writeable = True
    inside[place], shown.labels[place] = prediction, labels
    owner.flags.writeable = False
    facts[PREDICTION] = facts[PREDICTION].view()
    facts[PREDICTION].flags.writeable = False
    layer.refresh()


def highest_label(
    labels: NDArray[np.int32], prediction: NDArray[np.int32], confirmed: Iterable[Place | int] = ()
) -> int:
    """Return the highest label that a nucleus of a result has, had, or was called right under."""
    right = (it for it in confirmed if isinstance(it, int))
    return max(int(labels.max(initial=0)), int(prediction.max(initial=0)), *right)


def select_new_label(layer: Labels, highest: int) -> None:
    """Let the brush paint a nucleus of its own, under the label that follows the highest one.

    napari would take 1, and a missed nucleus become a part of the first one. Where the user sees
    the selected nucleus alone, it stays selected.
    """
    if not layer.show_selected_label:
        layer.selected_label = min(highest + 1, int(np.iinfo(layer.data.dtype).max))


def confirm_view(layer: Labels, viewer: Any) -> None:
    """Note on a result that the part of it on the canvas is right.

    Raises
    ------
    ValueError
        If the canvas does not show a part of a plane of it.
    """
    axes = labels_axes(facts_of(layer)["axes"])
    try:
        place = visible_region(layer, axes, viewer, "this view")
    except ValueError as error:
        raise ValueError(
            f"Expected a canvas that shows a part of {layer.name!r}, flat and with y and x, got "
            "another view; change it and press again."
        ) from error
    known_right = facts_of(layer)[CONFIRMED]
    # A region may end beyond the labels, and must be the same when it is seen again.
    place = tuple(slice(*part.indices(n)) for part, n in zip(place, layer.data.shape, strict=True))
    # What is right already need not be taken back twice.
    if not any(isinstance(part, tuple) and _covers(part, place) for part in known_right):
        known_right.append(place)
        layer.events.metadata()


def _covers(part: Place, other: Place) -> bool:
    """Tell whether a part of an array holds all of another one."""
    pairs = zip(part, other, strict=True)
    return all(mine.start <= its.start and its.stop <= mine.stop for mine, its in pairs)


def confirm_nucleus(layer: Labels, number: int, *, is_right: bool) -> None:
    """Note on a result that a nucleus is right as it is, on all planes; or no more that it is."""
    rest = [it for it in facts_of(layer)[CONFIRMED] if it != number]
    facts_of(layer)[CONFIRMED][:] = [*rest, number] if is_right else rest
    layer.events.metadata()


def is_confirmed(layer: Labels, number: int) -> bool:
    """Tell whether a nucleus of a result was called right by itself."""
    return number in facts_of(layer)[CONFIRMED]


def has_confirmed(layer: Labels) -> bool:
    """Tell whether a part or a nucleus of a result was called right."""
    return bool(facts_of(layer)[CONFIRMED])


def take_back(layer: Labels) -> None:
    """Forget the part, or the nucleus, of a result that was called right last."""
    del facts_of(layer)[CONFIRMED][-1:]
    layer.events.metadata()


def image_of(layers: Any, layer: Labels) -> Image:
    """Return the image that a result was made of; one of its name and shape if that is gone.

    Raises
    ------
    ValueError
        If there is none.
    """
    facts = facts_of(layer)
    images = [image for image in layers if isinstance(image, Image)]
    same = [image for image in images if str(image.unique_id) == facts["image_id"]]
    alike = [image for image in images if image.name == facts["image"] and _fits(image, facts)]
    if not same + alike:
        raise ValueError(
            f"Expected the image {facts['image']!r} beside its labels, got none; open it again "
            "under that name."
        )
    return (same + alike)[0]


def _fits(image: Image, facts: dict[str, Any]) -> bool:
    """Tell whether an image has the shape of the labels of a result."""
    shape, axis = full_resolution(image).shape, _channel_axis(facts["axes"])
    labels = facts[PREDICTION] if axis is None else facts[PREDICTION].squeeze(axis)
    return len(shape) == len(facts["axes"]) and label_shape(facts["axes"], shape) == labels.shape


def _channel_axis(axes: str) -> int | None:
    """Return which axis of the labels layer stands for the channels, if one does."""
    axis = labels_axes(axes).find("C")
    return None if axis < 0 else axis


def _without(values: tuple[PerAxis, ...], axis: int | None) -> tuple[PerAxis, ...]:
    return values if axis is None else values[:axis] + values[axis + 1 :]
