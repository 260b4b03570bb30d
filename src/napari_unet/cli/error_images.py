"""Images that show in colours what is wrong with each nucleus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_unet.images.atomic import overwriting
from napari_unet.jobs import stem_of
from napari_unet.nuclei.errors import COLOURS, Kind
from napari_unet.segmentation import WALK

FLAT, STACK = "_errors.png", "_errors.tif"


def existing(names: Iterable[str], folder: Path) -> list[Path]:
    """Return the error images of these names that are in a folder already."""
    stems = [stem_of(Path(name)) for name in names]
    files = [folder / f"{stem}{ending}" for stem in stems for ending in (FLAT, STACK)]
    return [file for file in files if file.exists()]


def write_error_image(folder: Path, name: str, image: NDArray[np.uint8]) -> Path:
    """Write an error image in colours: a plane as PNG, a stack or movie as TIFF.

    Parameters
    ----------
    folder : Path
        Is made if it is not there.
    name : str
        Of the image.
    image : array of uint8
        Kinds, as :class:`napari_unet.nuclei.errors.Judgement` has them; 0 is black.

    Returns
    -------
    Path
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pixels = in_colours(image)
    file = folder / f"{stem_of(Path(name))}{FLAT if image.ndim == 2 else STACK}"
    with overwriting(file) as temporary:
        if image.ndim == 2:
            iio.imwrite(temporary, pixels, extension=".png", plugin="pillow")
        else:
            axes = {"axes": WALK[-image.ndim :] + "S"}
            tifffile.imwrite(
                temporary, pixels, photometric="rgb", compression="zlib", metadata=axes
            )
    return file


def in_colours(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return kinds as red, green and blue.

    Examples
    --------
    >>> in_colours(np.array([[0, 2]], np.uint8)).tolist()
    [[[0, 0, 0], [213, 94, 0]]]
    """
    table = np.zeros((max(Kind) + 1, 3), np.uint8)
    for kind, colour in COLOURS.items():
        table[kind] = list(bytes.fromhex(colour[1:]))
    return table[image]
