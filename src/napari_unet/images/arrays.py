"""What is given as an image: taken as it is, made an array, or refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from napari_unet.images.amounts import size_text
from napari_unet.images.reasons import reason_of
from napari_unet.images.roomy import free_bytes, in_memory


def as_image(given: Any) -> Any:
    """Return something with a shape and a NumPy type, lazy arrays unread.

    Parameters
    ----------
    given : array-like
        Arrays of NumPy, dask and zarr stay; lists, tables and tensors become NumPy arrays.

    Raises
    ------
    TypeError
        If it holds no real numbers.
    ValueError
        If its rows differ in length, or its shape is not known.

    Examples
    --------
    >>> as_image([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    pixels = as_array(given)
    if pixels.dtype.kind not in "biuf":
        raise TypeError(
            f"Expected an array of real numbers, got {type(given).__name__} of {pixels.dtype}; "
            "read a file into an array first."
        )
    return pixels


def as_array(given: Any) -> Any:
    """Return something with a shape and a NumPy type, of any kind; lazy arrays unread.

    Raises
    ------
    TypeError
        If NumPy cannot take it, as a tensor that needs a gradient.
    ValueError
        If its rows differ in length, or its shape is not known.
    """
    if issparse(given):
        raise TypeError(
            f"Expected an array of all pixels, got {type(given).__name__}; convert it by toarray()."
        )
    array = given if isinstance(getattr(given, "dtype", None), np.dtype) else _converted(given)
    # dask's way of saying that a length is known only once the blocks are computed.
    if any(length != length for length in array.shape):
        raise ValueError(
            f"Expected an array of known shape, got {array.shape}; compute the shape first, in "
            "dask by compute_chunk_sizes()."
        )
    return array


def read_part(image: Any, index: tuple[int | slice, ...]) -> NDArray[Any]:
    """Return a part of an image in memory; where it is masked there is NaN.

    Raises
    ------
    ValueError
        If a lazy image cannot be read there.
    """
    with reading():
        pixels = image[index]
        if isinstance(pixels, np.ma.MaskedArray):
            floating = pixels.astype(np.promote_types(pixels.dtype, np.float32))
            return np.asarray(np.ma.filled(floating, np.nan))
        return np.asarray(pixels)


def read_whole(given: Any) -> NDArray[Any]:
    """Return what is given as a NumPy array of any kind, lazy arrays read.

    Raises
    ------
    TypeError, ValueError
        As `as_array`, and if a lazy array cannot be read or there is no memory for it.
    """
    array = as_array(given)
    check_fits(array.shape, unread_bytes(array))
    with reading():
        return np.asarray(array)


def unread_bytes(array: Any) -> int:
    """Return how many bytes reading an array as a whole takes: none if it is in memory."""
    is_read = isinstance(array, np.ndarray)
    return 0 if is_read else math.prod(array.shape) * array.dtype.itemsize


def check_fits(shape: tuple[int, ...], n_bytes: int) -> None:
    """Refuse an array that there is no memory for, before any of it is read.

    A lazy array of any size is made in a moment, and its blocks would be computed for days.

    Parameters
    ----------
    shape : tuple of int
        Of what is to be read at a time, which is told.
    n_bytes : int
        What it needs, with all that is made of it.

    Raises
    ------
    ValueError
        If fewer bytes are free.
    """
    free = free_bytes(in_memory) if n_bytes else 0
    if n_bytes > free:
        raise ValueError(
            f"Expected an array that there is memory for, got {' x '.join(map(str, shape))} "
            f"pixels, which need {size_text(n_bytes)}, and {size_text(free)} are free; take a "
            "part of it."
        )


@contextmanager
def reading() -> Iterator[None]:
    """Say in one sentence why a lazy array cannot be read."""
    try:
        yield
    except MemoryError:
        raise
    # Lazy arrays raise whatever the file system, a decoder or a user's own function raises.
    except Exception as error:
        raise ValueError(
            "Expected pixels that can be read, got an error "
            f"({type(error).__name__}: {reason_of(error)}); "
            "check the file or the computation behind the image."
        ) from error


def _converted(given: Any) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ValueError(
            f"Expected rows of equal length, got {type(given).__name__} of several; give an array."
        ) from error
    # Tensors do so that need a gradient, or are of a type that NumPy lacks.
    except (RuntimeError, TypeError) as error:
        raise TypeError(
            f"Expected an array that NumPy can take, got {type(given).__name__} "
            f"({reason_of(error)}); convert it first."
        ) from error
