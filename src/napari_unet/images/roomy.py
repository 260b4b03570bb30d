"""Arrays that may be larger than what memory should be taken for."""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
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
RESERVE: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
"""Takes room on the disk for a file, where the system can."""

_mapped: weakref.WeakSet[Any] = weakref.WeakSet()  # the maps of arrays that are alive
_one_at_a_time = Lock()  # for two threads may not be promised the same room


def in_memory(shape: tuple[int, ...], dtype: type[Number]) -> NDArray[Number]:
    """Return zeros of a shape and type."""
    return np.zeros(shape, dtype)


def roomy(
    shape: tuple[int, ...], dtype: type[Number], largest: int | None = None
) -> NDArray[Number]:
    """Return zeros of a shape and type, those of many bytes in a file that goes with the array.

    The file is in a temporary folder. Where the disk has no room for it, memory has to do: a file
    that turns out to have none when it is written to would end the whole program.

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
    if n_bytes <= (LARGEST_IN_MEMORY if largest is None else largest):
        return in_memory(shape, dtype)
    _remove_left()
    with _one_at_a_time:
        if shutil.disk_usage(tempfile.gettempdir()).free < 2 * n_bytes + _promised():
            return in_memory(shape, dtype)
        try:
            return _in_file(shape, dtype, n_bytes)
        except OSError:
            return in_memory(shape, dtype)


def _promised() -> int:
    """Return the bytes of arrays that may not have been written yet, with those that have."""
    return 0 if RESERVE is not None else sum(map(len, _mapped))


def _in_file(shape: tuple[int, ...], dtype: type[Number], n_bytes: int) -> NDArray[Number]:
    """Return zeros in a file of their own.

    Raises
    ------
    OSError
        If the disk has no room for it.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / "array").open("wb+") as file:
            if RESERVE is not None:
                RESERVE(file.fileno(), 0, n_bytes)
            array = np.memmap(file, dtype, "r+", shape=shape)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _mapped.add(array.base)
    if IS_GONE_AT_ONCE:
        # The array keeps what is in the file; a program that is killed leaves nothing behind.
        shutil.rmtree(folder)
    else:
        # The array goes before the map, which views keep: Windows deletes no file that is mapped.
        weakref.finalize(array.base, shutil.rmtree, folder, ignore_errors=True)
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
        with suppress(OSError):  # another program deletes them as well
            if time.time() - folder.stat().st_mtime > SECONDS_UNTIL_LEFT:
                shutil.rmtree(folder, ignore_errors=True)


def is_on_disk(array: NDArray[Any]) -> bool:
    """Tell whether an array of `roomy`, or a part of it, is in a file."""
    # NumPy calls a copy of such an array a memmap too, though it is in memory.
    memory: Any = array
    while isinstance(memory, np.ndarray):
        memory = memory.base
    return isinstance(memory, mmap.mmap)


def check_memory(n_bytes: int) -> None:
    """Refuse to make an array for which there is no memory, before any of it is taken.

    A few bytes of a file can claim an image of any size.

    Raises
    ------
    ValueError
        If fewer bytes are free.
    """
    free = free_bytes(in_memory)
    if n_bytes > free:
        raise ValueError(f"it needs {size_text(n_bytes)} of memory, and {size_text(free)} are free")


def free_bytes(room: Room) -> int:
    """Return how many bytes are free for arrays: in memory, and on the disk unless `in_memory`."""
    free: int = psutil.virtual_memory().available
    return free if room is in_memory else free + shutil.disk_usage(tempfile.gettempdir()).free
