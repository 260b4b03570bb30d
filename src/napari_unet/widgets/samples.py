"""Sample data of napari's menu: four that need no network, two that are downloaded."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images import synthetic

LayerData = tuple[Any, dict[str, Any], str]

PIXEL = 0.4  # um, so that the synthetic nuclei are about 7 um wide
ANISOTROPY = 3.0
CELLS_VOXEL = (0.29, 0.26, 0.26)  # um, of scikit-image's cells3d
FRAME = 300.0  # s


def histology() -> list[LayerData]:
    """Return stained tissue in colour, which comes with scikit-image."""
    from skimage.data import immunohistochemistry

    return [(immunohistochemistry(), {"name": "tissue", "rgb": True}, "image")]


def field() -> list[LayerData]:
    """Return a synthetic picture, (y, x), and its true labels."""
    pixels, labels = synthetic.nuclei_field((512, 512), n=220)
    return _with_truth(pixels, labels, "field", "YX", (PIXEL,) * 2)


def stack() -> list[LayerData]:
    """Return a synthetic stack, (z, y, x), with planes far apart, and its true labels."""
    pixels, labels = synthetic.nuclei_stack((20, 200, 200), n=110, anisotropy=ANISOTROPY)
    return _with_truth(pixels, labels, "stack", "ZYX", (PIXEL * ANISOTROPY, PIXEL, PIXEL))


def movie() -> list[LayerData]:
    """Return a synthetic movie, (t, y, x), and its true labels."""
    pixels, labels = synthetic.nuclei_movie((16, 256, 256), n=60)
    return _with_truth(pixels, labels, "movie", "TYX", (FRAME, PIXEL, PIXEL))


def human_mitosis() -> list[LayerData]:
    """Return human cells, some dividing: downloaded once by scikit-image."""
    from skimage import data

    pixels = _downloaded(data.human_mitosis, "human_mitosis")
    return [(pixels, {"name": "mitosis"}, "image")]


def cells_3d() -> list[LayerData]:
    """Return the nuclei and membranes of a stack of cells: downloaded once by scikit-image."""
    from skimage import data

    pixels = _downloaded(data.cells3d, "cells3d")
    fields = {
        "name": ["membranes", "nuclei"],
        "channel_axis": 1,
        "scale": CELLS_VOXEL,
        "units": ("um",) * 3,
        "axis_labels": ("z", "y", "x"),
    }
    return [(pixels, fields, "image")]


def _with_truth(
    pixels: NDArray[np.uint16],
    labels: NDArray[np.int32],
    name: str,
    axes: str,
    scale: tuple[float, ...],
) -> list[LayerData]:
    """Return layer data of an image and, hidden, its true labels."""
    fields = {
        "scale": scale,
        "units": tuple("s" if axis == "T" else "um" for axis in axes),
        "axis_labels": tuple(axes.lower()),
    }
    truth = {"name": f"{name} truth", "visible": False}
    return [(labels, {**fields, **truth}, "labels"), (pixels, {**fields, "name": name}, "image")]


def _downloaded(load: Callable[[], NDArray[Any]], name: str) -> NDArray[Any]:
    """Return a data set that scikit-image downloads.

    Raises
    ------
    ConnectionError
        If it cannot be had, in one sentence.
    """
    try:
        return load()
    except (OSError, ValueError, ImportError) as error:
        raise ConnectionError(
            f"The sample {name!r} is downloaded by scikit-image, which failed here; connect to a "
            "network, or open one of the samples that need none."
        ) from error
