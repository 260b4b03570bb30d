"""One nucleus of a result deleted or split, as by painting: napari can undo it."""

from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_unet.nuclei.splitting import parts_of
from napari_unet.widgets.corrections import edited, facts_of, labels_axes
from napari_unet.widgets.layers import shown_index


def delete_nucleus(layer: Labels, number: int) -> None:
    """Make background of a nucleus, on all planes and frames.

    Raises
    ------
    ValueError
        If it is not there, or the layer cannot be painted on at the moment.
    """
    layer.data_setitem(tuple(_pixels(layer, number)), 0)


def split_nucleus(layer: Labels, number: int, viewer: Any) -> list[int]:
    """Give all parts of a nucleus but the largest labels of their own, and return these.

    In a movie it is split in the frame that the viewer shows.

    Raises
    ------
    ValueError
        If it is not there or cannot be split, or the layer cannot be painted on at the moment.
    """
    names, pixels = labels_axes(facts_of(layer)["axes"]), _pixels(layer, number)
    if "T" in names:
        time = names.index("T")
        pixels = pixels[:, pixels[time] == shown_index(layer, viewer, time)]
    if not pixels.size:
        raise ValueError(f"Expected nucleus {number} in the shown frame, got none; go to one.")
    in_space = [names.index(axis) for axis in "ZYX" if axis in names]
    parts = parts_of(pixels[in_space], facts_of(layer)["settings"]["anisotropy"] or 1.0)
    # What a nucleus of the run was called is no name for another one.
    highest = max(int(layer.data.max()), int(edited(layer).prediction.max(initial=0)))
    labels = np.where(parts == 1, number, highest + parts - 1)
    layer.data_setitem(tuple(pixels), labels.astype(layer.data.dtype))
    return list(range(highest + 1, highest + int(parts.max())))


def _pixels(layer: Labels, number: int) -> NDArray[np.intp]:
    """Return where a nucleus is, (axes, n)."""
    if not layer.editable:
        raise ValueError(
            f"Expected {layer.name!r} to be editable, got a layer that is locked; wait, or unlock "
            "it."
        )
    pixels = np.stack(np.nonzero(layer.data == number))
    if not pixels.size:
        raise ValueError(f"Expected nucleus {number}, got none any more; go to the next one.")
    return pixels
