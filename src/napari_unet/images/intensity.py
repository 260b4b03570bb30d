"""Intensities of any type brought to float32 in a known range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_SAMPLES = 1_000_000
SCOPES = ("plane", "stack", "type")
WAYS = ("limits", "range", "moments", "nothing")


@dataclass(frozen=True)
class Normalisation:
    """How intensities are brought to a known range.

    Attributes
    ----------
    low, high : float
        Percentiles (%) of the intensities that become 0 and 1.
    per : str
        "plane" takes the percentiles of each plane, "stack" those of the whole image; "type"
        takes 0 and the largest value of the intensities' type (1 for floating point) instead.
    ceiling : float
        Brightest value kept, in units of the range from `low` to `high`.
    by : str
        "limits" takes `low` and `high` to 0 and 1 and clips to 0..`ceiling`. The others are for
        networks of other programs, and clip nothing: "range" does the same, "moments" takes the
        mean to 0 and the standard deviation to 1, "nothing" leaves intensities as they are.

    Raises
    ------
    ValueError
        When a value is out of its range.
    """

    low: float = 1.0
    high: float = 99.8
    per: str = "plane"
    ceiling: float = 4.0
    by: str = WAYS[0]

    def __post_init__(self) -> None:
        """Refuse values that cannot be used."""
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(
                f"Expected percentiles with 0 <= low < high <= 100, got {self.low} and "
                f"{self.high}; the defaults are 1 and 99.8."
            )
        if self.per not in SCOPES:
            raise ValueError(
                f"Expected one of {', '.join(SCOPES)} as what to normalise by, got {self.per!r}; "
                "choose one of them."
            )
        if not self.ceiling > 0:
            raise ValueError(f"Expected a ceiling above 0, got {self.ceiling}; the default is 4.")
        if self.by not in WAYS:
            raise ValueError(
                f"Expected one of {', '.join(WAYS)} as how to normalise, got {self.by!r}; choose "
                "one of them."
            )

    @property
    def brightest(self) -> float | None:
        """Largest value of the result; None if nothing is clipped."""
        return self.ceiling if self.by == "limits" else None


def limits(pixels: NDArray[Any], normalisation: Normalisation | None = None) -> tuple[float, float]:
    """Return the intensities that become 0 and 1.

    They are percentiles of the finite pixels, or mean and mean plus standard deviation, or 0 and 1
    where intensities stay as they are. When percentiles coincide, as in an image that is nearly
    all background, the darkest and the brightest pixel are taken instead. Arrays of more than a
    million pixels are sampled on a regular grid.

    Parameters
    ----------
    pixels : array
        Intensities of any shape, boolean, integer or float; alpha left out (see `drop_alpha`).
    normalisation : Normalisation, optional
        The percentiles.

    Returns
    -------
    low, high : float
        With ``low < high``. (0, 1) for boolean and for empty arrays and where no pixel is finite;
        a constant array gives its value as `low`.

    Raises
    ------
    TypeError
        When the pixels are no real numbers.

    Examples
    --------
    >>> limits(np.arange(101), Normalisation(low=5, high=95))
    (5.0, 95.0)
    """
    chosen = normalisation or Normalisation()
    _check_numeric(pixels)
    if chosen.by == "nothing":
        return 0.0, 1.0
    if chosen.per == "type":
        return 0.0, float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "iu" else 1.0
    sample = thinned(pixels).astype(np.float64)
    finite = sample[np.isfinite(sample)]
    if pixels.dtype.kind == "b" or finite.size == 0:
        return 0.0, 1.0
    if chosen.by == "moments":
        low, high = finite.mean(), finite.mean() + finite.std()
    else:
        low, high = np.percentile(finite, [chosen.low, chosen.high])
    if low >= high:
        low, high = finite.min(), finite.max()
    if low >= high:
        # Python's floats: near the largest that there is, `high` is infinite without a warning.
        high = float(low) + max(1.0, abs(float(low)))
    return float(low), float(high)


def normalise(
    pixels: NDArray[Any],
    bounds: tuple[float, float],
    ceiling: float | None = Normalisation.ceiling,
) -> NDArray[np.float32]:
    """Return intensities mapped so that the bounds become 0 and 1.

    Values are clipped to 0 and to `ceiling`, unless that is None; NaN becomes 0.

    Parameters
    ----------
    pixels : array
        Intensities of any shape, boolean, integer or float.
    bounds : (float, float)
        What becomes 0 and 1, usually from `limits`; equal bounds give zeros.
    ceiling : float, optional
        Largest value of the result; None clips nothing, and lets what is infinite become 0 too.

    Returns
    -------
    array of float32
        The same shape, in 0 .. `ceiling` if there is one.

    Raises
    ------
    TypeError
        When the pixels are no real numbers.

    Examples
    --------
    >>> normalise(np.array([10, 20, 30, 200], np.uint8), (10, 30))
    array([0. , 0.5, 1. , 4. ], dtype=float32)
    """
    _check_numeric(pixels)
    low, high = float(bounds[0]), float(bounds[1])
    if not high > low:
        return np.zeros(pixels.shape, np.float32)
    # float32 holds every integer of 16 bits exactly; wider types would lose faint differences
    # on top of a large offset.
    working = np.float32 if pixels.dtype.itemsize <= 2 else np.float64
    values: NDArray[np.floating] = np.asarray(pixels).astype(working)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values - low) / (high - low)
    clipped = scaled if ceiling is None else np.clip(scaled, 0, ceiling)
    finite = np.nan_to_num(clipped, copy=False, posinf=0.0, neginf=0.0)
    return np.asarray(finite, np.float32)


def without_gaps(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels with the median of the finite ones where they are NaN; themselves if none is.

    A hole that is darker than the background around it looks like a nucleus in a bright field.

    Examples
    --------
    >>> without_gaps(np.array([[1.0, np.nan, 3.0, 8.0]]))
    array([[1., 3., 3., 8.]])
    """
    if pixels.dtype.kind != "f":
        return pixels
    gaps, known = np.isnan(pixels), np.isfinite(pixels)
    if not (gaps.any() and known.any()):
        return pixels
    return np.where(gaps, np.median(pixels[known]).astype(pixels.dtype), pixels)


def drop_alpha(pixels: NDArray[Any], axes: str) -> NDArray[Any]:
    """Return the pixels without the alpha sample of an RGBA image.

    Parameters
    ----------
    pixels : array
        An image or a plane of it.
    axes : str
        Its axes; only those that end in "S" have colour samples.

    Examples
    --------
    >>> drop_alpha(np.zeros((8, 8, 4)), "YXS").shape
    (8, 8, 3)
    """
    return pixels[..., :3] if axes.endswith("S") else pixels


def to_rgb(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a plane as the three colour channels that the network takes.

    Parameters
    ----------
    plane : array of float32, (y, x) or (y, x, 3) or (y, x, 4)
        Grey is seen three times, alpha is dropped.

    Returns
    -------
    array of float32, (3, y, x)
        Of a grey plane a view that cannot be written to; contiguous if in colour.

    Raises
    ------
    ValueError
        When the plane has another shape.

    Examples
    --------
    >>> to_rgb(np.zeros((64, 32), np.float32)).shape
    (3, 64, 32)
    """
    if plane.ndim == 2:
        return np.broadcast_to(plane.astype(np.float32, copy=False), (3, *plane.shape))
    if plane.ndim == 3 and plane.shape[2] in (3, 4):
        colours = np.moveaxis(plane[..., :3], 2, 0)
        return np.ascontiguousarray(colours, dtype=np.float32)
    raise ValueError(
        f"Expected a plane of the shape (y, x), (y, x, 3) or (y, x, 4), got {plane.shape}; "
        "take one plane and one channel of the image."
    )


def _check_numeric(pixels: NDArray[Any]) -> None:
    if pixels.dtype.kind not in "biuf":
        raise TypeError(
            f"Expected boolean, integer or float intensities, got the type {pixels.dtype}; "
            "convert the image first, complex ones for instance by their magnitude."
        )


def thinned(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels of a regular grid, at most `MOST_SAMPLES`, as a copy."""
    return np.array(pixels[thinning(pixels.shape)])


def thinning(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return where the pixels of `thinned` are in an array of a shape."""
    steps = [1] * len(shape)
    counts = list(shape)
    while np.prod(counts, dtype=np.float64) > MOST_SAMPLES:
        longest = int(np.argmax(counts))
        steps[longest] += 1
        counts[longest] = -(-shape[longest] // steps[longest])
    return tuple(slice(None, None, step) for step in steps)
