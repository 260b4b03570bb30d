"""The Labels layer that a run makes: named, placed in the world, and its own to update."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_unet.images.axes import label_axes, label_shape
from napari_unet.images.roomy import copied, moved, roomy
from napari_unet.learning.autosave import Note
from napari_unet.nuclei.linking import following
from napari_unet.nuclei.tracks import Table
from napari_unet.segmentation import is_in_volumes
from napari_unet.widgets.autosave import watch
from napari_unet.widgets.certainty import confidence_in, features_of, tracks_in
from napari_unet.widgets.corrections import (
    CONFIRMED,
    METADATA,
    PREDICTION,
    RESULT,
    Edited,
    edited,
    facts_of,
    highest_label,
    is_result,
    select_new_label,
)
from napari_unet.widgets.layers import (
    as_layer_data,
    checked_axes,
    full_resolution,
    spatial_fields,
)
from napari_unet.widgets.own_columns import (
    COLUMNS,
    Heirs,
    heirs,
    kept_columns,
    measured_frames,
)
from napari_unet.widgets.segmenting import Finished


@dataclass(frozen=True, eq=False)
class Drawn:
    """What is shown of a run.

    Parameters
    ----------
    labels, prediction : (..., y, x) int32
        Of the whole image: as the user sees them, and what they are compared with.
    highest : int
        See `highest_label`.
    n_kept, n_left_out : int
        Corrected nuclei that stay as they were, and removed ones that stay away.
    confidence : array of float32, optional
        How sure the network is of each nucleus, by label.
    tracks : array of int, optional
        Of a movie, see `nuclei.tracks`.
    heirs : array of int32, (n, 2), optional
        Which nuclei were there before, see `own_columns.heirs`; None if nobody asked.
    """

    labels: NDArray[np.int32]
    prediction: NDArray[np.int32]
    highest: int
    n_kept: int = 0
    n_left_out: int = 0
    confidence: NDArray[np.float32] | None = None
    tracks: Table | None = None
    heirs: Heirs | None = None


def find_result(layers: Any, image: Image) -> Labels | None:
    """Return the newest labels layer that a run made of an image."""
    return next(iter(_results_of(layers, image)), None)


def result_to_update(layers: Any, image: Image, outcome: Finished) -> Labels | None:
    """Return the newest result of the same pixels that a run can be drawn into, if one fits."""
    results = _results_of(layers, image)
    return next((layer for layer in results if _fits(layer, outcome)), None)


def _results_of(layers: Any, image: Image) -> list[Labels]:
    """Return the results of an image, the newest first; copies that the user made come last."""
    results = filter(is_result, reversed(layers))
    own = [layer for layer in results if facts_of(layer)["image_id"] == str(image.unique_id)]
    return sorted(own, key=lambda layer: layer.source.parent is not None)


def _fits(layer: Labels, outcome: Finished) -> bool:
    """Tell whether a result is of the channel, the axes and the shape of a run."""
    facts, axes = facts_of(layer), outcome.facts["axes"]
    channels = {each["settings"]["channel"] for each in (facts, outcome.facts)}
    if facts["axes"] != axes or len(channels) > 1:
        return False
    shown = as_layer_data(np.broadcast_to(np.int32(0), outcome.shape), axes)
    return edited(layer).labels.shape == outcome.shape and layer.data.shape == shown.shape


def draw(outcome: Finished, earlier: Edited | None = None, *, finds_heirs: bool = False) -> Drawn:
    """Return what is shown of a run; what was corrected before stays as it is.

    Outside the region that was run everything stays.

    Parameters
    ----------
    outcome : Finished
        The run's result.
    earlier : Edited, optional
        The result of the same image that is there, and what the user made of it.
    finds_heirs : bool
        Whether it is asked which of its nuclei are still there.

    Raises
    ------
    ValueError
        If the labels were replaced by others that do not fit.
    """
    if earlier is None:
        new = _with_region(roomy(outcome.shape, np.int32), outcome)
        sure, tracks = confidence_in(outcome, new), tracks_in(outcome, new)
        return Drawn(new, copied(new), highest_label(new, new), confidence=sure, tracks=tracks)
    from napari_unet.learning.corrections import rim_for
    from napari_unet.learning.locking import redrawn

    new = _with_region(copied(earlier.prediction), outcome)
    z = _axis_of_volumes(outcome.facts)
    again = redrawn(
        _with_planes_last(earlier.prediction, z),
        _with_planes_last(earlier.labels, z),
        _with_planes_last(new, z),
        _with_planes_last(earlier.sure(), z),
        rim=rim_for(earlier.diameter),
        n_connected=2 if z is None else 3,
        reserved=earlier.right,
    )
    shown = (again.labels, again.prediction)
    labels, prediction = shown if z is None else (np.moveaxis(array, -3, z) for array in shown)
    sure = confidence_in(outcome, labels)
    tracks = tracks_in(outcome, labels)
    same = heirs(earlier.labels, labels) if finds_heirs else None
    labels, prediction = moved(labels), moved(prediction)
    highest = highest_label(labels, prediction, earlier.right)
    return Drawn(labels, prediction, highest, again.n_kept, again.n_left_out, sure, tracks, same)


def add_result(viewer: Any, image: Image, outcome: Finished, drawn: Drawn) -> Labels:
    """Show what is drawn of a run in a new layer, and return that.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer.
    image : Image
        The image that was segmented.
    outcome : Finished
        The run's result.
    drawn : Drawn
        See `draw`.
    """
    axes = outcome.facts["axes"]
    # Whoever hears of the new layer may ask at once what made it.
    layer = Labels(
        as_layer_data(drawn.labels, axes),
        name=f"{image.name} nuclei",
        metadata={METADATA: _facts(image, outcome, drawn)},
        features=features_of(drawn.confidence, drawn.tracks),
        **spatial_fields(image, axes),
    )
    select_new_label(layer, drawn.highest)
    viewer.add_layer(layer)
    watch(viewer, layer, image)
    return layer


def bring_back(
    viewer: Any,
    image: Image,
    note: Note,
    labels: NDArray[np.int32],
    prediction: NDArray[np.int32],
) -> Labels:
    """Show a result that was saved, with its corrections and what was confirmed, and return it.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer.
    image : Image
        The image that was segmented.
    note : Note
        What was saved.
    labels, prediction : int32
        As the user had left them, and as the run had made them; of the layer's shape.

    Raises
    ------
    ValueError
        If they do not fit the image.
    """
    axes = checked_axes(image, note.facts["axes"])
    shape = label_shape(axes, full_resolution(image).shape)
    if labels.shape != as_layer_data(np.broadcast_to(np.int32(0), shape), axes).shape:
        raise ValueError(
            f"Expected saved labels for an image of the shape {shape}, got {labels.shape}; "
            "delete them."
        )
    confirmed = [
        it if isinstance(it, int) else tuple(slice(*part, 1) for part in it)
        for it in note.confirmed
    ]
    facts = _of_image(image, note.facts, moved(prediction)) | {CONFIRMED: confirmed}
    layer = Labels(
        moved(labels),
        name=f"{image.name} nuclei",
        metadata={METADATA: facts},
        **spatial_fields(image, axes),
    )
    select_new_label(layer, highest_label(labels, prediction, confirmed))
    viewer.add_layer(layer)
    watch(viewer, layer, image, note)
    return layer


def update_result(layer: Labels, image: Image, outcome: Finished, drawn: Drawn) -> None:
    """Show what is drawn of a run in the layer of an earlier one; what is confirmed stays so.

    Columns that the user wrote into its features stay with the nuclei that are still there.

    What the user did can still be undone: where something is corrected the new prediction is the
    old one, and that is what undoing puts back.
    """
    axes, before = outcome.facts["axes"], facts_of(layer)
    facts = _facts(image, outcome, drawn)
    facts["has_earlier_labels"] = outcome.labels.shape != outcome.shape
    layer.metadata[METADATA] = facts | {name: before[name] for name in (CONFIRMED, RESULT)}
    layer.data = as_layer_data(drawn.labels, axes)
    select_new_label(layer, drawn.highest)
    features = features_of(drawn.confidence, drawn.tracks)
    if drawn.heirs is not None:
        features = kept_columns(layer, features, drawn.heirs)
    layer.features = features
    # What was measured is gone, but for what tells the user's own rows apart.
    layer.metadata[COLUMNS] = [name for name in measured_frames(layer) if name in features]
    for name, value in spatial_fields(image, axes).items():
        setattr(layer, name, value)


def _facts(image: Image, outcome: Finished, drawn: Drawn) -> dict[str, Any]:
    """Return what a layer says of the run that made it."""
    prediction = as_layer_data(drawn.prediction, outcome.facts["axes"])
    return _of_image(image, outcome.facts, prediction)


def _of_image(image: Image, facts: dict[str, Any], prediction: NDArray[np.int32]) -> dict[str, Any]:
    """Return facts of a run with the image and the labels that they belong to."""
    prediction.flags.writeable = False
    return {
        **facts,
        "image": image.name,
        "image_id": str(image.unique_id),
        PREDICTION: prediction,
        CONFIRMED: [],
        RESULT: facts.get(RESULT) or str(uuid4()),
    }


def _axis_of_volumes(facts: dict[str, Any]) -> int | None:
    """Return which axis of the labels is Z, if a nucleus is one piece across its planes."""
    z = label_axes(facts["axes"]).find("Z")
    return z if z >= 0 and is_in_volumes(facts["axes"], facts["settings"]["link"]) else None


def _with_planes_last(array: NDArray[Any], z: int | None) -> NDArray[Any]:
    """Return an array with its planes just before y and x, where a nucleus goes across them."""
    return array if z is None else np.moveaxis(array, z, -3)


def _with_region(whole: NDArray[np.int32], outcome: Finished) -> NDArray[np.int32]:
    """Put the labels of a region into its place.

    Nuclei that were there before keep their ids, so that those of a stack stay whole across
    the planes that were not run; others get new ones.
    """
    if outcome.labels.shape == whole.shape:
        return outcome.labels
    highest = int(whole.max(initial=0))
    whole[outcome.place] = following(whole[outcome.place], outcome.labels, highest)
    return whole
