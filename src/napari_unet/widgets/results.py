"""The Labels layer that a run makes: named, placed in the world, and its own to update."""

from hashlib import blake2b
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_unet.nuclei.linking import match
from napari_unet.widgets.layers import as_layer_data, spatial_fields
from napari_unet.widgets.running import Finished

METADATA = "napari_unet"
PREDICTION = "prediction"  # the labels as the run left them: what differs was corrected
CONFIRMED = "confirmed"  # parts of the labels, tuples of slices, that the user said are right


def add_result(viewer: Any, image: Image, axes: str, outcome: Finished) -> Labels:
    """Show the labels of a run.

    An earlier result of the same image that nobody has edited or confirmed is updated: the region
    that was run is replaced, the rest stays. Another one stays as it is, and a new layer is added.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer.
    image : Image
        The image that was segmented.
    axes : str
        One letter per axis of the image.
    outcome : Finished
        The run's result.
    """
    earlier = find_result(viewer.layers, image)
    whole = np.zeros(outcome.shape, np.int32)
    if earlier is not None and earlier.data.size == whole.size:
        whole = np.array(earlier.data).reshape(outcome.shape)
    labels = as_layer_data(_with_region(whole, outcome), axes)
    facts = {
        **outcome.facts,
        "image": image.name,
        "image_id": str(image.unique_id),
        "fingerprint": fingerprint(labels),
        PREDICTION: _read_only_copy(labels),
        CONFIRMED: [],
    }
    if earlier is None or earlier.data.shape != labels.shape:
        fields = spatial_fields(image, axes)
        name = f"{image.name} nuclei"
        # Whoever hears of the new layer may ask at once what made it.
        earlier = Labels(labels, name=name, metadata={METADATA: facts}, **fields)
        viewer.add_layer(earlier)
    else:
        earlier.metadata[METADATA] = facts
        earlier.data = labels
        for name, value in spatial_fields(image, axes).items():
            setattr(earlier, name, value)
    return earlier


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


def find_result(layers: Any, image: Image) -> Labels | None:
    """Return the labels layer that a run made of an image, if it still is as the run left it."""
    for layer in layers:
        facts = layer.metadata.get(METADATA, {})
        if (
            isinstance(layer, Labels)
            and facts.get("image_id") == str(image.unique_id)
            and not facts.get(CONFIRMED)
            and facts.get("fingerprint") == fingerprint(layer.data)
        ):
            return layer
    return None


def fingerprint(labels: Any) -> str:
    """Return a short hash of labels, which tells whether they were edited."""
    return blake2b(np.ascontiguousarray(labels).data, digest_size=16).hexdigest()


def _read_only_copy(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    copy = labels.copy()
    copy.flags.writeable = False
    return copy
