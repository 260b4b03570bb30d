"""How large the nuclei of an image are, and how the image is scaled before the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.planes import Predict, zoomed
from napari_unet.nuclei.instances import InstanceSettings, instances
from napari_unet.nuclei.tables import weighted_median

MOST_PIXELS = 1024  # side of what the network sees when the diameter is estimated
FEWEST_NUCLEI = 3
TOLERANCE = 1.8  # factor by which nuclei may differ from the model's and still be seen well
LARGEST = 1.3  # times the model's diameter; beyond that fewer pixels are faster, and seen better
LARGEST_ZOOM = 4.0
SMALLEST_ZOOM = 0.1
TRIALS = (1.0, 0.5, 0.25, 0.125, 2.0, 4.0)
MOST_TIMES = 8.0  # the model's size; beyond, glands and dark areas pass for huge nuclei
SURE = 0.8  # a network that is as sure as this of nuclei of its own size need see no other scale
LEAST_SURE = 0.65  # of the built-in model: noise and textures stay below it, nuclei are above


def zoom_between(diameter: float, model_diameter: float) -> float:
    """Return the factor that an image is scaled by before the network.

    The network copes with a range of sizes, so an image within that range is left as it is:
    resampling costs time and sharpness. Enlarging costs more of both than shrinking, so that
    large nuclei are rescaled sooner.

    Parameters
    ----------
    diameter, model_diameter : float
        Of a typical nucleus in the image and in the model's training images, in pixels.

    Examples
    --------
    >>> zoom_between(20.0, 22.0), zoom_between(88.0, 22.0)
    (1.0, 0.25)
    """
    zoom = model_diameter / diameter
    if 1 / LARGEST <= zoom <= TOLERANCE:
        return 1.0
    return float(np.clip(zoom, SMALLEST_ZOOM, LARGEST_ZOOM))


def estimate_diameter(
    pixels: NDArray[np.float32],
    predict: Predict,
    model_diameter: float,
    settings: InstanceSettings,
) -> float:
    """Return the diameter of a typical nucleus of a plane, by a quick first pass.

    The plane is segmented at its own scale; unless the network is sure of what it finds, and
    that has about the model's size, it is segmented at other scales too, and the one is believed
    at which the network is surest: at a wrong scale it sees nuclei in noise and in the texture of
    large nuclei, but not clearly. Where it sees nothing clearly at any scale, nothing is believed:
    an image is not enlarged, which takes many times as long, for what may be noise.

    Parameters
    ----------
    pixels : array of float32, (3, y, x)
        Normalised intensities.
    predict : callable
        The network.
    model_diameter : float
        The size, in pixels, that the network knows best; returned where nothing is believed.
    settings : InstanceSettings
        How nuclei come out of the maps.

    Returns
    -------
    float
        In pixels of the plane.
    """
    if 0 in pixels.shape:
        return model_diameter
    settings, most = _robust(of_all_sizes(settings)), MOST_TIMES * model_diameter
    found: dict[float, float] = {}
    for zoom in TRIALS:
        part = pixels[:, *central_part(pixels.shape[1:], round(MOST_PIXELS / max(zoom, 1)))]
        maps = predict(zoomed(part, zoom))
        labels = instances(maps, settings)
        areas = _nucleus_areas(labels)
        if len(areas) < FEWEST_NUCLEI:
            continue
        seen, how_sure = _typical_diameter(areas), sureness(maps[0], labels)
        if how_sure >= LEAST_SURE and seen / zoom <= most:
            found[seen / zoom] = how_sure
        fits = abs(math.log(seen / model_diameter)) <= math.log(TOLERANCE)
        if zoom == 1 and fits and how_sure >= SURE:
            break
    return max(found, key=found.__getitem__) if found else model_diameter


def sureness(nucleus: NDArray[np.float32], labels: NDArray[np.int32 | np.bool_]) -> float:
    """Return how far from a coin's toss the probability is inside nuclei, 0..1, on average.

    Parameters
    ----------
    nucleus : (y, x) float32
        Probability of a nucleus, 0..1.
    labels : (y, x) int32 or bool
        Where the nuclei are; 0 is returned where there is none.

    Examples
    --------
    >>> sureness(np.float32([[0, 0.9, 0.7]]), np.int32([[0, 1, 1]]))
    0.6
    """
    inside = nucleus[labels > 0]
    return float(np.abs(2 * inside.astype(np.float64) - 1).mean().round(6)) if inside.size else 0.0


def of_all_sizes(settings: InstanceSettings) -> InstanceSettings:
    """Return settings that leave no nucleus out for its size or place.

    Sizes are in pixels or voxels of the image; a network sees planes, at a scale of its own.
    """
    return replace(settings, min_size=None, max_size=None, drop_rim=False)


def _robust(settings: InstanceSettings) -> InstanceSettings:
    """Return settings whose seeds stand being at the wrong scale.

    The depth alone, though the better one at the right scale, breaks large nuclei into pieces
    of just the size that the network knows.
    """
    if settings.seeds == "none":
        return settings
    default = InstanceSettings()
    return replace(
        settings,
        seeds=default.seeds,
        seed_distance=default.seed_distance,
        border=default.border,
    )


def central_part(shape: Sequence[int], side: int) -> tuple[slice, slice]:
    """Return where the middle of a plane (y, x) is, at most ``side`` pixels a side."""
    starts = [max(0, (n - side) // 2) for n in shape]
    rows, columns = (
        slice(start, min(start + side, n)) for start, n in zip(starts, shape, strict=True)
    )
    return rows, columns


def _nucleus_areas(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the area of every label, in pixels."""
    areas = np.bincount(labels.reshape(-1), minlength=1)[1:]
    return areas[areas > 0]


def _typical_diameter(areas: NDArray[np.intp]) -> float:
    """Return the diameter of a disc of typical area: the median over pixels, not over nuclei.

    Debris and fragments are many but small, so they hardly count.
    """
    return float(2 * np.sqrt(weighted_median(areas, areas) / np.pi))
