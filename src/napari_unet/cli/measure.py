"""``napari-unet measure``: a table of the nuclei in a label file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet.cli.failures import FILES, USAGE, complain, stop
from napari_unet.cli.options import Axes, Channel, Overwrite, Quiet, check_axes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_unet.images.files import ImageFile


def measure(
    labels: Annotated[Path, typer.Argument(help="Label file, one value per nucleus.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The table, a .csv file.")],
    image: Annotated[
        Path | None,
        typer.Option(help="Image of the same shape, for intensities.", show_default=False),
    ] = None,
    channel: Channel = None,
    axes: Axes = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Write a table of the nuclei in a label file.

    Size, place, shape and intensity, in the units of the label file. Of a movie, every frame is
    measured for itself.

    Example: napari-unet measure cells_labels.tif --image cells.tif -o cells.csv
    """
    check_axes(axes)
    if output.suffix.lower() != ".csv":
        stop(f"Expected a table that ends in .csv, got {output}; change the ending.", USAGE)
    if output.exists() and not overwrite:
        stop(
            f"Expected a new file, got the existing {output}; choose another one, or --overwrite.",
            FILES,
        )
    from napari_unet.images.atomic import overwriting

    found = read_label_file(labels, axes)
    pixels = None if image is None else intensities(image, channel, axes)
    table = measure_frames(found, pixels)
    output.parent.mkdir(parents=True, exist_ok=True)
    with overwriting(output) as temporary:
        table.to_csv(temporary, index=False)
    if not quiet:
        print(f"{labels} -> {output}: {len(table)} rows")


def read_label_file(path: Path, axes: str | None) -> ImageFile:
    """Read labels with their axes and voxel size."""
    from dataclasses import replace

    from napari_unet.batch import read_input
    from napari_unet.images.axes import parse_axes
    from napari_unet.images.files import read_labels

    labels = read_labels(path)
    file = read_input(path)
    # Labels have no channels: a short first axis that looks like them is depth.
    likely = file.axes.replace("C", "T" if "Z" in file.axes else "Z")
    return replace(file, data=labels, axes=parse_axes(axes or likely, labels.shape))


def intensities(path: Path, channel: int | None, axes: str | None) -> NDArray[np.generic]:
    """Read an image with its channels or colours last, or one channel of it.

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
    if "C" not in letters:
        return pixels
    channels_last = np.moveaxis(pixels, letters.index("C"), -1)
    return channels_last if channel is None else channels_last[..., channel]


def measure_frames(labels: ImageFile, pixels: NDArray[np.generic] | None) -> pd.DataFrame:
    """Measure labels; those of a movie frame by frame, with a first column ``frame``."""
    from itertools import repeat

    import numpy as np
    import pandas as pd

    from napari_unet.nuclei.measure import measure as measure_nuclei

    spatial = labels.axes.replace("T", "")
    options: dict[str, Any] = calibration(labels, spatial)
    if "T" not in labels.axes:
        return measure_nuclei(labels.data, pixels, **options)
    time = labels.axes.index("T")
    if pixels is not None and pixels.shape[: labels.data.ndim] != labels.data.shape:
        raise ValueError(
            f"Expected an image of the labels' shape {labels.data.shape}, got {pixels.shape}; "
            "choose the image that the labels were made from."
        )
    frames = np.moveaxis(labels.data, time, 0)
    seen = repeat(None) if pixels is None else np.moveaxis(pixels, time, 0)
    tables = [measure_nuclei(*pair, **options) for pair in zip(frames, seen, strict=False)]
    for frame, table in enumerate(tables):
        table.insert(0, "frame", frame)
    return pd.concat(tables, ignore_index=True)


def calibration(labels: ImageFile, spatial: str) -> dict[str, Any]:
    """Return pixel size and unit where the file knows both of every axis, in one unit."""
    units = {labels.units.get(axis) for axis in spatial}
    if not all(axis in labels.scale for axis in spatial):
        return {}
    if len(units) > 1:
        complain("The axes have different units, so sizes are given in pixels.")
        return {}
    return {"scale": [labels.scale[axis] for axis in spatial], "units": units.pop()}
