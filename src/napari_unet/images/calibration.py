"""Voxel sizes, units and channel names in the metadata of TIFF files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_unet.images.ome_tiff import own_image

UNITS = {
    "um": "um", "µm": "um", "μm": "um", "\\u00b5m": "um", "micron": "um", "microns": "um",
    "micrometer": "um", "micrometers": "um", "micrometre": "um", "micrometres": "um",
    "nm": "nm", "nanometer": "nm", "nanometre": "nm", "mm": "mm", "millimeter": "mm",
    "millimetre": "mm", "cm": "cm", "å": "angstrom", "angstrom": "angstrom",
    "s": "s", "sec": "s", "second": "s", "seconds": "s", "ms": "ms", "min": "min", "h": "h",
}  # fmt: skip
OME_UNITS = {"um": "µm", "angstrom": "Å"}

# Scanners and drawing programs write 72 to 2400 dots per inch; 10 µm is finer than all of them.
LARGEST_MICROSCOPE_PIXEL_UM = 10.0

# ImageJ's variant of TIFF cannot hold more than 4 GiB; half of it leaves room for metadata.
LARGEST_IMAGEJ_BYTES = 2**31


@dataclass(frozen=True)
class Calibration:
    """What a file tells about its axes.

    Attributes
    ----------
    scale : dict of str to float
        Size of a step along each known axis, by axis letter.
    units : dict of str to str
        Unit of each size, such as "um" or "s", where the file has one.
    channels : tuple of str
        Names of the channels.
    """

    scale: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()


def read_calibration(tiff: tifffile.TiffFile) -> Calibration:
    """Return the calibration of the first image of a TIFF file's own (OME, ImageJ or plain)."""
    if tiff.is_ome and tiff.ome_metadata:
        return _from_ome(own_image(tiff))
    if tiff.imagej_metadata:
        return _from_properties(tiff.imagej_metadata, tiff.pages.first)
    if tiff.shaped_metadata and tiff.pages.first.resolutionunit == tifffile.RESUNIT.NONE:
        return _from_properties(tiff.shaped_metadata[0], tiff.pages.first)
    return _from_resolution(tiff.pages.first)


def tiff_options(
    labels: NDArray[np.unsignedinteger],
    axes: str,
    scale: Mapping[str, float],
    units: Mapping[str, str],
    *,
    ome: bool,
) -> dict[str, Any]:
    """Return the arguments with which ``tifffile.imwrite`` stores labels and their voxel size.

    Parameters
    ----------
    labels : array of uint16 or uint32
        The labels to store.
    axes : str
        Their axes, such as "ZYX".
    scale, units : mapping of str
        Voxel size (or time step) and its unit, by axis letter.
    ome : bool
        Whether to write OME metadata; otherwise ImageJ's where that can hold the labels.
    """
    shared: dict[str, Any] = {
        "photometric": "minisblack",
        "compression": "zlib",
        "resolutionunit": "none",
    }
    if ome:
        return shared | {"ome": True, "metadata": {"axes": axes} | _ome_metadata(scale, units)}
    shared |= {"ome": False, "metadata": {"axes": axes} | _imagej_metadata(scale, units)}
    if "X" in scale and "Y" in scale:
        shared |= {"resolution": (1 / scale["X"], 1 / scale["Y"])}
    in_order = axes in ("YX", "ZYX", "TYX", "TZYX")
    fits = labels.dtype == np.uint16 and labels.nbytes < LARGEST_IMAGEJ_BYTES
    return shared | {"imagej": in_order and fits}


def _ome_metadata(scale: Mapping[str, float], units: Mapping[str, str]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for letter, size in scale.items():
        name = "TimeIncrement" if letter == "T" else f"PhysicalSize{letter}"
        attributes[name] = size
        if letter in units:
            attributes[f"{name}Unit"] = OME_UNITS.get(units[letter], units[letter])
    return attributes


def _imagej_metadata(scale: Mapping[str, float], units: Mapping[str, str]) -> dict[str, Any]:
    steps = {"spacing": scale.get("Z"), "finterval": scale.get("T")}
    names = {"X": "unit", "Y": "yunit", "Z": "zunit", "T": "tunit"}
    labels = {name: units.get(letter) for letter, name in names.items()}
    return {name: value for name, value in (steps | labels).items() if value is not None}


def _from_ome(image: Mapping[str, Any]) -> Calibration:
    pixels = _first(image.get("Pixels", {}))
    sizes = {letter: pixels.get(f"PhysicalSize{letter}") for letter in "ZYX"}
    units = {letter: pixels.get(f"PhysicalSize{letter}Unit", "µm") for letter in "ZYX"}
    sizes["T"] = pixels.get("TimeIncrement")
    units["T"] = pixels.get("TimeIncrementUnit", "s")
    channels = pixels.get("Channel", [])
    named = channels if isinstance(channels, list) else [channels]
    names = tuple(str(channel.get("Name", "")) for channel in named)
    return _checked(sizes, units, names if any(names) else ())


def _from_properties(properties: Mapping[str, Any], page: Any) -> Calibration:
    """Read ImageJ's properties; x and y are in the TIFF resolution, as pixels per unit."""
    x, y = _pixel_size(page)
    sizes = {"X": x, "Y": y, "Z": properties.get("spacing"), "T": properties.get("finterval")}
    unit = properties.get("unit")
    units = {
        "X": unit,
        "Y": properties.get("yunit", unit),
        "Z": properties.get("zunit", unit),
        "T": properties.get("tunit", "s"),
    }
    if unit is None and x == y == 1:
        del sizes["X"], sizes["Y"]
    names = properties.get("Labels") or ()  # of slices; `files` takes them if one is for a channel
    channels = tuple(map(str, names)) if isinstance(names, list | tuple) else (str(names),)
    if str(unit).lower() in ("inch", "pixel", "pixels"):
        return Calibration(channels=channels)
    return _checked(sizes, units, channels)


def _from_resolution(page: Any) -> Calibration:
    if page.resolutionunit not in (tifffile.RESUNIT.INCH, tifffile.RESUNIT.CENTIMETER):
        return Calibration()
    x, y = _pixel_size(page, tifffile.RESUNIT.MICROMETER)
    if max(x, y) > LARGEST_MICROSCOPE_PIXEL_UM:
        return Calibration()
    return _checked({"X": x, "Y": y}, {"X": "um", "Y": "um"}, ())


def _pixel_size(page: Any, unit: tifffile.RESUNIT | None = None) -> tuple[float, float]:
    x, y = page.get_resolution(unit)
    return (1 / x if x else 0.0, 1 / y if y else 0.0)


def _checked(
    sizes: Mapping[str, Any], units: Mapping[str, Any], channels: tuple[str, ...]
) -> Calibration:
    scale = {
        letter: float(size)
        for letter, size in sizes.items()
        if isinstance(size, int | float) and 0 < size < float("inf")
    }
    known = {letter: UNITS.get(str(units[letter]).strip().lower()) for letter in scale}
    return Calibration(scale, {letter: unit for letter, unit in known.items() if unit}, channels)


def _first(entry: Any) -> Any:
    return entry[0] if isinstance(entry, list) else entry
