"""Labels larger than memory in a TIFF file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_unet.images.atomic import overwriting
from napari_unet.images.calibration import tiff_options
from napari_unet.images.made_by import software

TILE = 512  # px

_Kind = np.dtype[np.uint16] | np.dtype[np.uint32]

Rows = Callable[[int], Iterator[NDArray[np.uint32]]]
"""A number of rows to all planes one after the other, that many rows (y, x) at a time."""


def write_big_labels(
    path: Path,
    rows: Rows,
    shape: tuple[int, ...],
    axes: str,
    scale: Mapping[str, float],
    units: Mapping[str, str],
    highest: int,
    made_by: Mapping[str, Any] | None = None,
) -> None:
    """Write labels to a TIFF file in tiles; a BigTIFF where they need more than 4 GB.

    Parameters
    ----------
    path : Path
        The file, which is replaced.
    rows : callable
        Gives the labels.
    shape, axes, scale, units
        Of the labels; see `napari_unet.images.files.write_labels`.
    highest : int
        The highest label.
    made_by : mapping, optional
        See `napari_unet.images.files.write_labels`.
    """
    kind: _Kind = np.dtype(np.uint16) if highest < 2**16 else np.dtype(np.uint32)
    alike = np.broadcast_to(np.zeros((), kind), shape)
    ome = path.name.lower().endswith((".ome.tif", ".ome.tiff"))
    # ImageJ reads no tiles.
    options = tiff_options(alike, axes, scale, units, ome=ome) | {"imagej": False}
    with overwriting(path) as temporary:
        tifffile.imwrite(
            temporary,
            _tiles(rows, kind),
            shape=shape,
            dtype=kind,
            tile=(TILE, TILE),
            software=software(made_by),
            bigtiff=alike.nbytes >= 2**32 - 2**25,
            **options,
        )


def _tiles(rows: Rows, kind: _Kind) -> Iterator[NDArray[np.unsignedinteger]]:
    for strip in rows(TILE):
        for start in range(0, strip.shape[1], TILE):
            part = strip[:, start : start + TILE].astype(kind)
            missing = [(0, TILE - n) for n in part.shape]
            yield np.ascontiguousarray(np.pad(part, missing))
