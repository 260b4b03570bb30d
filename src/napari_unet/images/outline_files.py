"""Outlines in the files of others: ImageJ's ROI sets, GeoJSON as QuPath has it, COCO."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.atomic import overwriting
from napari_unet.images.coco import from_coco, to_coco
from napari_unet.images.outlines import Outline, fitting, outlines, painted
from napari_unet.images.reasons import reason_of

MOVE, LINE, CLOSE = 0, 1, 4  # what a path of ImageJ is made of
BROKEN = (ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError, BadZipFile)
LARGEST_ROI = 2**15 - 1  # pixels; ImageJ keeps corners of plain polygons as 16 bits


def write_outlines(
    path: Path, labels: NDArray[np.integer], axes: str, *, overwrite: bool = False
) -> int:
    """Write the outlines of labels to a file of the kind that its ending says; return how many.

    Parameters
    ----------
    path : Path
        ``.zip`` for ImageJ, ``.geojson`` for QuPath, ``.json`` for COCO.
    labels : array of int
        0 is background.
    axes : str
        Their axes: Y and X, with Z or T or both before them.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is not set.
    ValueError
        If it has another ending.
    OSError
        If it cannot be written.
    """
    write = WRITERS[check_ending(path)]
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"Expected a new file, got the existing {str(path)!r}; choose another name or allow "
            "overwriting."
        )
    found = list(outlines(labels, axes))
    with overwriting(path) as temporary:
        write(temporary, found, labels.shape, path.stem)
    return len(found)


def read_outlines(path: Path) -> tuple[list[Outline], tuple[int, ...] | None]:
    """Return the outlines in a file, and the shape (y, x) of their image where that is noted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it has another ending, or holds something else.
    """
    read = READERS[check_ending(path)]
    if not path.exists():
        raise FileNotFoundError(f"Expected an existing file, got {str(path)!r}; check the path.")
    try:
        return read(path)
    # Readers raise nearly every kind of exception when they meet a broken file.
    except BROKEN as error:
        reason = reason_of(error)
        raise ValueError(
            f"Expected outlines, got {str(path)!r} ({reason}); check that the file is whole and "
            "of the kind that its ending says."
        ) from error


def read_as_labels(path: Path) -> tuple[NDArray[np.int32], str]:
    """Return the outlines in a file as labels of the smallest size that holds them; their axes.

    Where the file notes the size of its image, that is the size of the labels.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it has another ending, or holds something else.
    """
    found, size = read_outlines(path)
    axes, shape = fitting(found)
    if size is not None:
        shape = (*shape[:-2], *size)
    return painted(found, axes, shape), axes


def check_ending(path: Path) -> str:
    """Return the ending of a file of outlines.

    Raises
    ------
    ValueError
        If it is another one.
    """
    ending = path.suffix.lower()
    if ending not in WRITERS:
        raise ValueError(
            "Expected outlines in a file that ends in .zip (ImageJ), .geojson (QuPath) or .json "
            f"(COCO), got {path.name!r}; change the ending."
        )
    return ending


def _write_rois(path: Path, found: Sequence[Outline], shape: Sequence[int], name: str) -> None:
    roiwrite = _roifile().roiwrite
    # The temporary file is there already, and what is there would be added to.
    roiwrite(path, [_roi(outline, len(shape)) for outline in found], mode="w")


def _roifile() -> Any:
    try:
        import roifile
    except ImportError as error:
        raise ImportError(
            "Expected roifile to be installed, which ImageJ's ROI sets need; install with "
            'pip install "napari-unet-nuclei[zoo]".'
        ) from error
    return roifile


def _roi(outline: Outline, n_axes: int) -> Any:
    """Return one nucleus as ImageJ's; of pieces or with holes as a composite."""
    library = _roifile()
    place = {"z": outline.z, "t": outline.t} if n_axes > 2 else {}
    name = f"{outline.label:05d}" + (f"-z{outline.z}-t{outline.t}" if place else "")
    corners = np.vstack(outline.rings)
    is_plain = len(outline.rings) == 1 and corners.max() <= LARGEST_ROI
    points = corners.astype(np.int32) if is_plain else corners
    roi = library.ImagejRoi.frompoints(points, name=name, **place)
    roi.roitype = library.ROI_TYPE.POLYGON
    if not is_plain:
        roi.roitype = library.ROI_TYPE.RECT
        roi.subpixel_coordinates = roi.integer_coordinates = None
        roi.n_coordinates, roi.options = 0, type(roi.options)(0)
        roi.multi_coordinates = _path(outline.rings)
        roi.shape_roi_size = len(roi.multi_coordinates)
    return roi


def _path(rings: Iterable[NDArray[np.float64]]) -> NDArray[np.float32]:
    steps: list[float] = []
    for ring in rings:
        for number, (x, y) in enumerate(ring.tolist()):
            steps += [LINE if number else MOVE, x, y]
        steps.append(CLOSE)
    return np.array(steps, np.float32)


def _read_rois(path: Path) -> tuple[list[Outline], None]:
    read = _roifile().roiread(path)
    rois = read if isinstance(read, list) else [read]
    own = [re.match(r"(\d+)(-z\d+-t\d+)?(\.roi)?$", roi.name or "") for roi in rois]
    # Names that ImageJ has given ("0123-0456") or somebody has typed are no labels.
    labels = [int(m[1]) for m in own if m] if all(own) else list(range(1, len(rois) + 1))
    return [_outline_of(roi, label) for roi, label in zip(rois, labels, strict=True)], None


def _outline_of(roi: Any, label: int) -> Outline:
    read = roi.coordinates(multi=True)
    rings = [np.asarray(ring, np.float64) for ring in (read if isinstance(read, list) else [read])]
    place = (max(0, roi.z_position - 1), max(0, roi.t_position - 1))
    # Which ring is a hole does not matter: what is inside of two of them is outside.
    return Outline(label, [[ring] for ring in rings], *place)


def _write_geojson(path: Path, found: Sequence[Outline], shape: Sequence[int], name: str) -> None:
    features = [_feature(outline) for outline in found]
    document = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(document), encoding="utf-8")


def _feature(outline: Outline) -> dict[str, Any]:
    """Return one nucleus as QuPath has its detections."""
    pieces = [[[*ring.tolist(), ring[0].tolist()] for ring in rings] for rings in outline.polygons]
    kind = "Polygon" if len(pieces) == 1 else "MultiPolygon"
    return {
        "type": "Feature",
        "geometry": {
            "type": kind,
            "coordinates": pieces[0] if len(pieces) == 1 else pieces,
            "plane": {"c": -1, "z": outline.z, "t": outline.t},
        },
        "properties": {
            "objectType": "detection",
            "name": str(outline.label),
            "classification": {"name": "Nucleus"},
        },
    }


def _read_geojson(path: Path) -> tuple[list[Outline], None]:
    document = json.loads(path.read_text(encoding="utf-8"))
    features = document["features"] if isinstance(document, dict) else document
    names = [str((feature.get("properties") or {}).get("name", "")) for feature in features]
    is_own = all(name.isdecimal() and int(name) > 0 for name in names)
    labels = map(int, names) if is_own else range(1, len(features) + 1)
    return [_from_feature(f, label) for f, label in zip(features, labels, strict=True)], None


def _from_feature(feature: dict[str, Any], label: int) -> Outline:
    geometry = feature["geometry"]
    if geometry["type"] not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"a {geometry['type']} has no inside")
    pieces = geometry["coordinates"]
    pieces = [pieces] if geometry["type"] == "Polygon" else pieces
    plane = geometry.get("plane", {})
    polygons = [[np.array(ring, np.float64)[:-1, :2] for ring in piece] for piece in pieces]
    return Outline(label, polygons, int(plane.get("z", 0)), int(plane.get("t", 0)))


def _write_coco(path: Path, found: Sequence[Outline], shape: Sequence[int], name: str) -> None:
    path.write_text(json.dumps(to_coco(found, shape, name)), encoding="utf-8")


def _read_coco(path: Path) -> tuple[list[Outline], tuple[int, ...] | None]:
    return from_coco(json.loads(path.read_text(encoding="utf-8")))


Write = Callable[[Path, Sequence[Outline], Sequence[int], str], None]
Read = Callable[[Path], tuple[list[Outline], tuple[int, ...] | None]]
WRITERS: dict[str, Write] = {
    ".zip": _write_rois,
    ".geojson": _write_geojson,
    ".json": _write_coco,
}
READERS: dict[str, Read] = {".zip": _read_rois, ".geojson": _read_geojson, ".json": _read_coco}
