"""Crops with random geometry and light, made by torch in one go per batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, pad

from napari_unet.images.intensity import Normalisation, limits, normalise, to_rgb
from napari_unet.learning.targets import distance_map, median_diameter

__all__ = ["Augmentation", "Batch", "Sample", "prepare_sample", "random_batch", "vary_light"]

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
    p_invert, p_grey, p_tint, p_stain, p_noise, p_blur, p_shade, p_elastic : float
        Probabilities: light and dark swapped; colour to grey; grey to one colour; the
        stains of a coloured image mixed; and of the ones above.
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
    p_invert: float = 0.08
    p_grey: float = 0.1
    p_tint: float = 0.08
    p_stain: float = 0.5
    p_noise: float = 0.4
    p_blur: float = 0.25
    p_shade: float = 0.3
    p_elastic: float = 0.5


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
) -> Sample:
    """Normalise a plane, (y, x) or (y, x, s), and cache its targets."""
    colour = plane[..., :3] if plane.ndim == 3 else plane
    pixels = to_rgb(normalise(colour, limits(colour, normalisation), normalisation.ceiling))
    diameter = median_diameter(labels)
    weight = np.ones(labels.shape) if known is None else known
    return Sample(
        torch.from_numpy(pixels if plane.ndim == 3 else pixels[:1]).half(),
        torch.from_numpy(labels.astype(np.float32))[None],
        torch.from_numpy(distance_map(labels))[None].half(),
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
    """Draw ``n`` crops of ``size`` pixels a side; large planes are drawn more often."""
    weights = torch.tensor([sample.labels.numel() ** 0.5 for sample in samples])
    chosen = torch.multinomial(weights, n, replacement=True, generator=random)
    crops = [random_crop(samples[int(i)], size, settings, random) for i in chosen]
    image, labels, distance, known = (torch.stack(parts) for parts in zip(*crops, strict=True))
    return Batch(vary_light(image, settings, random), labels, distance, known)


def random_crop(
    sample: Sample, size: int, settings: Augmentation, random: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Warp one crop out of a plane: image (3, y, x); labels, distance, known (y, x)."""
    grid = random_grid(sample, size, settings, random)
    smooth = torch.cat([sample.pixels, sample.distance]).float()[None]
    hard = torch.cat([sample.labels, sample.known.float()])[None]
    warped = grid_sample(smooth, grid, "bilinear", "reflection", align_corners=False)[0]
    labels, known = grid_sample(hard, grid, "nearest", "reflection", align_corners=False)[0]
    return warped[:-1].expand(3, -1, -1), labels, warped[-1] * (labels > 0), known


def random_grid(
    sample: Sample, size: int, settings: Augmentation, random: torch.Generator
) -> Tensor:
    """Give the places, (1, size, size, 2) in -1..1, that a crop is read from."""
    height, width = sample.labels.shape[-2:]
    zoom = random_zoom(sample, size, settings, random)
    matrix = random_matrix(settings, random) / zoom
    steps = torch.arange(size) - (size - 1) / 2
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
    if chance(random, settings.p_elastic):
        offsets = offsets + elastic_offsets(size, settings.elastic, random)
    places = offsets @ matrix.T
    extent = torch.tensor([width, height], dtype=torch.float32)
    slack = (extent - size / zoom).clamp(min=0)
    centre = extent / 2 + slack * (torch.rand(2, generator=random) - 0.5)
    return ((places + centre) * 2 / extent - 1)[None]


def random_zoom(
    sample: Sample, size: int, settings: Augmentation, random: torch.Generator
) -> float:
    """Give the magnification of a crop, enough that little of it lies beyond the image."""
    low, high = (np.log(d) for d in settings.diameter)
    wanted = np.exp(uniform(random, low, high)) / sample.diameter
    filling = size / (MOST_BEYOND * min(sample.labels.shape[-2:]))
    return float(min(max(wanted, filling, settings.zoom[0]), settings.zoom[1]))


def random_matrix(settings: Augmentation, random: torch.Generator) -> Tensor:
    """Give a random rotation, flip and stretch, (2, 2)."""
    angle = uniform(random, 0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    flip = -1.0 if chance(random, 0.5) else 1.0
    stretch = np.exp(uniform(random, -settings.stretch, settings.stretch))
    rotation = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float32)
    return rotation * torch.tensor([stretch * flip, 1 / stretch], dtype=torch.float32)


def elastic_offsets(size: int, deviation: float, random: torch.Generator) -> Tensor:
    """Give smooth random displacements, (size, size, 2), in pixels (Simard et al., 2003)."""
    control = torch.randn(1, 2, 6, 6, generator=random) * deviation
    smooth = interpolate(control, size=(size, size), mode="bicubic", align_corners=True)
    return smooth[0].permute(1, 2, 0)


def vary_light(image: Tensor, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Vary colour, brightness, contrast, light, sharpness and noise of (n, 3, y, x) images."""
    image = vary_colour(image, settings, random)
    image = some(random, settings.p_invert, 1 - image.clamp(0, 1), image)
    gamma = spread(random, image, settings.gamma).exp()
    contrast = spread(random, image, settings.contrast).exp()
    image = image.clamp(min=1e-4) ** gamma * contrast
    image = image + spread(random, image, settings.brightness)
    image = some(random, settings.p_shade, image * shade(image, settings.shade, random), image)
    image = some(random, settings.p_blur, blur(image, settings.blur, random), image)
    level = spread(random, image, settings.noise).abs()
    grain = torch.randn(image[:, :1].shape, generator=random) * level
    return some(random, settings.p_noise, image + grain, image).clamp(0, 4)


def vary_colour(image: Tensor, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Mix the stains of coloured images, drop some colours, tint some grey images."""
    n = len(image)
    mix = torch.eye(3) + 0.12 * torch.randn(n, 3, 3, generator=random)
    is_colour = (image[:, :1] != image).flatten(1).any(1).view(n, 1, 1, 1)
    mixed = torch.einsum("nij,njyx->niyx", mix, 1 - image) * -1 + 1
    image = torch.where(is_colour, some(random, settings.p_stain, mixed, image), image)
    image = some(random, settings.p_grey, image.mean(1, keepdim=True).expand_as(image), image)
    tint = torch.rand(n, 3, 1, 1, generator=random)
    tint = tint / tint.amax(1, keepdim=True)
    return torch.where(is_colour, image, some(random, settings.p_tint, image * tint, image))


def shade(image: Tensor, deviation: float, random: torch.Generator) -> Tensor:
    """Give smooth factors around 1, (n, 1, y, x): uneven light."""
    control = torch.randn(len(image), 1, 3, 3, generator=random) * deviation
    return interpolate(control, image.shape[-2:], mode="bicubic", align_corners=True).exp()


def blur(image: Tensor, largest: float, random: torch.Generator) -> Tensor:
    """Blur every image by a Gaussian of its own random width up to ``largest`` pixels."""
    n, channels, height, width = image.shape
    sigma = torch.rand(n, 1, generator=random) * largest + 0.3
    reach = int(np.ceil(2.5 * (largest + 0.3)))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    flat = pad(image.reshape(1, n * channels, height, width), [reach] * 4, mode="reflect")
    flat = torch.conv2d(flat, kernel[:, :, None], groups=n * channels)
    flat = torch.conv2d(flat, kernel[..., None], groups=n * channels)
    return flat.view(image.shape)


def uniform(random: torch.Generator, low: float, high: float) -> float:
    """Draw one number."""
    return low + (high - low) * float(torch.rand((), generator=random))


def chance(random: torch.Generator, probability: float) -> bool:
    """Draw yes or no."""
    return bool(torch.rand((), generator=random) < probability)


def spread(random: torch.Generator, image: Tensor, largest: float) -> Tensor:
    """Draw one number in -largest..largest per image, (n, 1, 1, 1)."""
    return (torch.rand(len(image), 1, 1, 1, generator=random) * 2 - 1) * largest


def some(random: torch.Generator, probability: float, changed: Tensor, image: Tensor) -> Tensor:
    """Take the changed version of some of the images."""
    return torch.where(
        torch.rand(len(image), 1, 1, 1, generator=random) < probability, changed, image
    )
