"""Labels to the maps that the network learns: nucleus, border, distance."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import max_pool2d

__all__ = ["border_map", "contact_map", "distance_map", "median_diameter"]


def distance_map(labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Give the distance to the edge of each nucleus, scaled to 0..1 per nucleus.

    Parameters
    ----------
    labels : (y, x) integers
        One label per nucleus, 0 is background.

    Returns
    -------
    (y, x) float32
        1 at the innermost pixel of every nucleus, 0 outside. Scaled like this, the map
        does not change with the magnification. The image's rim is no edge.

    Examples
    --------
    >>> distance_map(np.array([[0, 3, 3, 3, 0, 7]])).tolist()
    [[0.0, 0.5, 1.0, 0.5, 0.0, 1.0]]
    """
    distance = np.zeros(labels.shape, np.float32)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
        inside = labels[box] == label
        if inside.all():
            distance[box] = 1
            continue
        depth = ndimage.distance_transform_edt(inside)
        distance[box][inside] = (depth / depth.max())[inside]
    return distance


def border_map(labels: Tensor) -> Tensor:
    """Mark the rim of every nucleus, which between touching nuclei is two pixels wide.

    Parameters
    ----------
    labels : (n, y, x) float or integer tensor
        One label per nucleus, 0 is background.

    Returns
    -------
    (n, y, x) bool
        Pixels of a nucleus that have another label among their 8 neighbours.
    """
    values = labels[:, None].float()
    differs = max_pool2d(values, 3, 1, 1) != -max_pool2d(-values, 3, 1, 1)
    return differs[:, 0] & (labels > 0)


def contact_map(labels: Tensor) -> Tensor:
    """Mark where nuclei meet: two different ones within two pixels.

    Parameters
    ----------
    labels : (n, y, x) float or integer tensor
        One label per nucleus, 0 is background.

    Returns
    -------
    (n, y, x) bool
    """
    values = labels[:, None].float()
    highest = max_pool2d(values, 5, 1, 2)
    lowest = -max_pool2d(-values.where(values > 0, torch.inf), 5, 1, 2)
    return (highest > lowest)[:, 0]


def median_diameter(labels: NDArray[np.integer]) -> float:
    """Give the median diameter, in pixels, of circles with the nuclei's areas (nan if none)."""
    areas = np.bincount(labels.ravel())[1:]
    areas = areas[areas > 0]
    return float(2 * np.sqrt(np.median(areas) / np.pi)) if areas.size else float("nan")
