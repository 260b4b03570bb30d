"""What a network does when there is too little memory: smaller pieces, less precision, the CPU."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from napari_unet.images.planes import Predict
from napari_unet.images.tiling import Stitch, tiles

LARGEST_PIECE = 2**31  # px; any tile in one piece
SMALLEST_PIECE = 128  # px; below that most of a piece is its overlap
OVERLAP = 32  # px; a fifth of that of a tile, since there is no memory for more
# How torch says on each device, and in the libraries below, that memory has run out.
SIGNS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "could not create a memory",
    # Of onnxruntime, whose errors are of classes of its own.
    "bad_alloc",
    "bad allocation",
    "failed to allocate memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that there was not enough memory.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory: you tried ..."))
    True
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and speaks_of_memory(str(error))


def speaks_of_memory(message: str) -> bool:
    """Tell whether a library says that there was not enough memory.

    Examples
    --------
    >>> speaks_of_memory("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory")
    True
    """
    return any(sign in message.lower() for sign in SIGNS)


def in_pieces(
    pixels: NDArray[np.float32], predict: Predict, grid: int, largest: int = LARGEST_PIECE
) -> tuple[NDArray[np.float32], int]:
    """Return the maps of a tile, in halves of halves if there is no memory for more.

    Parameters
    ----------
    pixels : (channels, y, x) float32
        The tile.
    predict : callable
        Gives the maps of pixels, and raises what `is_out_of_memory` knows.
    grid : int
        What pieces start at multiples of, in pixels.
    largest : int
        Side of a piece to begin with, in pixels.

    Returns
    -------
    maps : (maps, y, x) float32
    largest : int
        Side of the pieces that there was memory for.

    Raises
    ------
    MemoryError, RuntimeError
        If there is no memory for the smallest piece either.
    """
    side = largest
    while True:
        try:
            return _stitched(pixels, predict, grid, side), side
        except (MemoryError, RuntimeError) as error:
            if side <= SMALLEST_PIECE or not is_out_of_memory(error):
                raise
        side = max(SMALLEST_PIECE, min(side, max(pixels.shape[1:])) // 2)
        release()
        notify(f"in pieces of {side} px")


def _stitched(
    pixels: NDArray[np.float32], predict: Predict, grid: int, side: int
) -> NDArray[np.float32]:
    """Return the maps of a tile, put together from those of its pieces."""
    shape = (pixels.shape[1], pixels.shape[2])
    first, *others = tiles(shape, side, OVERLAP, grid)
    maps = predict(pixels[:, *first.read])
    if not others:
        return maps
    stitch = Stitch(shape, len(maps), OVERLAP)
    stitch.add(first, maps)
    for piece in others:
        stitch.add(piece, predict(pixels[:, *piece.read]))
    return stitch.result()


def release() -> None:
    """Give memory that torch keeps for later back to the graphics card."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def notify(how: str) -> None:
    """Say in one line how the network goes on; napari shows warnings in its notifications."""
    warnings.warn(
        f"There was not enough memory; the network goes on {how}, which is slower.",
        RuntimeWarning,
        stacklevel=3,
    )
