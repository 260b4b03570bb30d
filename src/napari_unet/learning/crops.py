"""Crops of an image around what a user corrected: all that a fine-tune needs to see of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import Plane, label_shape, parse_axes, planes
from napari_unet.images.intensity import Normalisation, drop_alpha, limits
from napari_unet.images.planes import stack_limits
from napari_unet.learning.corrections import Corrections, bounding_box
from napari_unet.nuclei.sizing import FEWEST_NUCLEI, TOLERANCE

LARGEST_WINDOW = 512  # px a side, for nuclei of the reference diameter or smaller
MARGIN = 64  # px of context around what is known, for the same
REFERENCE_DIAMETER = 22.0  # px
LARGEST_SIDE = 4096  # px, of crops from elsewhere
COLOURS = (3, 4)  # RGB and RGBA
INTENSITIES = (
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float16", "float32", "float64",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of one plane with the labels that a user vouches for.

    Parameters
    ----------
    pixels : (y, x) or (y, x, s)
        Intensities, of the image's own type.
    labels : (y, x) int32
        One label per nucleus, 0 is background; of the whole image, so a nucleus that two crops
        show has one label.
    known : (y, x) bool
        Where the labels are right; the rest is unknown. Of crops of one image, no pixel is known
        in two.
    diameter : float
        Typical diameter of the image's nuclei in pixels.
    limits : (float, float)
        Intensities that become 0 and 1 for the network: those of the whole plane or stack, since
        a crop of background alone would be stretched to nuclei.
    source : str
        The image: a name or path that is its own.
    place : str
        Which part of the image. It stays the same when more of that part is corrected.
    date : str
        When it was stored (ISO 8601, UTC); empty if it was not.

    Raises
    ------
    ValueError
        If shapes or types do not fit, the diameter is not a positive number, or the limits are
        not rising.
    """

    pixels: NDArray[Any]
    labels: NDArray[np.int32]
    known: NDArray[np.bool_]
    diameter: float
    limits: tuple[float, float]
    source: str = ""
    place: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        arrays = {"image": self.pixels, "labels": self.labels, "known": self.known}
        check_form(
            {name: array.shape for name, array in arrays.items()},
            {name: array.dtype.name for name, array in arrays.items()},
        )
        if not (math.isfinite(self.diameter) and self.diameter > 0):
            raise ValueError(
                f"Expected a diameter of more than 0 px, got {self.diameter}; measure the nuclei."
            )
        if not -math.inf < self.limits[0] < self.limits[1] < math.inf:
            raise ValueError(
                f"Expected limits with low < high, got {self.limits}; take those of the plane."
            )

    @property
    def n_nuclei(self) -> int:
        """Number of nuclei with a known pixel."""
        return int(np.setdiff1d(self.labels[self.known], [0]).size)


def digest(crops: Iterable[Crop]) -> str:
    """Return what tells crops from all others, as 32 hexadecimal digits; dates do not count.

    Their order does: a fine-tune draws from them by their numbers.
    """
    known = blake2b(digest_size=16)
    for crop in crops:
        arrays = (crop.pixels, crop.labels, crop.known)
        forms = [(array.shape, array.dtype.name) for array in arrays]
        numbers = [float(number) for number in (crop.diameter, *crop.limits)]
        known.update(repr((forms, numbers, crop.source, crop.place)).encode())
        for array in arrays:
            known.update(np.ascontiguousarray(array).data)
    return known.hexdigest()


def check_form(shapes: Mapping[str, tuple[int, ...]], dtypes: Mapping[str, str]) -> None:
    """Refuse arrays that are no crop, by their shapes and types alone.

    Parameters
    ----------
    shapes, dtypes : mapping
        Of "image", "labels" and "known".

    Raises
    ------
    ValueError
        If one is missing, too large, of a wrong type or does not fit the others.
    """
    if not shapes.keys() == {"image", "labels", "known"}:
        raise ValueError(f"Expected image, labels and known, got {', '.join(shapes)}; take a crop.")
    if (
        dtypes["image"] not in INTENSITIES
        or dtypes["labels"] != "int32"
        or dtypes["known"] != "bool"
    ):
        raise ValueError(
            f"Expected real intensities, int32 labels and bool known, got {dtypes['image']}, "
            f"{dtypes['labels']} and {dtypes['known']}; convert them."
        )
    size = shapes["image"][:2]
    is_plane = len(size) == 2 and shapes["image"][2:] in [(), *((n,) for n in COLOURS)]
    if not is_plane or not shapes["labels"] == shapes["known"] == size:
        raise ValueError(
            f"Expected an image of the shape (y, x) or (y, x, 3 or 4) with labels and known of "
            f"(y, x), got {shapes['image']}, {shapes['labels']} and {shapes['known']}; give those "
            "of one plane."
        )
    if not 1 <= min(size) <= max(size) <= LARGEST_SIDE:
        raise ValueError(
            f"Expected crops of 1 to {LARGEST_SIDE} px a side, got {size}; cut them smaller."
        )


def correction_crops(
    image: Any,
    axes: str,
    corrections: Corrections,
    *,
    diameter: float,
    normalisation: Normalisation = Normalisation(),
    channel: int | None = None,
    source: str = "",
) -> list[Crop]:
    """Return crops of an image that hold all that is known, each with a margin of context.

    A plane is cut along a grid, which depends on its size alone, and roughly on that of its
    nuclei: what is known in one cell makes one crop, so that correcting more there makes the same
    crop again and not a second one.

    Parameters
    ----------
    image : array-like
        Anything that NumPy can read slice by slice. Only planes with something known are read,
        unless limits are those of the stack.
    axes : str
        Axes of the image, such as "TZCYX".
    corrections : Corrections
        Of the image's labels, which have its shape less the axes C and S.
    diameter : float
        Typical diameter of the image's nuclei in pixels, as it was estimated: where the corrected
        nuclei have another size altogether, theirs counts.
    normalisation : Normalisation
        How the model wants intensities: decides the crops' limits.
    channel : int, optional
        Index along C; the first channel when it is left out.
    source : str
        The image: a name or path that is its own.

    Raises
    ------
    ValueError
        If axes, labels or channel do not fit the image.
    TypeError
        If intensities are not real numbers.
    """
    axes = parse_axes(axes, image.shape)
    shape = label_shape(axes, image.shape)
    if corrections.labels.shape != shape:
        raise ValueError(
            f"Expected corrections of the image's shape {shape}, got {corrections.labels.shape}; "
            "check that they belong together."
        )
    walk = list(planes(axes, image.shape, channel))
    corrected = [plane for plane in walk if corrections.known[plane.write].any()]
    bounds = stack_limits(image, walk, normalisation) if corrected else None
    diameter = _believed(diameter, corrections, corrected)
    scale = _scale(diameter)
    crops = []
    for plane in corrected:
        pixels = np.asarray(image[plane.read])
        colours = drop_alpha(pixels, "YXS"[: pixels.ndim])
        spread = bounds or limits(colours, normalisation)
        name = _name(plane, (channel or 0) if "C" in axes else None)
        labels = corrections.labels[plane.write]
        crops += [
            Crop(_copy(pixels[window]), labels[window].copy(), known, diameter, spread, source, at)
            for at, window, known in _windows(corrections.known[plane.write], name, scale)
        ]
    return crops


def _believed(diameter: float, corrections: Corrections, walk: list[Plane]) -> float:
    """Return the diameter of the corrected nuclei if the estimate is far from it, else that.

    A model that does not see the nuclei of an image does not see how large they are either.
    """
    nuclei = (np.where(corrections.known[it.write], corrections.labels[it.write], 0) for it in walk)
    areas = np.concatenate([[], *(np.unique_counts(it[it > 0]).counts for it in nuclei)])
    if len(areas) < FEWEST_NUCLEI:
        return diameter
    painted = float(2 * np.sqrt(np.median(areas) / np.pi))
    return diameter if 1 / TOLERANCE <= painted / diameter <= TOLERANCE else painted


def _windows(
    known: NDArray[np.bool_], plane: str, scale: int
) -> Iterator[tuple[str, tuple[slice, slice], NDArray[np.bool_]]]:
    """Yield the cells of a plane with something known: place, window, what is known in it."""
    grid = product(*(enumerate(_cells(side, scale)) for side in known.shape))
    for (row, y), (column, x) in grid:
        if known[y, x].any():
            box = bounding_box(known[y, x])
            window = (
                _with_margin(y.start, box[0], known.shape[0], scale),
                _with_margin(x.start, box[1], known.shape[1], scale),
            )
            inside = known[window].copy()
            # What is known beside the cell belongs to the crops of other cells.
            inside[~_within(window[0], y)] = False
            inside[:, ~_within(window[1], x)] = False
            yield f"{plane}y{row} x{column}", window, inside


def _scale(diameter: float) -> int:
    """Return how many times larger windows are than for nuclei of the reference diameter.

    A power of two: an estimate of the diameter that changes a little leaves the grid as it is.
    """
    return int(2 ** max(0, round(math.log2(diameter / REFERENCE_DIAMETER))))


def _with_margin(start: int, box: slice, side: int, scale: int) -> slice:
    """Return a part of an axis, given from `start` on, with context on both sides."""
    margin = MARGIN * scale
    return slice(max(start + box.start - margin, 0), min(start + box.stop + margin, side))


def _within(window: slice, cell: slice) -> NDArray[np.bool_]:
    """Tell which pixels of a window lie in a cell."""
    places = np.arange(window.start, window.stop)
    return np.asarray((places >= cell.start) & (places < cell.stop))


def _cells(side: int, scale: int) -> list[slice]:
    """Return the grid along one axis: cells that, with their margins, are windows."""
    inner = (LARGEST_WINDOW - 2 * MARGIN) * scale
    n = 1 if side <= LARGEST_WINDOW * scale else -(-side // inner)
    return [slice(low, high) for low, high in pairwise(side * i // n for i in range(n + 1))]


def _name(plane: Plane, channel: int | None) -> str:
    """Return a plane's place in the image, such as "T0 Z12 C1 "."""
    position = plane.position if channel is None else (*plane.position, ("C", channel))
    return "".join(f"{letter}{index} " for letter, index in position)


def _copy(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return a copy in the byte order of this machine."""
    return np.array(pixels, pixels.dtype.newbyteorder("="), order="C")
