"""How far apart the planes of a stack are, by the shape of its nuclei."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.tables import counted, weighted_median

FEWEST_WHOLE = 5  # nuclei; the shapes of fewer say less than that planes may be a pixel apart


def distance_of_planes(labels: npt.NDArray[np.int32]) -> float | None:
    """Return the distance between planes at which the nuclei are as high as they are wide.

    Parameters
    ----------
    labels : array of int32, shape (z, y, x)
        One label per nucleus, 0 is background.

    Returns
    -------
    float or None
        In pixels of y and x: the median width of nuclei over their median number of planes. The
        medians are over voxels, so that fragments, which are many but small, hardly count. None if
        fewer than `FEWEST_WHOLE` nuclei lie whole within the stack.

    Examples
    --------
    >>> stack = np.zeros((4, 40, 40), np.int32)
    >>> for n in range(16):
    ...     stack[1:3, 10 * (n // 4) + 2 :, 10 * (n % 4) + 2 :][:, :6, :6] = n + 1
    >>> round(distance_of_planes(stack), 1)
    3.4
    """
    areas = _areas(labels)
    areas = areas[_is_whole(labels) & (areas.sum(axis=1) > 0)]
    if len(areas) < FEWEST_WHOLE:
        return None
    volumes = areas.sum(axis=1)
    width = weighted_median(2 * np.sqrt(areas.max(axis=1) / np.pi), volumes)
    return width / weighted_median(np.count_nonzero(areas, axis=1), volumes)


def _areas(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Return the pixels of each label, the background first, on each plane: (labels, planes)."""
    areas = np.zeros((int(labels.max(initial=0)) + 1, len(labels)), np.intp)
    for z, plane in enumerate(labels):
        found = counted(plane)
        areas[: len(found), z] = found
    return areas


def _is_whole(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Tell of each label whether it is a nucleus that no face of the stack cuts."""
    whole = np.ones(int(labels.max(initial=0)) + 1, bool)
    whole[0] = False
    for axis in range(3):
        whole[labels.take([0, -1], axis)] = False
    return whole
