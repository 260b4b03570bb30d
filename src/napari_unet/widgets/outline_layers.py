"""Labels layers from outlines of other programs and back: a reader and a writer of napari."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_unet.images.outline_files import read_as_labels, write_outlines
from napari_unet.widgets.measured_layer import likely_axes

LayerData = tuple[Any, dict[str, Any], str]
COCO_PARTS = {"images", "annotations"}
OUTLINE_AXES = ("YX", "ZYX", "TYX", "TZYX")


def outline_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return what reads a file of outlines; None for other files, which other plugins may read."""
    is_ours = isinstance(path, str) and _holds_outlines(Path(path))
    return read_layer if is_ours else None


def read_layer(path: str) -> list[LayerData]:
    """Return the outlines in a file as one Labels layer, of the smallest size that holds them.

    Raises
    ------
    ValueError
        If the file is broken.
    """
    labels, axes = read_as_labels(Path(path))
    fields = {"name": Path(path).stem, "axis_labels": tuple(axes.lower())}
    return [(labels, fields, "labels")]


def write_layer(path: str, data: NDArray[np.integer], meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as outlines; napari's dialog has asked before a file is replaced.

    Raises
    ------
    ValueError
        If the layer has not two to four axes, one that spans all channels aside.
    """
    labels = np.asarray(data)
    known = {name: meta[name] for name in ("axis_labels", "metadata") if name in meta}
    axes = likely_axes(Labels(labels, **known)) if labels.ndim >= 2 else ""
    channels = axes.find("C")
    if channels >= 0 and labels.shape[channels] == 1:
        labels, axes = labels.squeeze(channels), axes.replace("C", "")
    write_outlines(Path(path), labels, _checked(axes, labels.ndim), overwrite=True)
    return [path]


def _checked(axes: str, n_axes: int) -> str:
    if not 2 <= n_axes <= 4:
        raise ValueError(
            f"Expected labels of two to four axes (T, Z, Y, X) for outlines, got {n_axes}; save "
            "them as .tif instead."
        )
    return axes if axes in OUTLINE_AXES else OUTLINE_AXES[-1][-n_axes:]


def _holds_outlines(path: Path) -> bool:
    ending = path.suffix.lower()
    if ending == ".zip":
        return _holds_rois(path)
    return ending == ".geojson" or (ending == ".json" and _is_coco(path))


def _holds_rois(path: Path) -> bool:
    try:
        with ZipFile(path) as archive:
            return any(name.lower().endswith(".roi") for name in archive.namelist())
    except (OSError, BadZipFile):
        return False


def _is_coco(path: Path) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.keys() >= COCO_PARTS
