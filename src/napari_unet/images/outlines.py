"""Nuclei as polygons along the edges of their pixels, and polygons as labels again.

Coordinates are (x, y) of pixel corners: the first pixel reaches from (0, 0) to (1, 1), as in
ImageJ and QuPath. So labels that become outlines and labels again are the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.draw import polygon

from napari_unet.images.axes import planes

Ring = NDArray[np.float64]
"""(n, 2): the corners (x, y) of a closed line, the first one not repeated."""

Polygon = list[Ring]
"""One piece: its rim, then its holes."""

# The sides of a pixel: where its neighbour is (rows, columns), from which corner (x, y) the side
# runs, and whereto, so that the pixel lies at the right.
SIDES = (
    ((-1, 0), (0, 0), (1, 0)),
    ((0, 1), (1, 0), (0, 1)),
    ((1, 0), (1, 1), (-1, 0)),
    ((0, -1), (0, 1), (0, -1)),
)


@dataclass(frozen=True)
class Outline:
    """One nucleus in one plane.

    Attributes
    ----------
    label : int
        Its label, 1 and above.
    polygons : list of list of array
        Its pieces, usually one.
    z, t : int
        The plane and the frame, from 0.
    """

    label: int
    polygons: list[Polygon]
    z: int = 0
    t: int = 0

    @property
    def rings(self) -> list[Ring]:
        """Rims and holes of all pieces; a pixel inside of an odd number of them is nucleus."""
        return [ring for piece in self.polygons for ring in piece]


def outlines(labels: NDArray[np.integer], axes: str) -> Iterator[Outline]:
    """Yield the outlines of the nuclei, plane by plane and by label.

    Parameters
    ----------
    labels : array of int
        0 is background.
    axes : str
        Their axes, such as "ZYX".
    """
    for plane in planes(axes, labels.shape):
        place = dict(plane.position)
        flat = labels[plane.read]
        # Labels may lie far apart, and a box is kept for each number up to the highest.
        found, numbers = np.unique(flat, return_inverse=True)
        boxes = ndi.find_objects(numbers.reshape(flat.shape) + 1)
        for label, box in zip(found.tolist(), boxes, strict=True):
            if label:
                corner = (box[1].start, box[0].start)
                pieces = mask_polygons(flat[box] == label, corner)
                yield Outline(label, pieces, place.get("Z", 0), place.get("T", 0))


def mask_polygons(mask: NDArray[np.bool_], corner: tuple[int, int] = (0, 0)) -> list[Polygon]:
    """Return the pieces of a mask as polygons, in pixel corners.

    Pixels that touch only at a corner belong to two pieces.

    Parameters
    ----------
    mask : (y, x) bool
        Where the nucleus is.
    corner : (int, int)
        x and y of the mask's first pixel.

    Examples
    --------
    >>> [[rim]] = mask_polygons(np.ones((1, 2), bool))
    >>> rim.tolist()
    [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]
    """
    pieces, n = ndi.label(mask)
    found = []
    for number in range(1, n + 1):
        rings = [ring + corner for ring in _rings(pieces == number)]
        # The rim runs clockwise, with the nucleus at its right; holes the other way.
        found.append(sorted(rings, key=_area, reverse=True))
    return found


def painted(found: Iterable[Outline], axes: str, shape: Sequence[int]) -> NDArray[np.int32]:
    """Return labels drawn from outlines; what is outside of the shape is left out.

    A pixel is nucleus if its centre is inside. Where nuclei overlap, the later one is on top.

    Parameters
    ----------
    found : iterable of Outline
        In whatever order.
    axes : str
        Of the labels: "YX", with Z or T or both before it.
    shape : sequence of int
        Of the labels.

    Returns
    -------
    array of int32
        0 is background.
    """
    labels = np.zeros(tuple(shape), np.int32)
    for outline in found:
        place = {"Z": outline.z, "T": outline.t}
        index = tuple(place[axis] for axis in axes[:-2])
        if all(0 <= i < n for i, n in zip(index, shape[:-2], strict=True)):
            _paint(labels[index], outline)
    return labels


def fitting(found: Sequence[Outline]) -> tuple[str, tuple[int, ...]]:
    """Return the axes and the smallest shape of labels that hold all outlines.

    Examples
    --------
    >>> square = np.array([[2, 1], [5, 1], [5, 3], [2, 3]], float)
    >>> fitting([Outline(1, [[square]], z=4)])
    ('ZYX', (5, 3, 5))
    """
    corners = [ring.max(axis=0) for outline in found for ring in outline.rings]
    columns, rows = np.ceil(np.max(corners, axis=0)).astype(int) if corners else (1, 1)
    lengths = {
        "T": max((outline.t for outline in found), default=0) + 1,
        "Z": max((outline.z for outline in found), default=0) + 1,
    }
    axes = "".join(axis for axis, n in lengths.items() if n > 1) + "YX"
    return axes, (*(lengths[axis] for axis in axes[:-2]), max(1, int(rows)), max(1, int(columns)))


def _rings(mask: NDArray[np.bool_]) -> Iterator[Ring]:
    """Yield the closed lines between a piece and what is around it, without straight corners."""
    ways = _sides(mask)
    while ways:
        start = here = next(iter(ways))
        ring: list[tuple[int, int]] = []
        heading = (0, 0)
        while not ring or here != start:
            ring.append(here)
            heading = _onward(ways, here, heading)
            here = (here[0] + heading[0], here[1] + heading[1])
        yield _without_straight(np.array(ring, np.float64))


def _sides(mask: NDArray[np.bool_]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return the headings in which the sides of the mask's pixels leave each corner (x, y)."""
    padded = np.pad(mask, 1)
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (down, right), (x, y), heading in SIDES:
        beside = np.roll(padded, (-down, -right), (0, 1))
        for row, column in np.argwhere(padded & ~beside).tolist():
            ways.setdefault((column - 1 + x, row - 1 + y), []).append(heading)
    return ways


def _onward(
    ways: dict[tuple[int, int], list[tuple[int, int]]],
    here: tuple[int, int],
    heading: tuple[int, int],
) -> tuple[int, int]:
    """Take the way on from a corner; where there are two, to the left, around the background."""
    choices = ways[here]
    left = (heading[1], -heading[0])
    chosen = left if left in choices else choices[0]
    choices.remove(chosen)
    if not choices:
        del ways[here]
    return chosen


def _without_straight(ring: Ring) -> Ring:
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    kept: Ring = ring[(before != after).any(axis=1)]
    return kept


def _area(ring: Ring) -> float:
    """Return twice the area inside; negative if the ring runs anticlockwise on the screen."""
    closed = np.vstack([ring, ring[:1]])
    return float(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(closed)))


def _paint(plane: NDArray[np.int32], outline: Outline) -> None:
    """Draw one nucleus into its plane (y, x)."""
    rings = outline.rings
    low = np.floor(np.min([ring.min(axis=0) for ring in rings], axis=0)).astype(int)
    high = np.ceil(np.max([ring.max(axis=0) for ring in rings], axis=0)).astype(int)
    inside = np.zeros((high - low)[::-1] + 1, bool)
    for ring in rings:
        x, y = (ring - low - 0.5).T  # centres of pixels are at whole numbers there
        inside[polygon(y, x, inside.shape)] ^= True
    rows, columns = np.nonzero(inside)
    rows, columns = rows + low[1], columns + low[0]
    kept = (rows >= 0) & (columns >= 0) & (rows < plane.shape[0]) & (columns < plane.shape[1])
    plane[rows[kept], columns[kept]] = outline.label
