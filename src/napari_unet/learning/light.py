"""Random light for a batch of crops: colour, contrast, shade, sharpness and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

if TYPE_CHECKING:
    from napari_unet.learning.augment import Augmentation


def vary_light(image: Tensor, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Return images (n, 3, y, x) with other colours, light, contrast, sharpness and noise.

    Values stay within 0..4, the range of normalised intensities.
    """
    image = _vary_colour(image, settings, random)
    image = _some(random, settings.p_invert, 1 - image.clamp(0, 1), image)
    gamma = _spread(random, image, settings.gamma).exp()
    contrast = _spread(random, image, settings.contrast).exp()
    image = image.clamp(min=1e-4) ** gamma * contrast
    image = image + _spread(random, image, settings.brightness)
    image = _some(random, settings.p_shade, image * _shade(image, settings.shade, random), image)
    image = _some(random, settings.p_blur, _blur(image, settings.blur, random), image)
    level = _spread(random, image, settings.noise).abs()
    grain = torch.randn(image[:, :1].shape, generator=random) * level
    return _some(random, settings.p_noise, image + grain, image).clamp(0, 4)


def _vary_colour(image: Tensor, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Return images with mixed stains; some coloured ones grey, some grey ones tinted."""
    n = len(image)
    mix = torch.eye(3) + settings.stain * torch.randn(n, 3, 3, generator=random)
    is_colour = (image[:, :1] != image).flatten(1).any(1).view(n, 1, 1, 1)
    mixed = torch.einsum("nij,njyx->niyx", mix, 1 - image) * -1 + 1
    image = torch.where(is_colour, _some(random, settings.p_stain, mixed, image), image)
    image = _some(random, settings.p_grey, image.mean(1, keepdim=True).expand_as(image), image)
    tint = torch.rand(n, 3, 1, 1, generator=random)
    tint = tint / tint.amax(1, keepdim=True)
    return torch.where(is_colour, image, _some(random, settings.p_tint, image * tint, image))


def _shade(image: Tensor, deviation: float, random: torch.Generator) -> Tensor:
    """Return smooth factors around 1, (n, 1, y, x): uneven light."""
    control = torch.randn(len(image), 1, 3, 3, generator=random) * deviation
    return interpolate(control, image.shape[-2:], mode="bicubic", align_corners=True).exp()


def _blur(image: Tensor, largest: float, random: torch.Generator) -> Tensor:
    """Return every image blurred by a Gaussian of its own random width, in pixels."""
    n, channels, height, width = image.shape
    sigma = torch.rand(n, 1, generator=random) * largest + 0.3
    reach = min(int(np.ceil(2.5 * (largest + 0.3))), height - 1, width - 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    flat = pad(image.reshape(1, n * channels, height, width), [reach] * 4, mode="reflect")
    flat = torch.conv2d(flat, kernel[:, :, None], groups=n * channels)
    flat = torch.conv2d(flat, kernel[..., None], groups=n * channels)
    return flat.view(image.shape)


def _spread(random: torch.Generator, image: Tensor, largest: float) -> Tensor:
    """Return one number in -largest..largest per image, (n, 1, 1, 1)."""
    return (torch.rand(len(image), 1, 1, 1, generator=random) * 2 - 1) * largest


def _some(random: torch.Generator, probability: float, changed: Tensor, image: Tensor) -> Tensor:
    """Return the changed version of some images, the others as they are."""
    return torch.where(
        torch.rand(len(image), 1, 1, 1, generator=random) < probability, changed, image
    )
