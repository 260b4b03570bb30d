"""Single planes on their way to the network and back: read, normalised, resampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from napari_unet.images.axes import Plane
from napari_unet.images.intensity import (
    Normalisation,
    drop_alpha,
    limits,
    normalise,
    thinned,
    to_rgb,
)

PLANES_FOR_LIMITS = 16
PLANES_TO_COMPARE = 9
BRIGHTEST = 99.8  # percentile of intensities: what is above may be dust


def read_plane(
    image: Any, plane: Plane, how: Normalisation, bounds: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Return one plane of an image as the network wants it.

    Parameters
    ----------
    image : array-like
        Anything that NumPy can read slice by slice.
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
    return network_input(np.asarray(image[plane.read]), how, bounds)


def network_input(
    pixels: NDArray[Any], how: Normalisation, bounds: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Return pixels, (y, x) or (y, x, s), normalised and as three channels, (3, y, x)."""
    colour = drop_alpha(pixels, "YXS"[: pixels.ndim])
    return to_rgb(normalise(colour, bounds or limits(colour, how), how.ceiling))


def stack_limits(
    image: Any, walk: Sequence[Plane], how: Normalisation
) -> tuple[float, float] | None:
    """Return the limits over evenly spread planes, or None where each plane has its own."""
    if how.per != "stack":
        return None
    chosen = walk[:: -(-len(walk) // PLANES_FOR_LIMITS)]
    samples = [thinned(np.asarray(image[plane.read])) for plane in chosen]
    pixels = np.stack(samples)
    return limits(drop_alpha(pixels, "ZYXS"[: pixels.ndim]), how)


def brightest_plane(image: Any, walk: Sequence[Plane]) -> Plane:
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
    return walk[max(chosen, key=lambda at: _contrast(np.asarray(image[walk[at].read])))]


def _contrast(pixels: NDArray[Any]) -> float:
    """Return the standard deviation of intensities, without the brightest."""
    sample = thinned(pixels).astype(np.float64)
    finite = sample[np.isfinite(sample)]
    return float(np.minimum(finite, np.percentile(finite, BRIGHTEST)).std()) if finite.size else 0.0


def zoomed(pixels: NDArray[np.float32], zoom: float) -> NDArray[np.float32]:
    """Return pixels (c, y, x) scaled by a factor, smoothed where they shrink."""
    return resized(pixels, [max(1, round(n * zoom)) for n in pixels.shape[1:]])


def resized(pixels: NDArray[np.float32], size: Sequence[int]) -> NDArray[np.float32]:
    """Return pixels (c, y, x) resampled to another size (y, x); themselves if it is theirs."""
    if pixels.shape[1:] == tuple(size):
        return pixels
    scaled = [resize(p, size, order=1, mode="reflect", anti_aliasing=True) for p in pixels]
    return np.stack(scaled).astype(np.float32)


def resized_labels(labels: NDArray[Any], size: Sequence[int]) -> NDArray[Any]:
    """Return labels or a mask (y, x) resampled to another size (y, x), each pixel its nearest."""
    if labels.shape == tuple(size):
        return labels
    scaled = resize(labels, size, order=0, mode="edge", preserve_range=True, anti_aliasing=False)
    return np.asarray(scaled, labels.dtype)


def as_bytes(maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return maps in 0..1 as 0..255, a quarter of their memory."""
    return np.asarray(np.rint(maps.clip(0, 1) * 255), np.uint8)
