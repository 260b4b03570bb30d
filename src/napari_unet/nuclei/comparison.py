"""Stacks and movies compared with their truth: part by part, each as `judge` does it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet.images.arrays import check_fits
from napari_unet.nuclei.errors import RIGHT_FROM, Finding, Kind, judge
from napari_unet.nuclei.metrics import Scores

Place = tuple[int | slice, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What came of comparing all parts.

    Parameters
    ----------
    scores : Scores
        Over the nuclei of all parts.
    findings : tuple of Finding
        Part by part; their boxes are in the whole array.
    image : array of uint8, shape of the labels
        The error image, see :class:`napari_unet.nuclei.errors.Judgement`.
    """

    scores: Scores
    findings: tuple[Finding, ...]
    image: npt.NDArray[np.uint8]


def compare(
    found: Any, truth: Any, depth: int | None, right_from: float = RIGHT_FROM
) -> Generator[tuple[int, int], None, Comparison]:
    """Compare labels with the truth; stop iterating to cancel.

    Parameters
    ----------
    found, truth : array-like of int, same shape
        Anything that NumPy can read slice by slice; 0 is background.
    depth : int, optional
        The axis along which nuclei have planes, as `depth_axis` gives it; None takes every plane
        for itself. Along all others but y and x, the last two, every part is compared for itself,
        as the frames of a movie are.
    right_from : float
        Least IoU of a right outline.

    Yields
    ------
    (int, int)
        How many parts of how many are done.

    Returns
    -------
    Comparison
        As the generator's return value.

    Raises
    ------
    ValueError, TypeError
        As :func:`napari_unet.nuclei.errors.judge`, and if there is no memory for a part or for
        the error image.
    """
    if found.shape != truth.shape:
        raise ValueError(
            f"Expected labels of one shape, got {found.shape} and {truth.shape}; compare labels "
            "of the same image."
        )
    _check_room(found, truth, depth)
    places = list(parts(found.shape, depth))
    scores, findings = Scores(), list[Finding]()
    image = np.zeros(found.shape, np.uint8)
    for done, place in enumerate(places, start=1):
        # Copies, since somebody may paint meanwhile.
        judged = judge(np.array(found[place]), np.array(truth[place]), right_from)
        scores += judged.scores
        findings.extend(replace(it, box=_whole_box(place, it.box)) for it in judged.findings)
        image[place] = judged.image
        yield done, len(places)
    return Comparison(scores, tuple(findings), image)


def _check_room(found: Any, truth: Any, depth: int | None) -> None:
    """Refuse labels of which not even one part fits into memory beside the error image."""
    walked = _walked(found.shape, depth)
    part = math.prod(n for axis, n in enumerate(found.shape) if axis not in walked)
    n_bytes = math.prod(found.shape) + part * (found.dtype.itemsize + truth.dtype.itemsize)
    check_fits(found.shape, n_bytes)


def depth_axis(axes: str, shape: tuple[int, ...]) -> int | None:
    """Return the axis along which labels have planes, None where there is none.

    It is Z; else, of axes that are not known, the last one that is longer than 1, and never T.

    Examples
    --------
    >>> depth_axis("ZTYX", (5, 3, 64, 64)), depth_axis("", (1, 5, 64, 64))
    (0, 1)
    >>> depth_axis("TYX", (3, 64, 64)) is None
    True
    """
    if "Z" in axes:
        return axes.index("Z")
    names = axes.ljust(len(shape))
    long = [axis for axis, n in enumerate(shape[:-2]) if n > 1 and names[axis] != "T"]
    return long[-1] if long else None


def parts(shape: tuple[int, ...], depth: int | None) -> Iterator[Place]:
    """Yield the place of every part that is compared for itself.

    Examples
    --------
    >>> [place[0] for place in parts((2, 4, 5), None)]
    [0, 1]
    >>> list(parts((2, 4, 5), 0))
    [(slice(None, None, None), slice(None, None, None), slice(None, None, None))]
    """
    walked = _walked(shape, depth)
    for index in np.ndindex(*(shape[axis] for axis in walked)):
        at = dict(zip(walked, index, strict=True))
        yield tuple(at.get(axis, slice(None)) for axis in range(len(shape)))


def _walked(shape: tuple[int, ...], depth: int | None) -> list[int]:
    """Return the axes along which parts lie; of one plane a nucleus is flat."""
    return [axis for axis, n in enumerate(shape[:-2]) if axis != depth or n == 1]


def n_by_kind(findings: Iterable[Finding]) -> dict[Kind, int]:
    """Return how many findings there are of every kind."""
    counts = Counter(finding.kind for finding in findings)
    return {kind: counts[kind] for kind in Kind}


def middle(finding: Finding) -> tuple[int, ...]:
    """Return the pixel in the middle of a finding's box."""
    return tuple(math.floor((part.start + part.stop - 1) / 2) for part in finding.box)


def _whole_box(place: Place, box: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return the box of a part as one of the whole array."""
    own = iter(box)
    return tuple(next(own) if isinstance(at, slice) else slice(at, at + 1) for at in place)
