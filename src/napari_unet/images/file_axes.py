"""The axes and the shape that a file names, read without its pixels."""

from __future__ import annotations

import os
from pathlib import Path

import imageio.v3 as iio
import tifffile

from napari_unet.images.axes import LETTERS
from napari_unet.images.files import FLAT_SUFFIXES, TIFF_SUFFIXES
from napari_unet.images.ome_tiff import own_series


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
    axes, seen = ("", ()) if path is None else tiff_layout(Path(path))
    known = set(axes) <= set(LETTERS) and _has_colours_last(axes)
    return axes if known and seen == shape else ""


def holds_image(path: str | os.PathLike[str] | None, shape: tuple[int, ...]) -> bool:
    """Tell whether `files.read_image` finds an array of this shape in a file.

    Parameters
    ----------
    path : path, optional
        The file, if there is one.
    shape : tuple of int
        Shape of the array.
    """
    if path is None or 0 in shape:
        return False
    axes, seen = tiff_layout(Path(path))
    # Colours that are not the last axis become that when they are read.
    return shape == seen if seen and _has_colours_last(axes) else shape == _flat_shape(Path(path))


def _has_colours_last(axes: str) -> bool:
    return axes.find("S") in (-1, len(axes) - 1)


def tiff_layout(path: Path) -> tuple[str, tuple[int, ...]]:
    """Return axes and shape of the first image of a TIFF; nothing where there is none."""
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return "", ()
    try:
        with tifffile.TiffFile(path) as tiff:
            _, series = own_series(tiff)
            return series.axes, series.shape
    # A file that has changed or gone since is no reason to fail: the shape still tells enough.
    except (OSError, ValueError, IndexError, tifffile.TiffFileError):
        return "", ()


def _flat_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of a PNG, JPEG or BMP; nothing where there is none."""
    if path.suffix.lower() not in FLAT_SUFFIXES:
        return ()
    try:
        return tuple(iio.improps(path, plugin="pillow", index=0).shape)
    except (OSError, ValueError, IndexError):
        return ()
