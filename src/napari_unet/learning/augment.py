"""Random crops of labelled planes, turned, scaled and bent, in random light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input
from napari_unet.learning.light import vary_light
from napari_unet.learning.places import random_places
from napari_unet.learning.targets import distance_map, median_diameter, renumbered

FALLBACK_DIAMETER = 20.0  # px, for a plane without a nucleus


@dataclass(frozen=True)
class Augmentation:
    """What is varied, and how much; every probability is per crop.

    Parameters
    ----------
    diameter : (low, high)
        Median diameter of the nuclei in the crops, in pixels, log-uniform.
    zoom : (low, high)
        No crop is scaled by less or more than this, whatever its nuclei's diameter.
    stretch : float
        Largest relative stretch of one axis against the other.
    elastic : float
        Standard deviation of the elastic deformation's control points, in pixels.
    gamma, contrast : float
        Largest absolute logarithm of the exponent and of the factor.
    brightness, noise : float
        Largest offset and largest noise level, of the range 0..1.
    blur : float
        Largest standard deviation of the Gaussian blur, in pixels.
    shade : float
        Standard deviation of the logarithm of uneven light.
    stain : float
        Standard deviation of how much of each colour goes into each other.
    colour : float
        How much more often planes in colour are drawn than grey ones of their size.
    p_invert, p_grey, p_tint, p_stain, p_noise, p_blur, p_shade, p_elastic : float
        Probabilities: light and dark swapped; colour to grey; grey to one colour; the
        stains of a coloured image mixed; and of the ones above.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    diameter: tuple[float, float] = (11.0, 45.0)
    zoom: tuple[float, float] = (0.35, 2.8)
    stretch: float = 0.15
    elastic: float = 6.0
    gamma: float = 0.5
    contrast: float = 0.5
    brightness: float = 0.1
    noise: float = 0.12
    blur: float = 1.5
    shade: float = 0.3
    stain: float = 0.25
    colour: float = 2.0
    p_invert: float = 0.08
    p_grey: float = 0.15
    p_tint: float = 0.08
    p_stain: float = 0.7
    p_noise: float = 0.4
    p_blur: float = 0.25
    p_shade: float = 0.3
    p_elastic: float = 0.5

    @classmethod
    def none(cls) -> Augmentation:
        """Return settings under which nothing is varied, nuclei of any size included."""
        nothing: dict[str, Any] = {
            f.name: 0.0 for f in fields(cls) if isinstance(f.default, float) and f.name != "colour"
        }
        return cls(zoom=(1.0, 1.0), colour=1.0, **nothing)

    def __post_init__(self) -> None:
        """Check every value."""
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if name in ("diameter", "zoom"):
                _check(name, 0 < value[0] <= value[1] < np.inf, value, "0 < low <= high")
            elif name == "colour":
                _check(name, 0 < value < np.inf, value, "more than 0")
            elif name.startswith("p_"):
                _check(name, 0 <= value <= 1, value, "a probability from 0 to 1")
            else:
                _check(name, 0 <= value < np.inf, value, "0 or more")


@dataclass(frozen=True)
class Sample:
    """One plane, ready for cropping.

    Parameters
    ----------
    pixels : (1 or 3, y, x) float16 tensor
        Normalised intensities.
    labels : (1, y, x) float32 tensor
        One label per nucleus.
    distance : (1, y, x) float16 tensor
        The distance map of the labels.
    known : (1, y, x) float16 tensor
        Weight of each pixel, 0 where the labels are not known.
    diameter : float
        Median diameter of the nuclei in pixels.
    """

    pixels: Tensor
    labels: Tensor
    distance: Tensor
    known: Tensor
    diameter: float


@dataclass(frozen=True)
class Batch:
    """Crops for one step: ``image`` (n, 3, y, x); ``labels``, ``distance``, ``known`` (n, y, x)."""

    image: Tensor
    labels: Tensor
    distance: Tensor
    known: Tensor


def prepare_sample(
    plane: NDArray[np.generic],
    labels: NDArray[np.int32],
    normalisation: Normalisation,
    known: NDArray[np.generic] | None = None,
    bounds: tuple[float, float] | None = None,
) -> Sample:
    """Return a plane normalised and with its targets, which are made only once.

    Parameters
    ----------
    plane : (y, x) or (y, x, s)
        Intensities of any real type.
    labels : (y, x) int32
        One label per nucleus, 0 is background.
    normalisation : Normalisation
        How intensities are brought to one range.
    known : (y, x), optional
        Weight of each pixel, 0 where the labels are not known; 1 everywhere if not given.
    bounds : (float, float), optional
        What becomes 0 and 1; the plane's own percentiles if not given.
    """
    pixels = network_input(plane, normalisation, bounds)
    return sample_of(pixels if plane.ndim == 3 else pixels[:1], labels, known)


def sample_of(
    pixels: NDArray[np.float32],
    labels: NDArray[np.int32],
    known: NDArray[np.generic] | None = None,
) -> Sample:
    """Return normalised pixels (1 or 3, y, x) with their targets; else as `prepare_sample`."""
    numbers = renumbered(labels)
    diameter = median_diameter(labels)
    weight = np.ones(labels.shape) if known is None else known
    return Sample(
        torch.from_numpy(pixels.astype(np.float16)),
        torch.from_numpy(numbers.astype(np.float32))[None],
        torch.from_numpy(distance_map(numbers))[None].half(),
        torch.from_numpy(weight.astype(np.float16))[None],
        diameter if np.isfinite(diameter) else FALLBACK_DIAMETER,
    )


def random_batch(
    samples: list[Sample],
    size: int,
    n: int,
    settings: Augmentation,
    random: torch.Generator,
) -> Batch:
    """Return ``n`` random crops of ``size`` pixels a side.

    Large planes are drawn more often, and those in colour, which are few and differ more.

    Parameters
    ----------
    samples : list of Sample
        At least one.
    size, n : int
        Side of the crops, in pixels, and their number.
    settings : Augmentation
        What is varied.
    random : torch.Generator
        Its state decides everything that is random here.
    """
    chosen = torch.multinomial(
        draw_weights(samples, settings), n, replacement=True, generator=random
    )
    drawn = [samples[int(i)] for i in chosen]
    extents = torch.tensor([sample.labels.shape[:0:-1] for sample in drawn], dtype=torch.float32)
    diameters = torch.tensor([sample.diameter for sample in drawn])
    places = random_places(extents, diameters, size, settings, random)
    crops = [_warped(*each) for each in zip(drawn, places, strict=True)]
    image, labels, distance, known = (torch.stack(parts) for parts in zip(*crops, strict=True))
    return Batch(vary_light(image, settings, random), labels, distance, known)


def draw_weights(samples: Sequence[Sample], settings: Augmentation) -> Tensor:
    """Return how often each plane is drawn against others, (n,)."""
    return torch.tensor(
        [
            sample.labels.numel() ** 0.5 * (settings.colour if len(sample.pixels) == 3 else 1.0)
            for sample in samples
        ]
    )


def _warped(sample: Sample, places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what lies at some places of a plane: image (3, y, x); labels, distance, known."""
    # Of a large plane only what the crop shows is converted and sampled.
    rows, columns = (_span(places[..., axis]) for axis in (1, 0))
    parts = (sample.pixels, sample.distance, sample.labels, sample.known)
    pixels, depth, numbers, sure = (part[:, rows, columns].float() for part in parts)
    corner = torch.tensor([columns.start, rows.start])
    extent = torch.tensor([numbers.shape[2], numbers.shape[1]])
    grid = ((places - corner) * 2 / extent - 1)[None]
    smooth, hard = torch.cat([pixels, depth])[None], torch.cat([numbers, sure])[None]
    warped = grid_sample(smooth, grid, "bilinear", "border", align_corners=False)[0]
    labels, known = grid_sample(hard, grid, "nearest", "border", align_corners=False)[0]
    return warped[:-1].expand(3, -1, -1), labels, warped[-1] * (labels > 0), known


def _span(coordinates: Tensor) -> slice:
    """Return the pixels of an axis that sampling at some coordinates can touch."""
    low, high = coordinates.aminmax()
    return slice(max(0, int(low - 0.5)), int(high + 0.5) + 1)


def _check(name: str, is_right: bool, value: object, expected: str) -> None:
    if not is_right:
        raise ValueError(f"Expected {name} to be {expected}, got {value}; choose another value.")
