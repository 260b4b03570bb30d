"""``napari-unet measure``: a table of the nuclei in a label file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet.cli.failures import FILES, USAGE, complain, refused, stop
from napari_unet.cli.options import Axes, Channel, Overwrite, Quiet, check_axes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_unet.images.files import ImageFile
    from napari_unet.nuclei.measuring import Task


def measure(
    labels: Annotated[
        Path, typer.Argument(help="Labels, one value per nucleus: a file or OME-Zarr.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The table, a .csv or .parquet file.")
    ],
    image: Annotated[
        list[Path] | None,
        typer.Option(
            help="Image of the same shape, for intensities; may be given several times.",
            show_default=False,
        ),
    ] = None,
    channel: Channel = None,
    axes: Axes = None,
    each_plane: Annotated[
        bool,
        typer.Option("--each-plane", help="Measure each plane along Z as an image of its own."),
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write a table of the nuclei in a label file.

    Size, place, shape and intensity, in the units of the label file. Of a movie, every frame is
    measured for itself. Several channels or images have their names at the end of the columns.

    Example: napari-unet measure cells_labels.tif --image cells.tif -o cells.csv
    """
    from napari_unet.nuclei.table_files import check_table_name, write_table

    check_axes(axes)
    with refused():
        check_table_name(output)
    if output.exists() and not overwrite:
        stop(
            f"Expected a new file, got the existing {output}; choose another one, or --overwrite.",
            FILES,
        )
    from napari_unet.nuclei.measuring import finish, steps
    from napari_unet.nuclei.summary import summarise

    found = read_label_file(labels, axes)
    measured = finish(
        steps(task_of(found, all_intensities(image or [], channel, axes), each_plane))
    )
    if measured.remark:
        complain(measured.remark)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_table(measured.table, output)
    if not quiet:
        print(f"{labels} -> {output}: {summarise(measured).text}")


def read_label_file(path: Path, axes: str | None) -> ImageFile:
    """Read labels with their axes and voxel size."""
    from dataclasses import replace

    from napari_unet.batch import read_label_input
    from napari_unet.images.axes import parse_axes

    file = read_label_input(path)
    # Labels have no channels: a short first axis that looks like them is depth.
    likely = file.axes.replace("C", "T" if "Z" in file.axes else "Z")
    return replace(file, axes=parse_axes(axes or likely, file.data.shape))


def all_intensities(
    paths: Sequence[Path], channel: int | None, axes: str | None
) -> dict[str, NDArray[np.generic]]:
    """Read images by what ends the names of their columns: the file's name if there are more."""
    named: dict[str, NDArray[np.generic]] = {}
    for path, stem in zip(paths, stems_of(paths), strict=True):
        for name, pixels in intensities(path, channel, axes).items():
            longer = f"{stem}_{name}" if name else stem
            named[longer if len(paths) > 1 else name] = pixels
    return named


def stems_of(paths: Sequence[Path]) -> list[str]:
    """Return what tells files apart: their names, with their folders where some are the same."""
    alone = [path.stem for path in paths]
    longer = [f"{path.absolute().parent.name}_{path.stem}" for path in paths]
    for names in (alone, longer):
        if len(set(names)) == len(names):
            return names
    stop(
        f"Expected images that their names or folders tell apart, got {', '.join(longer)}; give "
        "each once, and rename one.",
        USAGE,
    )


def intensities(
    path: Path, channel: int | None, axes: str | None
) -> dict[str, NDArray[np.generic]]:
    """Read an image, or its channels or colours by their names or numbers.

    The axes of the labels are also the image's, unless it has more or fewer of them.
    """
    import numpy as np

    from napari_unet.batch import read_input
    from napari_unet.images.axes import axis_letters, parse_axes, planes
    from napari_unet.images.intensity import drop_alpha

    image = read_input(path)
    is_alike = axes is not None and len(axis_letters(axes)) == image.data.ndim
    letters = parse_axes(axes, image.data.shape) if is_alike and axes else image.axes
    pixels = drop_alpha(image.data, letters)
    if channel is not None:
        planes(letters, image.data.shape, channel)  # refuses a channel that is not there
    axis = max(letters.find("C"), letters.find("S"))
    if axis < 0:
        return {"": pixels}
    separate = np.moveaxis(pixels, axis, 0)
    if channel is not None and "C" in letters:
        return {"": separate[channel]}
    names = image.channels if len(set(image.channels)) == len(separate) else map(str, count())
    return dict(zip(names, separate, strict=False))


def task_of(labels: ImageFile, images: dict[str, NDArray[np.generic]], each_plane: bool) -> Task:
    """Return what is to be measured, in the units of the label file where it has them."""
    import numpy as np

    from napari_unet.nuclei.measure import symbol
    from napari_unet.nuclei.measuring import Task

    known = calibration(labels, labels.axes.replace("T", ""))
    sizes = [known["scale"].get(axis, 1.0) if known else 1.0 for axis in labels.axes]
    transform = np.column_stack([np.diag(sizes), np.zeros(len(sizes))])
    unit = symbol(sizes, known["units"]) if known else symbol(None, None)
    return Task(labels.data, labels.axes, images, transform, unit, each_plane)


def calibration(labels: ImageFile, spatial: str) -> dict[str, Any]:
    """Return pixel sizes and unit where the file knows both of every axis, in one unit."""
    units = {labels.units.get(axis) for axis in spatial}
    if not all(axis in labels.scale for axis in spatial):
        return {}
    if len(units) > 1:
        complain("The axes have different units, so sizes are given in pixels.")
        return {}
    scale, unit = {axis: labels.scale[axis] for axis in spatial}, units.pop()
    # OME-Zarr has a scale of 1 where none is known.
    return {} if unit is None and set(scale.values()) == {1} else {"scale": scale, "units": unit}
