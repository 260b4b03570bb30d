"""Image and label files: TIFF, OME-TIFF, PNG, JPEG and BMP."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_unet.images.atomic import overwriting
from napari_unet.images.axes import LETTERS, guess_axes, label_axes, parse_axes
from napari_unet.images.calibration import Calibration, read_calibration, tiff_options
from napari_unet.images.made_by import software
from napari_unet.images.ome_tiff import own_series
from napari_unet.images.reasons import missing, reason_of
from napari_unet.images.roomy import check_memory

TIFF_SUFFIXES = (".tif", ".tiff")
FLAT_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
SUFFIXES = TIFF_SUFFIXES + FLAT_SUFFIXES


@dataclass(frozen=True)
class ImageFile:
    """An image and what its file tells about it.

    Attributes
    ----------
    data : array
        The pixels, in their own type; NumPy, or what reads them when they are asked for.
    axes : str
        One letter per axis of `data`; guessed from the shape where the file does not say.
    scale : dict of str to float
        Voxel size (or time step) by axis letter, where known.
    units : dict of str to str
        Unit of each size, such as "um" or "s", where known.
    channels : tuple of str
        Names of the channels, where known.
    origin : dict of str to float
        Where the first pixel lies, by axis letter and in the units of `scale`, where known.
    """

    data: Any
    axes: str
    scale: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    origin: dict[str, float] = field(default_factory=dict)


def read_image(path: str | os.PathLike[str]) -> ImageFile:
    """Return the first image of a TIFF, OME-TIFF, PNG, JPEG or BMP file.

    Of a set of OME-TIFF files, that is the first one with pixels in this file.

    Axes of length 1 that only the metadata of a TIFF names are left out, as tifffile does.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is empty, broken, a folder, or of an unknown type.
    """
    file = Path(path)
    _check_readable(file)
    with _decoding(file):
        if file.suffix.lower() in TIFF_SUFFIXES:
            return _read_tiff(file)
        return _read_flat(file)


def read_labels(path: str | os.PathLike[str]) -> NDArray[np.int32]:
    """Return the labels in a TIFF or PNG file as int32, in the shape of the file.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file cannot be read, or its pixels are no labels.
    """
    return labels_of(read_image(path), path)


def labels_of(image: ImageFile, path: str | os.PathLike[str]) -> NDArray[np.int32]:
    """Return the pixels that were read from a path as labels, int32.

    Raises
    ------
    ValueError
        If they are none.
    """
    if image.axes.endswith("S"):
        raise ValueError(
            f"Expected labels with one number per pixel, got colours in {str(path)!r}; "
            "save the labels as grey values or as TIFF."
        )
    if image.data.size and not _are_labels(image.data):
        raise ValueError(
            f"Expected whole numbers from 0 to {2**31 - 1} as labels, got {image.data.dtype} from "
            f"{image.data.min()} to {image.data.max()} in {str(path)!r}; "
            "choose a file that holds labels."
        )
    labels: NDArray[np.int32] = image.data.astype(np.int32)
    return labels


def write_labels(
    path: str | os.PathLike[str],
    labels: NDArray[np.integer],
    axes: str,
    scale: Mapping[str, float] | None = None,
    units: Mapping[str, str] | None = None,
    overwrite: bool = False,
    made_by: Mapping[str, Any] | None = None,
) -> None:
    """Write labels to a TIFF, OME-TIFF or PNG file.

    TIFF files are compressed (zlib) and hold uint16, or uint32 where a label needs it. Names that
    end in .ome.tif get OME metadata, other TIFF files ImageJ's where that can hold them. PNG holds
    one plane of labels up to 65535, without voxel size.

    Parameters
    ----------
    path : path
        File to write, in an existing folder.
    labels : array of int
        Labels of 0 and above.
    axes : str
        Axes of the labels, such as "ZYX".
    scale : mapping of str to float, optional
        Voxel size (or time step) by axis letter.
    units : mapping of str to str, optional
        Unit of each size, such as "um" or "s".
    overwrite : bool
        Whether an existing file may be replaced.
    made_by : mapping, optional
        What `napari_unet.images.made_by.read_made_by` is to find in a TIFF file.

    Raises
    ------
    FileExistsError
        When the file exists and `overwrite` is false.
    FileNotFoundError, PermissionError
        When the folder does not exist or cannot be written.
    ValueError
        When the labels do not fit the axes or the type of file.
    """
    file = Path(path)
    if file.exists() and not overwrite:
        raise FileExistsError(
            f"Expected a new file, got the existing {str(file)!r}; choose another name or allow "
            "overwriting."
        )
    stored = _smallest_type(labels)
    axes = _checked_label_axes(axes, labels.shape)
    suffix = file.suffix.lower()
    if suffix == ".png":
        _check_fits_png(stored)
        content = iio.imwrite("<bytes>", stored, extension=".png", plugin="pillow")
        with overwriting(file, is_new=not overwrite) as temporary:
            temporary.write_bytes(content)
    elif suffix in TIFF_SUFFIXES:
        ome = file.name.lower().endswith((".ome.tif", ".ome.tiff"))
        options = tiff_options(stored, axes, scale or {}, units or {}, ome=ome)
        with overwriting(file, is_new=not overwrite) as temporary:
            tifffile.imwrite(temporary, stored, software=software(made_by), **options)
    else:
        raise ValueError(
            f"Expected a label file that ends in .tif, .ome.tif or .png, got {file.name!r}; "
            "change the ending."
        )


def image_files(path: str | os.PathLike[str]) -> list[Path]:
    """Return a file itself, or the sorted image files of a folder without hidden ones.

    Raises
    ------
    FileNotFoundError
        When there is no such file or folder.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(missing(place))
    if place.is_file():
        return [place]
    return sorted(
        file
        for file in place.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


def _check_readable(file: Path) -> None:
    if not file.exists():
        raise FileNotFoundError(missing(file))
    if file.is_dir():
        raise ValueError(
            f"Expected an image file, got the folder {str(file)!r}; name one of the files in it."
        )
    if file.suffix.lower() not in SUFFIXES:
        advice = "unpack it" if file.suffix.lower() == ".zip" else "convert it to TIFF"
        raise ValueError(
            f"Expected an image file that ends in {', '.join(SUFFIXES)}, got {file.name!r}; "
            f"{advice} first."
        )
    if file.stat().st_size == 0:
        raise ValueError(f"Expected an image, got the empty file {str(file)!r}; copy it again.")


@contextmanager
def _decoding(file: Path) -> Iterator[None]:
    try:
        yield
    except (MemoryError, PermissionError):
        raise
    # Decoders raise nearly every kind of exception when they meet a broken file.
    except Exception as error:
        # imageio's own words are that it does not know why; tifffile's say it best.
        cause = error if isinstance(error, tifffile.TiffFileError) else error.__cause__ or error
        reason = reason_of(cause)
        raise ValueError(
            f"Expected an image that can be read, got {str(file)!r} ({reason}); "
            "check that the file is whole and of the type that its name says."
        ) from error


def _read_tiff(file: Path) -> ImageFile:
    with tifffile.TiffFile(file) as tiff:
        _check_whole(tiff)
        _, series = own_series(tiff)
        check_memory(series.size * series.dtype.itemsize)
        data, axes = _standard_axes(series.asarray(), series.axes)
        found = read_calibration(tiff)
    return calibrated(data.astype(data.dtype.newbyteorder("="), copy=False), axes, found)


def _check_whole(tiff: tifffile.TiffFile) -> None:
    """Refuse a cut-off chain of pages, of which tifffile reads the pages that are left."""
    handle, last_link = tiff.filehandle, tiff.pages.next_page_offset
    if last_link is None:
        return
    handle.seek(last_link)
    if any(handle.read(tiff.tiff.offsetsize)):
        raise ValueError(f"the file ends after {len(tiff.pages)} of its pages")


def _read_flat(file: Path) -> ImageFile:
    with iio.imopen(file, "r", plugin="pillow") as flat:
        told = flat.properties(index=0)
        check_memory(math.prod(told.shape) * told.dtype.itemsize)
        data = flat.read(index=0)
    if data.ndim == 3 and data.shape[2] == 2:
        data = data[..., 0]  # grey with alpha
    return ImageFile(data, "YX" if data.ndim == 2 else "YXS")


def _standard_axes(data: NDArray[Any], axes: str) -> tuple[NDArray[Any], str]:
    """Return data and axes in our letters; tifffile's Q, I and others only mean "some axis"."""
    if "S" in axes and data.shape[axes.index("S")] not in (3, 4):
        axes = axes.replace("S", "C" if "C" not in axes else "Q")
    if "S" in axes:
        data = np.moveaxis(data, axes.index("S"), -1)
        axes = axes.replace("S", "") + "S"
    if set(axes) <= set(LETTERS):
        return data, parse_axes(axes, data.shape)
    return data, guess_axes(data.shape, rgb=axes.endswith("S"), axis_labels=tuple(axes))


def calibrated(data: Any, axes: str, found: Calibration) -> ImageFile:
    """Return an image with what is known of its axes and of as many channels as it has."""
    n_channels = data.shape[axes.index("C")] if "C" in axes else 1
    return ImageFile(
        data,
        axes,
        {letter: found.scale[letter] for letter in axes if letter in found.scale},
        {letter: found.units[letter] for letter in axes if letter in found.units},
        found.channels if len(found.channels) == n_channels else (),
    )


def _are_labels(data: NDArray[Any]) -> bool:
    if data.dtype.kind not in "biuf":
        return False
    in_range = data.min() >= 0 and data.max() <= 2**31 - 1
    return bool(in_range and (data.dtype.kind != "f" or np.array_equal(data, np.rint(data))))


def _smallest_type(labels: NDArray[Any]) -> NDArray[np.unsignedinteger]:
    if labels.dtype.kind not in "biu" or labels.size == 0:
        raise ValueError(
            f"Expected at least one pixel of whole numbers as labels, got {labels.dtype} of the "
            f"shape {labels.shape}; give the labels of an image."
        )
    if labels.min() < 0 or labels.max() >= 2**32:
        raise ValueError(
            f"Expected labels from 0 to {2**32 - 1}, got {labels.min()} to {labels.max()}; "
            "renumber the labels."
        )
    return labels.astype(np.uint16 if labels.max() < 2**16 else np.uint32)


def _checked_label_axes(axes: str, shape: tuple[int, ...]) -> str:
    checked = parse_axes(axes, shape)
    if label_axes(checked) != checked:
        raise ValueError(
            f"Expected axes of labels, without C and S, got {checked!r}; labels have one value "
            "for all channels."
        )
    return checked


def _check_fits_png(labels: NDArray[np.unsignedinteger]) -> None:
    if labels.ndim != 2 or labels.dtype != np.uint16:
        raise ValueError(
            f"Expected one plane of labels up to 65535 for PNG, got the shape {labels.shape} "
            f"with labels up to {labels.max()}; write a .tif file."
        )
