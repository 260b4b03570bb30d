"""OME-Zarr: images read piece by piece, labels written piece by piece with their pyramid.

NGFF 0.4 (Zarr 2) and 0.5 (Zarr 3), https://ngff.openmicroscopy.org/0.5.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_unet.images.axes import WORDS, axis_letters, guess_axes, parse_axes
from napari_unet.images.blocks import Block, blocks
from napari_unet.images.calibration import UNITS
from napari_unet.images.files import ImageFile
from napari_unet.images.made_by import ATTRIBUTE
from napari_unet.images.reasons import missing, reason_of
from napari_unet.images.roomy import check_memory

ZARR_SUFFIX = ".zarr"
LABELS_IN_IMAGE = "nuclei"  # what labels inside an image are called
OLDER, NEWER = 2, 3
"""Versions of Zarr; more programs read the older one."""

VERSIONS = {OLDER: "0.4", NEWER: "0.5"}
"""Of NGFF, by that of Zarr."""

UNIT_NAMES = {
    "um": "micrometer", "nm": "nanometer", "mm": "millimeter", "cm": "centimeter",
    "angstrom": "angstrom", "s": "second", "ms": "millisecond", "min": "minute", "h": "hour",
}  # fmt: skip
AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
LARGEST_CHUNK = 1024  # px
SMALLEST_LEVEL = 512  # px; a plane as small as this needs no smaller one
FIRST_AXES = "TCZYX"  # of NGFF before 0.3, which did not name them


def labels_inside(image: Path) -> Path:
    """Return where the labels of an image are in it."""
    return image / "labels" / LABELS_IN_IMAGE


def is_zarr(path: Path) -> bool:
    """Tell whether a path is a Zarr folder, or named like one that is to be made."""
    there = ("zarr.json", ".zgroup", ".zarray")
    return path.suffix.lower() == ZARR_SUFFIX or any((path / name).is_file() for name in there)


def is_zarr_array(path: Path) -> bool:
    """Tell whether a path is an array by itself, which has no room for labels in it."""
    if (path / ".zarray").is_file():
        return True
    try:
        return bool(json.loads((path / "zarr.json").read_bytes())["node_type"] == "array")
    # None is there, or a damaged one, of which whoever opens it says what is wrong.
    except (OSError, ValueError, KeyError, TypeError):
        return False


def open_ome_zarr(path: Path) -> ImageFile:
    """Return an OME-Zarr image, or a plain Zarr array, of which only what is asked for is read.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If it holds no image.
    """
    if not path.exists():
        raise FileNotFoundError(missing(path))
    try:
        if path.is_file():
            raise ValueError("it is a file, not a folder; if it is a zip, unpack it")
        found = zarr.open(path, mode="r")
        if isinstance(found, zarr.Array):
            return ImageFile(found, guess_axes(found.shape))
        return _image_of(found)
    # A damaged store raises whatever its codec or JSON does.
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OSError) as error:
        reason = reason_of(error)
        raise ValueError(
            f"Expected an OME-Zarr image, got {str(path)!r} ({reason}); name the folder that holds "
            "the multiscales metadata."
        ) from error


def read_ome_zarr(path: Path) -> ImageFile:
    """Return an OME-Zarr image, or a plain Zarr array, with all of its pixels in memory.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_ome_zarr`, and if there is no memory for it or a chunk is damaged.
    """
    image = open_ome_zarr(path)
    try:
        check_memory(image.data.nbytes)
        return replace(image, data=np.asarray(image.data[...]))
    # A codec raises whatever it does.
    except (RuntimeError, ValueError, OSError) as error:
        raise ValueError(
            f"Expected an OME-Zarr image that can be read, got {str(path)!r} "
            f"({reason_of(error)}); check that it is whole, or take a part of it."
        ) from error


def zarr_format(path: Path) -> int:
    """Return the version of Zarr that a folder is written in, 2 or 3."""
    return NEWER if (path / "zarr.json").is_file() else OLDER


def _image_of(group: zarr.Group) -> ImageFile:
    attributes: Mapping[str, Any] = dict(group.attrs)
    attributes = attributes.get("ome", attributes)
    if "multiscales" not in attributes:
        raise ValueError(_without_image(group, attributes))
    scales = attributes["multiscales"][0]
    array = group[scales["datasets"][0]["path"]]
    if not isinstance(array, zarr.Array):
        raise ValueError("its largest level is no array")
    named = scales.get("axes", [*FIRST_AXES.lower()])
    names = [axis if isinstance(axis, str) else axis["name"] for axis in named]
    # The format lets axes be called as one likes.
    letters = [WORDS.get(str(name).strip().lower(), str(name)) for name in names]
    axes = parse_axes(axis_letters("".join(letters)), array.shape)
    units = {
        letter: UNITS[axis["unit"].lower()]
        for letter, axis in zip(axes, named, strict=True)
        if not isinstance(axis, str) and str(axis.get("unit", "")).lower() in UNITS
    }
    sizes, starts = (_by_letter(axes, values) for values in _placed(scales))
    known = {letter: size for letter, size in sizes.items() if size > 0}
    listed = attributes.get("omero", {}).get("channels", [])
    channels = tuple(str(channel.get("label", "")) for channel in listed)
    return ImageFile(array, axes, known, units, channels if "C" in axes else (), starts)


def _without_image(group: zarr.Group, attributes: Mapping[str, Any]) -> str:
    """Return what a group without an image of its own is: where it holds several, say so."""
    first = ""
    if "plate" in attributes:
        well = attributes["plate"]["wells"][0]["path"]
        of_well: Mapping[str, Any] = dict(group[well].attrs)
        first = f"{well}/{of_well.get('ome', of_well)['well']['images'][0]['path']}"
    elif "well" in attributes:
        first = attributes["well"]["images"][0]["path"]
    elif "bioformats2raw.layout" in attributes:
        first = "0"
    several = f"it holds several images, the first of them {first!r}"
    return several if first else "it has no multiscales metadata"


def _by_letter(axes: str, values: NDArray[np.float64] | None) -> dict[str, float]:
    """Return what is told of each axis that labels have too."""
    told = zip(axes, [] if values is None else values.tolist(), strict=False)
    return {letter: value for letter, value in told if letter not in "CS"}


def _placed(
    scales: Mapping[str, Any],
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Return the size of a pixel of the largest level and where the first one lies, by axis.

    Of that which is not told there is None.
    """
    size = start = None
    for part in (scales["datasets"][0], scales):
        for step in part.get("coordinateTransformations", []):
            if step["type"] == "scale":
                by = np.asarray(step["scale"], np.float64)
                size = by if size is None else size * by
                start = None if start is None else start * by
            elif step["type"] == "translation" and "translation" in step:
                by = np.asarray(step["translation"], np.float64)
                start = by if start is None else start + by
    return size, start


def level_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes of a pyramid, the whole first; y and x are halved from level to level.

    Examples
    --------
    >>> level_shapes((3, 1500, 700))
    [(3, 1500, 700), (3, 750, 350), (3, 375, 175)]
    """
    shapes = [shape]
    while max(shapes[-1][-2:]) > SMALLEST_LEVEL:
        height, width = shapes[-1][-2:]
        shapes.append((*shape[:-2], -(-height // 2), -(-width // 2)))
    return shapes


def create_labels(
    path: Path,
    shape: tuple[int, ...],
    axes: str,
    side: int,
    scale: Mapping[str, float],
    units: Mapping[str, str],
    version: int = OLDER,
    made_by: Mapping[str, Any] | None = None,
    origin: Mapping[str, float] | None = None,
) -> None:
    """Make an empty label image with its pyramid, over whatever was there.

    Parameters
    ----------
    path : Path
        Of the group.
    shape, axes
        Of the labels, in the order T, Z, Y, X.
    side : int
        Of the blocks that are written, in pixels; no chunk lies in two of them.
    scale, units
        Voxel size (or time step) and its unit by axis letter, where known.
    version : int
        Of Zarr, 2 or 3.
    made_by : mapping, optional
        What `napari_unet.images.made_by.read_made_by` is to find.
    origin : mapping, optional
        Where the first pixel lies, by axis letter and in the units of `scale`.
    """
    shapes = level_shapes(shape)
    metadata = _metadata(shapes, axes, scale, units, VERSIONS[version], origin or {})
    nested = {"ome": metadata | {"version": VERSIONS[version]}}
    noted = {} if made_by is None else {ATTRIBUTE: dict(made_by)}
    group = zarr.create_group(
        path,
        overwrite=True,
        zarr_format=3 if version == NEWER else 2,
        attributes=(nested if version == NEWER else metadata) | noted,
    )
    chunk = _chunk(side)
    for level, size in enumerate(shapes):
        kind: Any = "v2" if version == OLDER else "default"
        group.create_array(
            str(level),
            shape=size,
            chunks=(*(1 for _ in size[:-2]), *(min(chunk, n) for n in size[-2:])),
            dtype=np.uint32,
            fill_value=0,
            chunk_key_encoding={"name": kind, "separator": "/"},
            dimension_names=[*axes.lower()] if version == NEWER else None,
        )


def _chunk(side: int) -> int:
    """Return the largest side of a chunk that a block's side is a multiple of."""
    parts = next(n for n in range(1, side + 1) if side % n == 0 and side // n <= LARGEST_CHUNK)
    return side // parts


def _metadata(
    shapes: list[tuple[int, ...]],
    axes: str,
    scale: Mapping[str, float],
    units: Mapping[str, str],
    version: str,
    origin: Mapping[str, float],
) -> dict[str, Any]:
    named = [
        {"name": letter.lower(), "type": AXIS_TYPES[letter]}
        | ({"unit": UNIT_NAMES[units[letter]]} if units.get(letter) in UNIT_NAMES else {})
        for letter in axes
    ]
    sizes = np.array([scale.get(letter, 1.0) for letter in axes])
    starts = [origin.get(letter, 0.0) for letter in axes]
    # The same at all levels, since the first pixel of each is that of the level above.
    moved = [{"type": "translation", "translation": starts}] if any(starts) else []
    datasets = []
    for level in range(len(shapes)):
        factors = np.array([2.0**level if letter in "YX" else 1.0 for letter in axes])
        steps = [{"type": "scale", "scale": (sizes * factors).tolist()}, *moved]
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    multiscale: dict[str, Any] = {"name": "nuclei", "axes": named, "datasets": datasets}
    of_version = {} if version == VERSIONS[NEWER] else {"version": version}
    return {"multiscales": [multiscale | of_version], "image-label": {**of_version}}


def level_blocks(path: Path, level: int, side: int) -> list[Block]:
    """Return the blocks in which a level of a pyramid is written.

    Parameters
    ----------
    path : Path
        Of the group that `create_labels` has made.
    level : int
        0 is the whole.
    side : int
        Of the blocks along y and x, in pixels; along other axes they are one pixel.
    """
    array = _level(path, level, "r")
    sides = (*(1 for _ in array.shape[:-2]), side, side)
    return blocks(array.shape, sides, [0] * array.ndim)


def write_level(path: Path, level: int, block: Block) -> None:
    """Write one block of a level from the level above it: every second pixel of y and x.

    Labels cannot be averaged: the mean of two ids is the id of a third nucleus.
    """
    above, array = _level(path, level - 1, "r"), _level(path, level, "r+")
    rows, columns = (slice(2 * part.start, 2 * part.stop, 2) for part in block.core[-2:])
    array[block.core] = above[*block.core[:-2], rows, columns]


def write_labels_at(
    path: Path, place: tuple[int | slice, ...], labels: NDArray[np.integer]
) -> None:
    """Write a part of the largest level of a label image.

    Parameters
    ----------
    path : Path
        Of the group that `create_labels` has made.
    place : tuple of int and slice
        Of the part; chunks that lie in it in part must not be written by others meanwhile.
    labels : array of int, shape of the part
        From 0 to 2**32 - 1.
    """
    _level(path, 0, "r+")[place] = labels.astype(np.uint32)


def read_planes(path: Path, n_rows: int) -> Iterator[NDArray[np.uint32]]:
    """Yield the largest level of a label image, some rows of one plane after the others."""
    array = _level(path, 0, "r")
    for index in np.ndindex(array.shape[:-2]):
        for start in range(0, array.shape[-2], n_rows):
            yield np.asarray(array[*index, start : start + n_rows])


def open_labels(path: Path) -> zarr.Array[Any]:
    """Return the largest level of a label image, unread."""
    return _level(path, 0, "r")


def _level(path: Path, level: int, mode: Any) -> zarr.Array[Any]:
    return zarr.open_array(path / str(level), mode=mode)


def add_to_image(image: Path, name: str) -> None:
    """List labels that were written into an OME-Zarr image as ``labels/<name>``."""
    version = zarr_format(image)
    group = zarr.open_group(image / "labels", mode="a", zarr_format=3 if version == NEWER else 2)
    attributes: dict[str, Any] = dict(group.attrs)
    place = attributes.get("ome", {}) if version == NEWER else attributes
    names = [*place.get("labels", [])]
    listed = {"labels": names if name in names else [*names, name]}
    group.attrs.update(
        {"ome": {**place, **listed, "version": VERSIONS[NEWER]}} if version == NEWER else listed
    )
