"""Labels to the maps that the network learns: nucleus, border, distance."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import relabel_sequential
from torch import Tensor
from torch.nn.functional import max_pool2d


def renumbered(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return labels as 1..n in their own order.

    Labels from elsewhere may be so large that a list with a place for each fills the memory,
    or that float32 takes two of them for one.

    Examples
    --------
    >>> renumbered(np.array([[0, 2**30, 7, 7, 2**30 + 1]])).tolist()
    [[0, 2, 1, 1, 3]]
    """
    numbers, _, _ = relabel_sequential(labels)
    return np.asarray(numbers, np.int32)


def distance_map(labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the distance to the edge of each nucleus, scaled to 0..1 per nucleus.

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
    numbers = renumbered(labels)
    distance = np.zeros(labels.shape, np.float32)
    for label, box in enumerate(ndimage.find_objects(numbers), start=1):
        box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
        inside = numbers[box] == label
        if inside.all():
            distance[box] = 1
            continue
        depth = ndimage.distance_transform_edt(inside)
        distance[box][inside] = (depth / depth.max())[inside]
    return distance


def border_map(labels: Tensor) -> Tensor:
    """Return the rim of every nucleus, which between touching nuclei is two pixels wide.

    Parameters
    ----------
    labels : (n, y, x) float or integer tensor
        One label per nucleus, 0 is background.

    Returns
    -------
    (n, y, x) bool
        Pixels of a nucleus that have another label among their 8 neighbours.

    Examples
    --------
    >>> border_map(torch.tensor([[[0, 3, 3, 3, 5, 5, 5]]])).int().tolist()
    [[[0, 1, 0, 1, 1, 0, 0]]]
    """
    values = labels[:, None].float()
    differs = max_pool2d(values, 3, 1, 1) != -max_pool2d(-values, 3, 1, 1)
    return differs[:, 0] & (labels > 0)


def contact_map(labels: Tensor) -> Tensor:
    """Return where nuclei meet: two different ones within two pixels.

    Parameters
    ----------
    labels : (n, y, x) float or integer tensor
        One label per nucleus, 0 is background.

    Returns
    -------
    (n, y, x) bool

    Examples
    --------
    >>> contact_map(torch.tensor([[[3, 3, 3, 0, 5, 0, 0]]])).int().tolist()
    [[[0, 0, 1, 1, 1, 0, 0]]]
    """
    values = labels[:, None].float()
    highest = max_pool2d(values, 5, 1, 2)
    lowest = -max_pool2d(-values.where(values > 0, torch.inf), 5, 1, 2)
    return (highest > lowest)[:, 0]


def separation_map(labels: NDArray[np.integer], reach: float) -> NDArray[np.float32]:
    """Return how much a pixel lies between two nuclei, 0..1.

    The weight map of the U-Net paper [1]_: ``exp(-(d1 + d2)^2 / (2 reach^2))`` with the
    distances to the nearest and the second nearest nucleus.

    Parameters
    ----------
    labels : (y, x) integers
        One label per nucleus, 0 is background.
    reach : float
        In pixels.

    Returns
    -------
    (y, x) float32
        0 where there are fewer than two nuclei within four times the reach.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, U-Net: convolutional networks for biomedical image
       segmentation, MICCAI 2015, https://doi.org/10.1007/978-3-319-24574-4_28.

    Examples
    --------
    >>> (100 * separation_map(np.array([[3, 0, 0, 5, 5]]), reach=3.0)).astype(int).tolist()
    [[60, 60, 60, 60, 41]]
    """
    numbers = renumbered(labels)
    nearest = np.full((2, *labels.shape), np.inf, np.float32)
    margin = int(np.ceil(4 * reach))
    for label, box in enumerate(ndimage.find_objects(numbers), start=1):
        box = tuple(slice(max(s.start - margin, 0), s.stop + margin) for s in box)
        away = ndimage.distance_transform_edt(numbers[box] != label).astype(np.float32)
        first, second = nearest[:, *box]
        nearest[:, *box] = np.minimum(first, away), np.minimum(second, np.maximum(first, away))
    closeness: NDArray[np.float32] = np.exp(-(nearest.sum(axis=0) ** 2) / (2 * reach**2))
    return closeness


def median_diameter(labels: NDArray[np.integer]) -> float:
    """Return the median diameter, in pixels, of circles with the nuclei's areas (nan if none)."""
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    return float(2 * np.sqrt(np.median(areas) / np.pi)) if areas.size else float("nan")
