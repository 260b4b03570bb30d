"""How many pixels the convex hull of a nucleus has.

As scikit-image's ``convex_hull_image`` counts them: the corners are the middles of the pixels'
sides, and a pixel is in the hull if its middle is. Here each row is cut with the hull, instead of
asking for every pixel.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull

TOLERANCE = 1e-9  # px: a pixel on the rim of a hull is inside
Floats = npt.NDArray[np.float64]
Point = tuple[float, float]


def hull_size(mask: npt.NDArray[np.bool_]) -> int:
    """Return the number of pixels or voxels in the convex hull of a mask.

    Parameters
    ----------
    mask : array of bool, (y, x) or (z, y, x)
        True somewhere.

    Examples
    --------
    >>> hull_size(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], bool))
    7
    """
    return _hull_of_plane(mask) if mask.ndim == 2 else _hull_of_stack(mask)


def _row_ends(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], ...]:
    """Return the rows that are not empty, (n, axes - 1), and their first and last pixels, (n,)."""
    rows = np.argwhere(mask.any(axis=-1))
    marked = mask[tuple(rows.T)]
    last = mask.shape[-1] - 1 - marked[:, ::-1].argmax(axis=-1)
    return rows, marked.argmax(axis=-1), last


def _hull_of_plane(mask: npt.NDArray[np.bool_]) -> int:
    """Count what lies between the left and the right side of the hull."""
    rows, first, last = _row_ends(mask)
    starts = _left_side(rows[:, 0], first, len(mask))
    stops = -_left_side(rows[:, 0], -last, len(mask))
    counts = np.floor(stops + TOLERANCE) - np.ceil(starts - TOLERANCE) + 1
    return int(np.maximum(counts, 0).sum())


def _left_side(rows: npt.NDArray[np.intp], first: npt.NDArray[np.intp], n_rows: int) -> Floats:
    """Return where the hull begins in each of the rows 0 to n_rows - 1."""
    # At half rows, where the middles of the upper and lower sides are.
    places = np.full(2 * n_rows + 1, np.inf)
    places[2 * rows] = first
    np.minimum.at(places, 2 * rows + 2, first)
    places[2 * rows + 1] = first - 0.5
    known = np.flatnonzero(np.isfinite(places))
    chain = _convex_chain(zip(known.tolist(), places[known].tolist(), strict=True))
    at, values = np.array(chain).T
    middles = np.arange(1, 2 * n_rows, 2)
    side: Floats = np.interp(middles, at, values, left=np.inf, right=np.inf)
    return side


def _convex_chain(points: Iterable[Point]) -> list[Point]:
    """Return those of the points, in ascending order, that bound them all from below.

    Andrew's monotone chain (1979).
    """
    chain: list[Point] = []
    for point in points:
        while len(chain) > 1 and _is_above(chain[-1], chain[-2], point):
            chain.pop()
        chain.append(point)
    return chain


def _is_above(middle: Point, start: Point, end: Point) -> bool:
    """Tell whether a point is on or above the line between two others."""
    rise = (middle[1] - start[1]) * (end[0] - start[0])
    return rise >= (end[1] - start[1]) * (middle[0] - start[0])


def _hull_of_stack(mask: npt.NDArray[np.bool_]) -> int:
    """Count what lies between the faces of the hull, row by row."""
    rows, first, last = _row_ends(mask)
    ends = np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])
    steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    corners = np.unique((ends[:, None] + steps).reshape(-1, 3), axis=0)
    return _voxels_within(ConvexHull(corners).equations, mask.shape)


def _voxels_within(faces: Floats, shape: tuple[int, ...]) -> int:
    """Count the voxels of a box that are above none of the faces (normal, offset) of a hull."""
    rows = np.indices(shape[:-1]).reshape(len(shape) - 1, -1)
    heights = faces[:, :-2] @ rows + faces[:, -1:]
    slopes = faces[:, -2]
    rising, falling = slopes > TOLERANCE, slopes < -TOLERANCE
    stops = (-heights[rising] / slopes[rising, None]).min(axis=0)
    starts = (-heights[falling] / slopes[falling, None]).max(axis=0)
    counts = np.floor(stops + TOLERANCE) - np.ceil(starts - TOLERANCE) + 1
    outside = (heights[~(rising | falling)] > TOLERANCE).any(axis=0)
    return int(np.where(outside, 0, np.maximum(counts, 0)).sum())
