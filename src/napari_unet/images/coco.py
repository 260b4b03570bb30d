"""Outlines as COCO annotations: run-length encoded masks, which keep holes and every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.outlines import Outline, mask_polygons, painted

CATEGORY = {"id": 1, "name": "nucleus"}


def to_coco(found: Sequence[Outline], shape: Sequence[int], name: str) -> dict[str, Any]:
    """Return outlines as a COCO document, one of its images for each plane.

    Masks are run-length encoded, uncompressed, column by column as the format has it. Labels,
    planes and frames stand beside COCO's own entries: ``label``, ``z`` and ``t``.

    Parameters
    ----------
    found : sequence of Outline
        In whatever order.
    shape : sequence of int
        Of the labels; its last two are rows and columns.
    name : str
        Of the image.
    """
    size = (int(shape[-2]), int(shape[-1]))
    places = sorted({(outline.t, outline.z) for outline in found}) or [(0, 0)]
    numbers = {place: number for number, place in enumerate(places, start=1)}
    return {
        "images": [
            {"id": number, "file_name": name, "height": size[0], "width": size[1], "z": z, "t": t}
            for (t, z), number in numbers.items()
        ],
        "categories": [CATEGORY],
        "annotations": [
            _annotation(outline, number, numbers[outline.t, outline.z], size)
            for number, outline in enumerate(found, start=1)
        ],
    }


def from_coco(document: dict[str, Any]) -> tuple[list[Outline], tuple[int, int]]:
    """Return the outlines in a COCO document and the shape (y, x) of its images.

    Raises
    ------
    ValueError
        If a mask is in COCO's compressed form, or there is no image.
    """
    images = {image["id"]: image for image in document["images"]}
    size = (
        max(int(image["height"]) for image in images.values()),
        max(int(image["width"]) for image in images.values()),
    )
    found = []
    for number, annotation in enumerate(document["annotations"], start=1):
        image = images[annotation["image_id"]]
        label = int(annotation.get("label", number))
        place = (int(image.get("z", 0)), int(image.get("t", 0)))
        found.append(Outline(label, _polygons(annotation["segmentation"]), *place))
    return found, size


def _annotation(outline: Outline, number: int, image: int, size: tuple[int, int]) -> dict[str, Any]:
    rows, columns = _pixels(outline)
    low = (int(columns.min()), int(rows.min()))
    extent = (int(columns.max()) - low[0] + 1, int(rows.max()) - low[1] + 1)
    return {
        "id": number,
        "image_id": image,
        "category_id": CATEGORY["id"],
        "label": outline.label,
        "iscrowd": 0,
        "area": len(rows),
        "bbox": [*low, *extent],
        "segmentation": {"size": list(size), "counts": run_lengths(rows, columns, size)},
    }


def run_lengths(
    rows: NDArray[np.integer], columns: NDArray[np.integer], size: tuple[int, int]
) -> list[int]:
    """Return how many pixels are outside, inside, outside, ..., down the columns.

    Parameters
    ----------
    rows, columns : (n,) int
        The pixels inside.
    size : (int, int)
        Rows and columns of the image.

    Examples
    --------
    >>> run_lengths(np.array([0, 1, 2]), np.array([1, 1, 0]), (3, 2))
    [2, 3, 1]
    """
    inside = np.sort(columns * size[0] + rows)
    breaks = np.flatnonzero(np.diff(inside) > 1)
    starts = inside[[0, *(breaks + 1)]]
    stops = inside[[*breaks, -1]] + 1
    ends = np.stack([starts, stops], axis=1).ravel()
    lengths: list[int] = np.diff([0, *ends, size[0] * size[1]]).tolist()
    return lengths if lengths[-1] else lengths[:-1]


def _pixels(outline: Outline) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return rows and columns of a nucleus, drawn in its own box."""
    corners = np.vstack(outline.rings)
    low = np.floor(corners.min(axis=0))
    columns, rows = (np.ceil(corners.max(axis=0)) - low).astype(int)
    moved = [[ring - low for ring in piece] for piece in outline.polygons]
    y, x = np.nonzero(painted([Outline(1, moved)], "YX", (rows, columns)))
    return y + int(low[1]), x + int(low[0])


def _polygons(segmentation: Any) -> list[list[NDArray[np.float64]]]:
    if isinstance(segmentation, list):
        return [[np.array(ring, np.float64).reshape(-1, 2)] for ring in segmentation]
    counts = segmentation["counts"]
    if isinstance(counts, str):
        raise ValueError("its masks are compressed; write them as polygons or as lists of counts")
    return _pieces(np.asarray(counts), int(segmentation["size"][0]))


def _pieces(counts: NDArray[np.integer], n_rows: int) -> list[list[NDArray[np.float64]]]:
    """Return the polygons of run lengths; no more than the nucleus's own box is ever unpacked."""
    ends = np.cumsum(counts)
    runs = [np.arange(start, stop) for start, stop in zip(ends[::2], ends[1::2], strict=False)]
    columns, rows = np.divmod(np.concatenate(runs), n_rows)
    corner = (int(columns.min()), int(rows.min()))
    mask = np.zeros((rows.max() - corner[1] + 1, columns.max() - corner[0] + 1), bool)
    mask[rows - corner[1], columns - corner[0]] = True
    return mask_polygons(mask, corner)
