"""The axes that a file names, read without its pixels."""

from __future__ import annotations

import os
from pathlib import Path

import tifffile

from napari_unet.images.axes import LETTERS
from napari_unet.images.files import TIFF_SUFFIXES


def file_axes(path: str | os.PathLike[str] | None, shape: tuple[int, ...]) -> str:
    """Return the axes of an array according to the TIFF file that it was read from.

    Parameters
    ----------
    path : path, optional
        The file, if there is one.
    shape : tuple of int
        Shape of the array.

    Returns
    -------
    str
        One letter per axis; empty where the file's OME, ImageJ or shaped metadata do not name
        the axes of an array of this shape, or there is no such file.
    """
    if path is None or Path(path).suffix.lower() not in TIFF_SUFFIXES:
        return ""
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            axes, seen = series.axes, series.shape
    # A file that has changed or gone since is no reason to fail: the shape still tells enough.
    except (OSError, ValueError, IndexError, tifffile.TiffFileError):
        return ""
    known = set(axes) <= set(LETTERS) and axes.find("S") in (-1, len(axes) - 1)
    return axes if known and seen == shape else ""
