"""The Labels layer that a run makes: named, placed in the world, and its own to update."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_unet.images.axes import label_axes
from napari_unet.nuclei.linking import match
from napari_unet.widgets.corrections import (
    CONFIRMED,
    METADATA,
    PREDICTION,
    Edited,
    edited,
    facts_of,
    is_result,
)
from napari_unet.widgets.layers import as_layer_data, spatial_fields
from napari_unet.widgets.running import Finished

IN_ONE_VOLUME = ("auto", "volume")  # links of planes with which a nucleus is one piece in 3-D


@dataclass(frozen=True, eq=False)
class Drawn:
    """What is shown of a run.

    Parameters
    ----------
    labels, prediction : (..., y, x) int32
        Of the whole image: as the user sees them, and what they are compared with.
    n_kept, n_left_out : int
        Corrected nuclei that stay as they were, and removed ones that stay away.
    """

    labels: NDArray[np.int32]
    prediction: NDArray[np.int32]
    n_kept: int = 0
    n_left_out: int = 0


def find_result(layers: Any, image: Image) -> Labels | None:
    """Return the newest labels layer that a run made of an image."""
    for layer in reversed(layers):
        if is_result(layer) and facts_of(layer)["image_id"] == str(image.unique_id):
            return layer  # type: ignore[no-any-return]
    return None


def result_to_update(layers: Any, image: Image, outcome: Finished) -> Labels | None:
    """Return the result of the same image that a run can be drawn into, if one fits."""
    layer = find_result(layers, image)
    if layer is None or not edited(layer).labels.shape == outcome.shape:
        return None
    shown = as_layer_data(np.broadcast_to(np.int32(0), outcome.shape), outcome.facts["axes"])
    return layer if layer.data.shape == shown.shape else None


def draw(outcome: Finished, earlier: Edited | None = None) -> Drawn:
    """Return what is shown of a run; what was corrected before stays as it is.

    Outside the region that was run everything stays.

    Parameters
    ----------
    outcome : Finished
        The run's result.
    earlier : Edited, optional
        The result of the same image that is there, and what the user made of it.

    Raises
    ------
    ValueError
        If the labels were replaced by others that do not fit.
    """
    if earlier is None:
        new = _with_region(np.zeros(outcome.shape, np.int32), outcome)
        return Drawn(new, new.copy())
    from napari_unet.learning.corrections import rim_for
    from napari_unet.learning.locking import redrawn

    z, n_connected = _depth(outcome.facts)
    new = _with_region(np.array(earlier.prediction), outcome)
    arrays = (earlier.prediction, earlier.labels, new, earlier.sure())
    again = redrawn(
        *(np.moveaxis(array, z, -3) if n_connected == 3 else array for array in arrays),
        rim=rim_for(earlier.diameter),
        n_connected=n_connected,
    )
    shown = (again.labels, again.prediction)
    labels, prediction = (np.moveaxis(it, -3, z) if n_connected == 3 else it for it in shown)
    return Drawn(labels, prediction, again.n_kept, again.n_left_out)


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
        **spatial_fields(image, axes),
    )
    viewer.add_layer(layer)
    return layer


def update_result(layer: Labels, image: Image, outcome: Finished, drawn: Drawn) -> None:
    """Show what is drawn of a run in the layer of an earlier one; its views stay confirmed.

    napari forgets what could be undone: every correction is in the new labels, and nothing else
    that the user did would be lost.
    """
    axes, confirmed = outcome.facts["axes"], facts_of(layer)[CONFIRMED]
    facts = _facts(image, outcome, drawn) | {CONFIRMED: confirmed}
    layer.metadata[METADATA] = facts
    layer.data = as_layer_data(drawn.labels, axes)
    for name, value in spatial_fields(image, axes).items():
        setattr(layer, name, value)


def _facts(image: Image, outcome: Finished, drawn: Drawn) -> dict[str, Any]:
    """Return what a layer says of the run that made it."""
    prediction = as_layer_data(drawn.prediction, outcome.facts["axes"])
    prediction.flags.writeable = False
    return {
        **outcome.facts,
        "image": image.name,
        "image_id": str(image.unique_id),
        PREDICTION: prediction,
        CONFIRMED: [],
    }


def _depth(facts: dict[str, Any]) -> tuple[int, int]:
    """Return which axis of the labels is Z, and in how many axes a nucleus is one piece."""
    z = label_axes(facts["axes"]).find("Z")
    return z, 3 if z >= 0 and facts["settings"]["link"] in IN_ONE_VOLUME else 2


def _with_region(whole: NDArray[np.int32], outcome: Finished) -> NDArray[np.int32]:
    """Put the labels of a region into its place.

    Nuclei that were there before keep their ids, so that those of a stack stay whole across
    the planes that were not run; others get new ones.
    """
    if outcome.labels.shape == whole.shape:
        return outcome.labels
    kept = match(whole[outcome.place], outcome.labels)
    new = kept == 0
    kept[new] = np.arange(1, np.count_nonzero(new) + 1) + whole.max(initial=0)
    whole[outcome.place] = np.concatenate([[0], kept])[outcome.labels]
    return whole
