"""``napari-unet convert``: labels for other programs, and from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_unet.cli.failures import refused
from napari_unet.cli.measure import read_label_file
from napari_unet.cli.options import Axes, Overwrite, Quiet, check_axes

if TYPE_CHECKING:
    from napari_unet.images.files import ImageFile


def convert(
    labels: Annotated[Path, typer.Argument(help="Label file, OME-Zarr labels, or outlines.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help=".zip (ImageJ), .geojson (QuPath), .json (COCO), .tif or .png."
        ),
    ],
    image: Annotated[
        Path | None,
        typer.Option(
            help="Image that outlines lie on: its size becomes that of the labels; the smallest "
            "that holds all of them if not given.",
            show_default=False,
        ),
    ] = None,
    axes: Axes = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write labels as outlines for other programs, or outlines as labels.

    Outlines follow the edges of the pixels, with holes, so that they become the same labels again;
    where outlines overlap, the later one is on top.

    Example: napari-unet convert cells_labels.tif -o cells.zip
    """
    from napari_unet.images.files import SUFFIXES, write_labels
    from napari_unet.images.ome_zarr import is_zarr
    from napari_unet.images.outline_files import check_ending, write_outlines

    check_axes(axes)
    writes_labels = output.suffix.lower() in SUFFIXES
    with refused():
        for path in (labels, output):
            if path.suffix.lower() not in SUFFIXES and (path == output or not is_zarr(path)):
                check_ending(path)
    found = read_any(labels, image, axes)
    output.parent.mkdir(parents=True, exist_ok=True)
    if writes_labels:
        known = (found.scale, found.units)
        write_labels(output, found.data, found.axes, *known, overwrite=overwrite)
    else:
        write_outlines(output, found.data, found.axes, overwrite=overwrite)
    if not quiet:
        print(f"{labels} -> {output}")


def read_any(path: Path, image: Path | None, axes: str | None) -> ImageFile:
    """Read labels from a label file or from outlines."""
    from napari_unet.images.files import SUFFIXES, ImageFile
    from napari_unet.images.ome_zarr import is_zarr
    from napari_unet.images.outline_files import read_as_labels, read_outlines
    from napari_unet.images.outlines import painted

    if path.suffix.lower() in SUFFIXES or is_zarr(path):
        return read_label_file(path, axes)
    if image is None:
        return ImageFile(*read_as_labels(path))
    outlines, _ = read_outlines(path)
    place = lies_on(image, axes)
    return ImageFile(
        painted(outlines, place.axes, place.data.shape), place.axes, place.scale, place.units
    )


def lies_on(image: Path, axes: str | None) -> ImageFile:
    """Return empty labels of the size of an image, with its voxel size."""
    import numpy as np

    from napari_unet.batch import read_input
    from napari_unet.images.axes import label_axes, label_shape, parse_axes
    from napari_unet.images.files import ImageFile

    read = read_input(image)
    letters = parse_axes(axes or read.axes, read.data.shape)
    empty = np.zeros(label_shape(letters, read.data.shape), np.int32)
    kept = label_axes(letters)
    scale = {axis: size for axis, size in read.scale.items() if axis in kept}
    units = {axis: unit for axis, unit in read.units.items() if axis in kept}
    return ImageFile(empty, kept, scale, units)
