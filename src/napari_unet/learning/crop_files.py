"""One crop as a ``.safetensors`` file: three arrays and a header, checked before they are read."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from napari_unet.images.atomic import overwriting
from napari_unet.learning.crops import Crop, check_form

HEADER = "napari_unet_correction"
FORMAT = 1
LARGEST_FILE = 2**28  # bytes; a crop of 512 px in 16 bit has 2 MB
LONGEST_HEADER = 100_000  # characters
LARGEST_NUMBER = sys.float_info.max
# As safetensors calls them, and NumPy.
DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16",
    "U32": "uint32", "I32": "int32", "U64": "uint64", "I64": "int64",
    "F16": "float16", "F32": "float32", "F64": "float64",
}  # fmt: skip
DAMAGED = (SafetensorError, ValueError, RecursionError)


def write_crop(crop: Crop, path: Path) -> None:
    """Write a crop; its date is now if it has none.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    arrays = {"image": crop.pixels, "labels": crop.labels, "known": crop.known}
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with overwriting(path) as temporary:
        save_file(tensors, temporary, {HEADER: _header_of(crop)})


def read_crop(path: Path) -> Crop:
    """Return the crop in a file, which is checked before its arrays are read.

    Raises
    ------
    ValueError
        If it is not one, or damaged.
    OSError
        If it cannot be read.
    """
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"Expected a file of at most 256 MiB, got {path.name!r}; remove it.")
    try:
        with safe_open(path, framework="np") as file:
            header = _checked_header(file)
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            check_form(
                {name: tuple(part.get_shape()) for name, part in slices.items()},
                {name: DTYPES.get(part.get_dtype(), "") for name, part in slices.items()},
            )
            arrays = {name: file.get_tensor(name) for name in slices}
        if arrays["labels"].min() < 0:
            raise ValueError("its labels are negative")
        image, labels, known = (arrays[name] for name in ("image", "labels", "known"))
        return Crop(image, labels, known, **header)
    except DAMAGED as error:
        raise ValueError(
            f"Expected a stored correction, got {path.name!r} ({str(error).rstrip('.')}); "
            "remove the file or fetch it again."
        ) from error


def nuclei_in(path: Path) -> int:
    """Return the number of nuclei that a file says it has; 0 if it is damaged."""
    try:
        with safe_open(path, framework="np") as file:
            return int(_number("number of nuclei", _header(file).get("nuclei")))
    except (*DAMAGED, OSError):
        return 0


def _header_of(crop: Crop) -> str:
    header = {
        "format": FORMAT,
        "source": crop.source,
        "place": crop.place,
        "date": crop.date or datetime.now(UTC).isoformat(timespec="seconds"),
        "diameter": crop.diameter,
        "limits": crop.limits,
        "nuclei": crop.n_nuclei,
    }
    return json.dumps(header)


def _checked_header(file: Any) -> dict[str, Any]:
    """Return source, place, date, diameter and limits of an open file."""
    header = _header(file)
    texts = {name: header.get(name) for name in ("source", "place", "date")}
    limits = header.get("limits")
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(limits, list):
        raise ValueError("its header is damaged")
    if datetime.fromisoformat(str(texts["date"])).tzinfo is None:
        raise ValueError("its date has no time zone")
    low, high = (_number("range of intensities", limit) for limit in limits)
    return {
        **texts,
        "diameter": _number("diameter", header.get("diameter")),
        "limits": (low, high),
    }


def _header(file: Any) -> dict[str, Any]:
    """Return the header of an open file as it was written."""
    text = (file.metadata() or {}).get(HEADER, "null")
    header = json.loads(text) if len(text) <= LONGEST_HEADER else None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("it was not written by this version of napari-unet")
    return header


def _number(name: str, value: object) -> float:
    # Whole numbers in a header may be larger than any float.
    if not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
        raise ValueError(f"its {name} is {value!r:.50}")
    return float(value)
