"""Whether there is room for what a walk makes of an image, asked before anything is read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from napari_unet.images.amounts import size_text
from napari_unet.images.axes import label_shape
from napari_unet.images.roomy import Room, free_bytes, in_memory
from napari_unet.segmentation.predicting import N_MAPS

OF_A_PIXEL = N_MAPS * np.dtype(np.uint8).itemsize + np.dtype(np.int32).itemsize
"""Bytes of its maps and its label."""


def check_room(image: Any, axes: str, room: Room = in_memory) -> None:
    """Refuse an image whose maps and labels there is no room for.

    A lazy image of any size is made in a moment, and its pixels would be read for days.

    Parameters
    ----------
    image, axes, room
        See :func:`napari_unet.segmentation.segment`; only the image's shape is looked at.

    Raises
    ------
    ValueError
        If they need more bytes than are free.
    """
    needed, free = OF_A_PIXEL * math.prod(label_shape(axes, image.shape)), free_bytes(room)
    if needed > free:
        raise ValueError(
            f"Expected an image that there is room for, got {' x '.join(map(str, image.shape))} "
            f"pixels, whose maps and labels need {size_text(needed)}, and {size_text(free)} are "
            "free; take a part of it, or save it as OME-Zarr for `napari-unet segment`, which "
            "goes block by block."
        )
