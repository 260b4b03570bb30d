"""Random crops of labelled planes, turned, scaled and bent, in random light."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input
from napari_unet.learning.light import vary_light
from napari_unet.learning.targets import distance_map, median_diameter, renumbered

MOST_BEYOND = 1.3  # side of a crop over the image's shorter side; the rest is mirrored
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
    weights = torch.tensor([_weight(sample, settings) for sample in samples])
    chosen = torch.multinomial(weights, n, replacement=True, generator=random)
    crops = [_random_crop(samples[int(i)], size, settings, random) for i in chosen]
    image, labels, distance, known = (torch.stack(parts) for parts in zip(*crops, strict=True))
    return Batch(vary_light(image, settings, random), labels, distance, known)


def _weight(sample: Sample, settings: Augmentation) -> float:
    """Return how often a plane is drawn against others."""
    is_colour = len(sample.pixels) == 3
    return float(sample.labels.numel() ** 0.5) * (settings.colour if is_colour else 1.0)


def _random_crop(
    sample: Sample, size: int, settings: Augmentation, random: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return one warped crop of a plane: image (3, y, x); labels, distance, known (y, x)."""
    places = _mirrored(_random_places(sample, size, settings, random), sample.labels.shape[-2:])
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


def _random_places(
    sample: Sample, size: int, settings: Augmentation, random: torch.Generator
) -> Tensor:
    """Return the places that a crop is read from, (size, size, 2): x and y in pixels.

    Pixel i reaches from i to i + 1; places may lie beyond the plane.
    """
    height, width = sample.labels.shape[-2:]
    zoom = _random_zoom(sample, size, settings, random)
    matrix = _random_matrix(settings, random) / zoom
    steps = torch.arange(size) - (size - 1) / 2
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
    if _chance(random, settings.p_elastic):
        offsets = offsets + _elastic_offsets(size, settings.elastic, random)
    places = offsets @ matrix.T
    extent = torch.tensor([width, height], dtype=torch.float32)
    slack = (extent - size / zoom).clamp(min=0)
    centre = extent / 2 + slack * (torch.rand(2, generator=random) - 0.5)
    return places + centre


def _mirrored(places: Tensor, shape: torch.Size) -> Tensor:
    """Return places (y, x, 2) folded back into a plane (y, x), as if mirrors stood at its rim."""
    extent = torch.tensor([shape[1], shape[0]], dtype=torch.float32)
    return extent - (places.remainder(2 * extent) - extent).abs()


def _span(coordinates: Tensor) -> slice:
    """Return the pixels of an axis that sampling at some coordinates can touch."""
    low, high = coordinates.aminmax()
    return slice(max(0, int(low - 0.5)), int(high + 0.5) + 1)


def _random_zoom(
    sample: Sample, size: int, settings: Augmentation, random: torch.Generator
) -> float:
    """Return the magnification of a crop, enough that little of it lies beyond the image."""
    low, high = (np.log(d) for d in settings.diameter)
    wanted = np.exp(_uniform(random, low, high)) / sample.diameter
    filling = size / (MOST_BEYOND * min(sample.labels.shape[-2:]))
    return float(min(max(wanted, filling, settings.zoom[0]), settings.zoom[1]))


def _random_matrix(settings: Augmentation, random: torch.Generator) -> Tensor:
    """Return a random rotation, flip and stretch, (2, 2)."""
    angle = _uniform(random, 0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    flip = -1.0 if _chance(random, 0.5) else 1.0
    stretch = np.exp(_uniform(random, -settings.stretch, settings.stretch))
    rotation = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float32)
    return rotation * torch.tensor([stretch * flip, 1 / stretch], dtype=torch.float32)


def _elastic_offsets(size: int, deviation: float, random: torch.Generator) -> Tensor:
    """Return smooth random displacements, (size, size, 2), in pixels (Simard et al., 2003)."""
    control = torch.randn(1, 2, 6, 6, generator=random) * deviation
    smooth = interpolate(control, size=(size, size), mode="bicubic", align_corners=True)
    return smooth[0].permute(1, 2, 0)


def _uniform(random: torch.Generator, low: float, high: float) -> float:
    """Return one number between two."""
    return low + (high - low) * float(torch.rand((), generator=random))


def _chance(random: torch.Generator, probability: float) -> bool:
    """Return yes or no."""
    return bool(torch.rand((), generator=random) < probability)


def _check(name: str, is_right: bool, value: object, expected: str) -> None:
    if not is_right:
        raise ValueError(f"Expected {name} to be {expected}, got {value}; choose another value.")
