"""Arrays that may be larger than what memory should be taken for."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_unet.images.amounts import size_text

Number = TypeVar("Number", bound=np.generic)


class Room(Protocol):
    """Gives zeros of a shape."""

    def __call__(self, shape: tuple[int, ...], dtype: type[Number], /) -> NDArray[Number]:
        """Return zeros of a shape and type."""


LARGEST_IN_MEMORY = 1 << 30  # bytes
PREFIX = "napari-unet-"  # of temporary folders
IS_GONE_AT_ONCE = os.name == "posix"  # a file that is in use, when it is deleted
SECONDS_UNTIL_LEFT = 24 * 3600  # then a folder that can be deleted is of a program that crashed


def in_memory(shape: tuple[int, ...], dtype: type[Number]) -> NDArray[Number]:
    """Return zeros of a shape and type."""
    return np.zeros(shape, dtype)


def roomy(
    shape: tuple[int, ...], dtype: type[Number], largest: int | None = None
) -> NDArray[Number]:
    """Return zeros of a shape and type, those of many bytes in a file that goes with the array.

    The file is in a temporary folder. Where the disk has no room for it, memory has to do.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    dtype : type
        Of its values.
    largest : int, optional
        Bytes that may be in memory; `LARGEST_IN_MEMORY` if not given.
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    largest = LARGEST_IN_MEMORY if largest is None else largest
    # A file that the disk has no room for would end the whole program when it is written to.
    if n_bytes <= largest or shutil.disk_usage(tempfile.gettempdir()).free < 2 * n_bytes:
        return in_memory(shape, dtype)
    _remove_left()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    array = np.memmap(folder / "array", dtype, "w+", shape=shape)
    if IS_GONE_AT_ONCE:
        # The array keeps what is in the file; a program that is killed leaves nothing behind.
        shutil.rmtree(folder)
    else:
        weakref.finalize(array, shutil.rmtree, folder, ignore_errors=True)
    return array


def copied(array: NDArray[Number]) -> NDArray[Number]:
    """Return a copy, that of many bytes in a file; see `roomy`."""
    copy = roomy(array.shape, array.dtype.type)
    copy[...] = array
    return copy


def moved(array: NDArray[Number]) -> NDArray[Number]:
    """Return an array, or a copy of it in a file where it is of many bytes; see `roomy`."""
    is_small = array.nbytes <= LARGEST_IN_MEMORY
    return array if is_small or is_on_disk(array) else copied(array)


def _remove_left() -> None:
    """Delete what programs have left that crashed; what is in use cannot be deleted here."""
    if IS_GONE_AT_ONCE:
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if time.time() - folder.stat().st_mtime > SECONDS_UNTIL_LEFT:
            shutil.rmtree(folder, ignore_errors=True)


def is_on_disk(array: NDArray[Any]) -> bool:
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
