"""Arrays of bytes that may be larger than what memory should be taken for."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_unet.images.amounts import size_text

Room = Callable[[tuple[int, ...]], NDArray[np.uint8]]
"""Gives zeros of a shape."""

LARGEST_IN_MEMORY = 1 << 30  # bytes


def in_memory(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return zeros of a shape."""
    return np.zeros(shape, np.uint8)


def roomy(shape: tuple[int, ...], largest: int = LARGEST_IN_MEMORY) -> NDArray[np.uint8]:
    """Return zeros of a shape, those of many bytes in a file that goes when the array does.

    The file is in a temporary folder. Where the disk has no room for it, memory has to do.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    largest : int
        Bytes that may be in memory.
    """
    n_bytes = math.prod(shape)
    # A file that the disk has no room for would end the whole program when it is written to.
    if n_bytes <= largest or shutil.disk_usage(tempfile.gettempdir()).free < 2 * n_bytes:
        return in_memory(shape)
    folder = Path(tempfile.mkdtemp(prefix="napari-unet-"))
    array = np.memmap(folder / "maps", np.uint8, "w+", shape=shape)
    # At the end of the program as well; a file that is in use can only stay, on Windows.
    weakref.finalize(array, shutil.rmtree, folder, ignore_errors=True)
    return array


def is_on_disk(array: NDArray[np.uint8]) -> bool:
    """Tell whether an array of `roomy`, or a part of it, is in a file."""
    return isinstance(array, np.memmap)


def check_memory(n_bytes: int) -> None:
    """Refuse to make an array for which there is no memory, before any of it is taken.

    A few bytes of a file can claim an image of any size.

    Raises
    ------
    ValueError
        If fewer bytes are free.
    """
    free = psutil.virtual_memory().available
    if n_bytes > free:
        raise ValueError(f"it needs {size_text(n_bytes)} of memory, and {size_text(free)} are free")
