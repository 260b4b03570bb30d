"""The walk over labels that measures every frame, or every plane, for itself."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet.images.arrays import check_fits, read_part, reading
from napari_unet.nuclei.brightness import (
    are_finite,
    backgrounds,
    free_pixels,
    intensities,
    spoilt,
    surroundings,
)
from napari_unet.nuclei.cleaning import rim_ids
from napari_unet.nuclei.hulls import hull_size
from napari_unet.nuclei.shapes import (
    Floats,
    Numbered,
    axis_lengths,
    eccentricities,
    moments,
    number,
    perimeters,
    surface,
    variances,
)

if TYPE_CHECKING:
    import pandas as pd

INDEX_NAMES = {"T": "frame", "Z": "plane"}
AXIS_NAMES = {2: ("major_axis", "minor_axis"), 3: ("major_axis", "middle_axis", "minor_axis")}
Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be measured.

    Attributes
    ----------
    labels : array-like of int
        Has a shape and a dtype, and can be indexed; 0 is background. Read part by part.
    axes : str
        One letter for each of its axes, of T, Z, C, Y and X.
    images : mapping of str to array-like
        Of the labels' shape; the names end those of the columns, and "" adds nothing.
    transform : (axes, axes + 1)
        Takes a place in the labels to one in the world: a matrix, and what is added.
    unit : str
        Of the world, such as "um"; it ends the names of the columns.
    each_plane : bool
        Measure the planes along Z as images of their own, and not as a volume.
    """

    labels: Any
    axes: str
    images: Mapping[str, Any]
    transform: Floats
    unit: str
    each_plane: bool = False

    @property
    def walked(self) -> str:
        """Return the axes along which every entry is measured for itself."""
        return "".join(axis for axis in self.axes if axis in ("TCZ" if self.each_plane else "TC"))

    @property
    def spatial(self) -> list[int]:
        """Return which axes a nucleus extends along."""
        return [axis for axis, letter in enumerate(self.axes) if letter not in self.walked]

    @property
    def spacing(self) -> Floats:
        """Return how far apart pixels are in the world along each axis; shear is left out."""
        lengths: Floats = np.linalg.norm(self.transform[:, :-1], axis=0)
        return lengths


@dataclass(frozen=True, eq=False)
class Measured:
    """The table of nuclei, and what it is of.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each nucleus of each frame; see `napari_unet.measure`.
    centroids : (rows, axes)
        Middle of each nucleus in the labels' array.
    walked : tuple of int
        Axes along which every entry was measured for itself.
    n_frames : int
        Entries along them: frames, or planes.
    shape : tuple of int
        Pixels along each axis of one of them.
    spacing : tuple of float
        Their size.
    unit : str
        Its unit.
    n_spoilt : int
        Rows of the table whose nuclei have pixels that are NaN or infinite in some image.
    """

    table: pd.DataFrame
    centroids: Floats
    walked: tuple[int, ...]
    n_frames: int
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    unit: str
    n_spoilt: int = 0

    @property
    def remark(self) -> str:
        """Return what is to be known of the intensities; empty if nothing is."""
        if not self.n_spoilt:
            return ""
        nuclei = "1 nucleus has" if self.n_spoilt == 1 else f"{self.n_spoilt:,} nuclei have"
        return (
            f"{nuclei} pixels that are NaN or infinite; intensities are those of the other pixels."
        )


@dataclass(frozen=True, eq=False)
class _Frame:
    """What is measured of one frame or plane: columns, places in the labels, nuclei as above."""

    columns: Columns
    centroids: Floats
    n_spoilt: int


def steps(task: Task) -> Generator[float, None, Measured]:
    """Measure, and yield the part of the work that is done.

    Raises
    ------
    ValueError
        If the labels are no whole numbers, an image has another shape, or there is no memory
        for what is measured at a time.
    """
    import pandas as pd

    check_labels(task.labels)
    for image in task.images.values():
        check_shape(image, task.labels)
    _check_room(task)
    counts = [task.labels.shape[task.axes.index(letter)] for letter in task.walked]
    n_frames = int(np.prod(counts))
    frames = []
    for done, place in enumerate(np.ndindex(*counts)):
        index = dict(zip(task.walked, place, strict=True))
        frames.append((yield from _shares(_part(task, index), done, n_frames)))
    shape = tuple(task.labels.shape[axis] for axis in task.spatial)
    spacing = tuple(task.spacing[task.spatial].tolist())
    # Labels without frames are still a table with the names of its columns.
    tables = [pd.DataFrame(frame.columns) for frame in frames]
    table = pd.concat(tables, ignore_index=True) if frames else pd.DataFrame({"label": []})
    middles = np.concatenate([np.zeros((0, len(task.axes))), *(it.centroids for it in frames)])
    walked = tuple(task.axes.index(letter) for letter in task.walked)
    n_spoilt = sum(frame.n_spoilt for frame in frames)
    return Measured(table, middles, walked, n_frames, shape, spacing, task.unit, n_spoilt)


def _check_room(task: Task) -> None:
    """Refuse frames, or planes, of which not even one fits into memory."""
    shape = tuple(task.labels.shape[axis] for axis in task.spatial)
    numbered = np.dtype(np.int32)
    dtypes = [task.labels.dtype, numbered, *(image.dtype for image in task.images.values())]
    check_fits(shape, math.prod(shape) * sum(dtype.itemsize for dtype in dtypes))


def check_labels(labels: Any) -> None:
    """Refuse labels that are no whole numbers."""
    if labels.dtype.kind not in "biu":
        raise ValueError(
            f"Expected labels of whole numbers, got {labels.dtype}; choose the labels and not an "
            "image, or round them."
        )


def check_shape(image: Any, labels: Any) -> None:
    """Refuse an image of another shape than the labels."""
    if tuple(image.shape) != tuple(labels.shape):
        raise ValueError(
            f"Expected an image of the labels' shape {tuple(labels.shape)}, got "
            f"{tuple(image.shape)}; choose the image that the labels were made from."
        )


def _shares(
    part: Generator[float, None, _Frame], done: int, n_parts: int
) -> Generator[float, None, _Frame]:
    """Pass on the progress of one part as that of the whole."""
    while True:
        try:
            share = next(part)
        except StopIteration as end:
            frame: _Frame = end.value
            return frame
        yield (done + share) / n_parts


def _part(task: Task, index: Mapping[str, int]) -> Generator[float, None, _Frame]:
    """Measure one frame or plane."""
    place = tuple(index.get(letter, slice(None)) for letter in task.axes)
    with reading():
        # A copy, since the user may paint on the labels meanwhile.
        labels = np.array(task.labels[place])
    labels = labels.astype(np.uint8) if labels.dtype == bool else labels
    if labels.min(initial=0) < 0:
        raise ValueError(
            f"Expected labels of 0 (background) and above, got {labels.min()}; set negative values "
            "to 0."
        )
    spacing = task.spacing[task.spatial]
    numbered = number(labels)
    sizes, centroids, covariances = moments(numbered)
    middles = _in_whole(task, index, centroids)
    columns: Columns = {
        INDEX_NAMES[letter]: np.full(len(sizes), at)
        for letter, at in index.items()
        if letter in INDEX_NAMES
    }
    columns |= _sizes(numbered, sizes, task.unit, spacing)
    columns |= _places(task, middles)
    columns |= yield from _forms(
        numbered, sizes, variances(covariances, spacing), task.unit, spacing
    )
    columns["touches_rim"] = np.isin(numbered.ids, rim_ids(labels, range(labels.ndim)))
    diameters = columns[f"equivalent_diameter_{task.unit}"]
    images = {name: read_part(image, place) for name, image in task.images.items()}
    columns |= _brightness(numbered, images, diameters, spacing)
    odd = [spoilt(numbered, image) for image in images.values()]
    return _Frame(columns, middles, int(np.any(odd, axis=0).sum()) if odd else 0)


def _in_whole(task: Task, index: Mapping[str, int], centroids: Floats) -> Floats:
    """Return places within one part as places in all of the labels' axes."""
    middles = np.zeros((len(centroids), len(task.axes)))
    middles[:, task.spatial] = centroids
    for letter, at in index.items():
        middles[:, task.axes.index(letter)] = at
    return middles


def _sizes(numbered: Numbered, sizes: Floats, unit: str, spacing: Floats) -> Columns:
    """Return labels, areas or volumes, and diameters of the circles or balls of that size."""
    name, power = ("area", 2) if len(spacing) == 2 else ("volume", 3)
    physical = sizes * spacing.prod()
    roundness = np.pi / (4 if power == 2 else 6)
    return {
        "label": numbered.ids,
        with_unit(name, unit, power): physical,
        with_unit("equivalent_diameter", unit): (physical / roundness) ** (1 / power),
    }


def _places(task: Task, middles: Floats) -> Columns:
    """Return the centroids in the world."""
    world = middles @ task.transform[:, :-1].T + task.transform[:, -1]
    return {
        with_unit(f"centroid_{letter.lower()}", task.unit): world[:, axis]
        for axis, letter in enumerate(task.axes)
        if letter in "ZYX"
    }


def _forms(
    numbered: Numbered, sizes: Floats, along: Floats, unit: str, spacing: Floats
) -> Generator[float, None, Columns]:
    """Return how long, round and smooth the nuclei are, one after the other."""
    n, ndim = along.shape
    hulls, surfaces = np.zeros(n), np.zeros(n)
    for at in range(n):
        mask = numbered.mask(at)
        hulls[at] = hull_size(mask)
        surfaces[at] = surface(mask, spacing) if ndim == 3 else 0
        yield at / n
    lengths = zip(AXIS_NAMES[ndim], axis_lengths(along).T, strict=True)
    columns: Columns = {with_unit(name, unit): length for name, length in lengths}
    if ndim == 2:
        columns["eccentricity"] = eccentricities(along)
    columns["solidity"] = sizes / hulls
    if ndim == 2:
        columns[with_unit("perimeter", unit)] = perimeters(numbered, spacing)
    else:
        columns[with_unit("surface", unit, 2)] = surfaces
    return columns


def _brightness(
    numbered: Numbered, images: Mapping[str, npt.NDArray[Any]], diameters: Floats, spacing: Floats
) -> Columns:
    """Return the intensities of the nuclei in every image."""
    if not images:
        return {}
    free = free_pixels(numbered)
    around = surroundings(numbered, free, diameters, spacing)
    columns: Columns = {}
    for name, image in images.items():
        found, finite = intensities(numbered, image), are_finite(image)
        if not finite[free].all():
            seen = free & finite
            near = surroundings(numbered, seen, diameters, spacing)
        else:
            seen, near = free, around
        found["intensity_corrected"] = found["intensity_mean"] - backgrounds(image, seen, near)
        columns |= {f"{key}_{name}" if name else key: values for key, values in found.items()}
    return columns


def with_unit(name: str, unit: str, power: int = 1) -> str:
    """Return the name of a column with its unit.

    Examples
    --------
    >>> with_unit("area", "um", 2), with_unit("area", "px", 2)
    ('area_um2', 'area_px')
    """
    return f"{name}_{unit}{power}" if power > 1 and unit != "px" else f"{name}_{unit}"


def finish(walk: Iterator[float]) -> Measured:
    """Run a walk to its end."""
    while True:
        try:
            next(walk)
        except StopIteration as end:
            measured: Measured = end.value
            return measured
