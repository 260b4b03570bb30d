"""Single planes on their way to the network and back: read, normalised, resampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from skimage.transform import resize

from napari_unet.images.arrays import read_part
from napari_unet.images.axes import Plane
from napari_unet.images.intensity import (
    Normalisation,
    drop_alpha,
    limits,
    normalise,
    thinning,
    to_rgb,
    without_gaps,
)

LARGEST_WHOLE = 1 << 26  # pixels of a plane that is read once; a larger one is part by part, twice
LARGEST_PIECE = 2048  # px, longest side of the pieces that such a plane can be read in
PLANES_FOR_LIMITS = 16
PLANES_TO_COMPARE = 9
BRIGHTEST = 99.8  # percentile of intensities: what is above may be dust
FILTER_WIDTH = 4.0  # of the smoothing before pixels shrink, in its sigmas

Read = Callable[[slice, slice], NDArray[np.float32]]
"""Rows and columns to the pixels (c, y, x) there."""

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The network: pixels (3, y, x) float32 to maps (maps, y, x) in 0..1."""


def read_plane(
    image: Any, plane: Plane, how: Normalisation, bounds: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Return one plane of an image as the network wants it.

    Parameters
    ----------
    image : array-like
        Anything that NumPy can read slice by slice; masked pixels count as NaN.
    plane : Plane
        Which.
    how : Normalisation
        How intensities are brought to one range.
    bounds : (float, float), optional
        What becomes 0 and 1; the plane's own percentiles if not given.

    Returns
    -------
    array of float32, (3, y, x)
    """
    return network_input(read_part(image, plane.read), how, bounds)


def plane_reader(
    image: Any, plane: Plane, how: Normalisation, bounds: tuple[float, float] | None = None
) -> Read:
    """Return what gives parts of `read_plane`, of which only these are ever float32.

    A plane is read once, and kept in its own type. A huge one in small pieces is not kept: it is
    read once for its limits, and once more part by part.

    Parameters
    ----------
    image, plane, how, bounds
        As for `read_plane`.

    Returns
    -------
    callable
        Rows and columns to the pixels (3, y, x) float32 there.
    """
    size, piece = (
        [n for n, axis in zip(lengths, plane.read, strict=True) if axis == slice(None)]
        for lengths in (image.shape, _largest_piece(image))
    )
    # A piece is read as a whole for every part of the plane that reaches into it.
    if math.prod(size) > LARGEST_WHOLE and max(piece) <= LARGEST_PIECE:
        found = bounds or plane_limits(image, plane, how)
        return lambda rows, columns: network_input(
            read_part(image, part_of(plane, rows, columns)), how, found
        )
    pixels = read_part(image, plane.read)
    known = bounds or limits(drop_alpha(pixels, "YXS"[: pixels.ndim]), how)
    return lambda rows, columns: network_input(pixels[rows, columns], how, known)


def _largest_piece(image: Any) -> tuple[int, ...]:
    """Return the shape of the largest piece that a lazy array is read in, of others one pixel's."""
    chunks = getattr(image, "chunks", None) or (1,) * len(image.shape)
    return tuple(max(each) if isinstance(each, tuple) else each for each in chunks)


def network_input(
    pixels: NDArray[Any], how: Normalisation, bounds: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Return pixels, (y, x) or (y, x, s), normalised and as three channels, (3, y, x)."""
    colour = without_gaps(drop_alpha(pixels, "YXS"[: pixels.ndim]))
    return to_rgb(normalise(colour, bounds or limits(colour, how), how.brightest))


def part_of(plane: Plane, rows: slice, columns: slice) -> tuple[int | slice, ...]:
    """Return where some rows and columns of a plane are read from the image.

    Examples
    --------
    >>> part_of(Plane((slice(None), 3, slice(None)), (), ()), slice(0, 2), slice(5, 9))
    (slice(0, 2, None), 3, slice(5, 9, None))
    """
    parts = iter((rows, columns))
    return tuple(next(parts, axis) if isinstance(axis, slice) else axis for axis in plane.read)


def plane_limits(image: Any, plane: Plane, how: Normalisation) -> tuple[float, float]:
    """Return the intensities of one plane that become 0 and 1; only a part of it is kept."""
    return limits(_thin_plane(image, plane), how)


def stack_limits(
    image: Any, walk: Sequence[Plane], how: Normalisation
) -> tuple[float, float] | None:
    """Return the intensities that become 0 and 1 on all planes, None where each has its own.

    Parameters
    ----------
    image : array-like
        Anything that NumPy can read slice by slice.
    walk : sequence of Plane
        All planes; at most `PLANES_FOR_LIMITS` of them, evenly spread, are read.
    how : Normalisation
        Says whether limits are those of the stack, and which percentiles they are.
    """
    if how.per != "stack":
        return None
    chosen = walk[:: -(-len(walk) // PLANES_FOR_LIMITS)]
    return limits(np.stack([_thin_plane(image, plane) for plane in chosen]), how)


def _thin_plane(image: Any, plane: Plane) -> NDArray[Any]:
    """Return the pixels of a regular grid over a plane, without alpha."""
    shape = [n for n, axis in zip(image.shape, plane.read, strict=True) if axis == slice(None)]
    steps = iter(thinning((*shape[:2], *(min(n, 3) for n in shape[2:]))))
    read = tuple(next(steps) if isinstance(axis, slice) else axis for axis in plane.read)
    pixels = np.array(read_part(image, read))
    return drop_alpha(pixels, "YXS"[: pixels.ndim])


def clearest_plane(image: Any, walk: Sequence[Plane]) -> Plane:
    """Return the plane with most contrast out of evenly spread ones; of equal ones the middle.

    Parameters
    ----------
    image : array-like
        Anything that NumPy can read slice by slice.
    walk : sequence of Plane
        One at least; the only one is not read.
    """
    middle = len(walk) // 2
    step = -(-len(walk) // PLANES_TO_COMPARE)
    chosen = sorted(range(middle % step, len(walk), step), key=lambda at: abs(at - middle))
    if len(chosen) == 1:
        return walk[middle]
    return walk[max(chosen, key=lambda at: _contrast(_thin_plane(image, walk[at])))]


def _contrast(pixels: NDArray[Any]) -> float:
    """Return the standard deviation of intensities, without the brightest."""
    sample = pixels.astype(np.float64)
    finite = sample[np.isfinite(sample)]
    return float(np.minimum(finite, np.percentile(finite, BRIGHTEST)).std()) if finite.size else 0.0


def zoomed(pixels: NDArray[np.float32], zoom: float) -> NDArray[np.float32]:
    """Return pixels (c, y, x) scaled by a factor, smoothed where they shrink."""
    return resized(pixels, zoomed_size((pixels.shape[1], pixels.shape[2]), zoom))


def zoomed_size(size: tuple[int, int], zoom: float) -> tuple[int, int]:
    """Return the size (y, x) that pixels have when they are scaled by a factor."""
    height, width = (max(1, round(n * zoom)) for n in size)
    return height, width


def resized(pixels: NDArray[np.float32], size: Sequence[int]) -> NDArray[np.float32]:
    """Return pixels (c, y, x) resampled to another size (y, x); themselves if it is theirs."""
    if pixels.shape[1:] == tuple(size):
        return pixels
    return _in_each(
        lambda p: np.asarray(
            resize(p, size, order=1, mode="reflect", anti_aliasing=True), np.float32
        ),
        pixels,
    )


def resized_part(
    read: Read, shape: Sequence[int], size: Sequence[int], place: tuple[slice, slice]
) -> NDArray[np.float32]:
    """Return a part of what `resized` returns, read from no more than it needs.

    Parameters
    ----------
    read : callable
        Gives a part of the pixels (c, y, x) that are resampled.
    shape, size : (int, int)
        Of the whole (y, x), before and after.
    place : (slice, slice)
        The part (y, x) of the resampled pixels.
    """
    if tuple(shape) == tuple(size):
        return read(*place)
    ratios = [n / m for n, m in zip(shape, size, strict=True)]
    sigmas = [max(0.0, (ratio - 1) / 2) for ratio in ratios]
    source = [seen_of(*it) for it in zip(place, shape, size, strict=True)]
    offsets = [
        (part.start + 0.5) * ratio - 0.5 - seen.start
        for part, ratio, seen in zip(place, ratios, source, strict=True)
    ]
    sides = tuple(part.stop - part.start for part in place)

    def part_of_one(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        smooth = gaussian_filter(pixels, sigmas, mode="mirror", truncate=FILTER_WIDTH)
        part = affine_transform(smooth, ratios, offsets, sides, order=1, mode="mirror")
        return np.asarray(part, np.float32)

    return _in_each(part_of_one, read(source[0], source[1]))


def _in_each(
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]], pixels: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return pixels (c, y, x) of which each channel was changed; grey ones are changed once."""
    # A grey plane is the same in all its channels, and so is what becomes of it.
    if len(pixels) > 1 and pixels.strides[0] == 0:
        changed = change(pixels[0])
        return np.broadcast_to(changed, (len(pixels), *changed.shape))
    return np.stack([change(channel) for channel in pixels])


def seen_of(part: slice, length: int, size: int) -> slice:
    """Return what a stretch of an axis is resampled from, when its length becomes a size."""
    ratio = length / size
    # One more, since a last pixel that is read alone would be its own neighbour.
    margin = math.ceil(FILTER_WIDTH * max(0.0, (ratio - 1) / 2)) + 1
    start, stop = (part.start + 0.5) * ratio - 0.5, (part.stop - 0.5) * ratio - 0.5
    return slice(max(0, math.floor(start) - margin), min(length, math.ceil(stop) + margin + 1))


def resized_labels(labels: NDArray[Any], size: Sequence[int]) -> NDArray[Any]:
    """Return labels or a mask (y, x) resampled to another size (y, x), each pixel its nearest."""
    if labels.shape == tuple(size):
        return labels
    scaled = resize(labels, size, order=0, mode="edge", preserve_range=True, anti_aliasing=False)
    return np.asarray(scaled, labels.dtype)


def as_bytes(maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return maps of any shape in 0..1, clipped to that, as 0..255: a quarter of their memory."""
    scaled = maps.clip(0, 1)
    scaled *= 255
    return np.asarray(np.rint(scaled, out=scaled), np.uint8)
