"""The Labels layer that a run makes: named, placed in the world, and its own to update."""

from hashlib import blake2b
from typing import Any

import numpy as np
from napari.layers import Image, Labels

from napari_unet.widgets.layers import as_layer_data, spatial_fields
from napari_unet.widgets.running import Finished

METADATA = "napari_unet"


def add_result(viewer: Any, image: Image, axes: str, outcome: Finished) -> Labels:
    """Show the labels of a run.

    An earlier result of the same image is replaced only where the user has not edited it;
    otherwise it stays, and a new layer is added.

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
    labels = as_layer_data(outcome.labels, axes)
    facts = {
        **outcome.facts,
        "image": image.name,
        "image_id": str(image.unique_id),
        "fingerprint": fingerprint(labels),
    }
    layer = find_result(viewer.layers, image)
    if layer is None or layer.data.shape != labels.shape:
        layer = Labels(labels, name=f"{image.name} nuclei", **spatial_fields(image, axes))
        layer.metadata[METADATA] = facts
        viewer.add_layer(layer)
    else:
        layer.data = labels
        layer.metadata[METADATA] = facts
    return layer


def find_result(layers: Any, image: Image) -> Labels | None:
    """Return the labels layer that a run made of an image, if nobody has edited it since."""
    for layer in layers:
        facts = layer.metadata.get(METADATA, {})
        if (
            isinstance(layer, Labels)
            and facts.get("image_id") == str(image.unique_id)
            and facts.get("fingerprint") == fingerprint(layer.data)
        ):
            return layer
    return None


def fingerprint(labels: Any) -> str:
    """Return a short hash of labels, which tells whether they were edited."""
    return blake2b(np.ascontiguousarray(labels).data, digest_size=16).hexdigest()
