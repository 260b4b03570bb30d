"""Image files that are opened but not read: pixels come when they are asked for."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import tifffile
import zarr

from napari_unet.images.axes import LETTERS, parse_axes
from napari_unet.images.calibration import read_calibration
from napari_unet.images.files import TIFF_SUFFIXES, ImageFile, calibrated, read_image
from napari_unet.images.ome_tiff import own_series
from napari_unet.images.ome_zarr import is_zarr, open_ome_zarr


def open_image(path: Path, axes: str | None = None) -> ImageFile:
    """Return an image as `napari_unet.images.files.read_image` does, unread where that is possible.

    An OME-Zarr image and the TIFF files that name their axes are read piece by piece; what is in a
    TIFF file without compression is mapped into memory. Others are read whole.

    Parameters
    ----------
    path : Path
        A file, or the folder of an OME-Zarr image.
    axes : str, optional
        In place of those that the file tells.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no image, or the axes do not fit it.
    """
    found = open_ome_zarr(path) if is_zarr(path) else _open_file(path)
    return replace(found, axes=parse_axes(axes, found.data.shape)) if axes is not None else found


def _open_file(path: Path) -> ImageFile:
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return read_image(path)
    try:
        with tifffile.TiffFile(path) as tiff:
            number, series = own_series(tiff)
            axes, shape, found = series.axes, series.shape, read_calibration(tiff)
        pixels = _pixels(path, number, mapped=series.dataoffset is not None)
    # A broken file is told of by the reader, in a sentence.
    except Exception:
        return read_image(path)
    if not set(axes) <= set(LETTERS) or "S" in axes[:-1]:
        return read_image(path)
    return calibrated(pixels, parse_axes(axes, shape), found)


def _pixels(path: Path, series: int, *, mapped: bool) -> Any:
    if mapped:
        return tifffile.memmap(path, series=series, mode="r")
    store = tifffile.imread(path, aszarr=True, series=series, level=0)
    pixels = zarr.open(store, mode="r")
    weakref.finalize(pixels, store.close)
    return pixels
