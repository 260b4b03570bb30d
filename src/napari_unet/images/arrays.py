"""What is given as an image: taken as it is, made an array, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    ValueError
        If its rows differ in length, or its shape is not known.
    """
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
    try:
        pixels = image[index]
        if isinstance(pixels, np.ma.MaskedArray):
            floating = pixels.astype(np.promote_types(pixels.dtype, np.float32))
            return np.asarray(np.ma.filled(floating, np.nan))
        return np.asarray(pixels)
    except MemoryError:
        raise
    # Lazy arrays raise whatever the file system, a decoder or a user's own function raises.
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(
            f"Expected pixels that can be read, got an error ({type(error).__name__}: {reason}); "
            "check the file or the computation behind the image."
        ) from error


def _converted(given: Any) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ValueError(
            f"Expected rows of equal length, got {type(given).__name__} of several; give an array."
        ) from error
