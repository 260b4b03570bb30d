"""Random light for a batch of crops: colour, contrast, shade, sharpness and noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from napari_unet.learning.draws import normal, uniform

if TYPE_CHECKING:
    from napari_unet.learning.augment import Augmentation


def vary_light(image: Tensor, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Return images (n, 3, y, x) with other colours, light, contrast, sharpness and noise.

    Values stay within 0..4, the range of normalised intensities.
    """
    image = _vary_colour(image, settings, random)
    image = _some(random, settings.p_invert, image, lambda part: 1 - part.clamp(0, 1))
    gamma = _spread(random, image, settings.gamma).exp()
    contrast = _spread(random, image, settings.contrast).exp()
    image = image.clamp(min=1e-4) ** gamma * contrast
    image = image + _spread(random, image, settings.brightness)
    image = _some(random, settings.p_shade, image, partial(_shaded, settings.shade, random))
    image = _some(random, settings.p_blur, image, partial(_blurred, settings.blur, random))
    image = _some(random, settings.p_noise, image, partial(_grainy, settings.noise, random))
    return image.clamp(0, 4)


def _vary_colour(image: Tensor, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Return images with mixed stains; some coloured ones grey, some grey ones tinted."""
    is_colour = (image[:, :1] != image).flatten(1).any(1)
    mixed = partial(_mixed, settings.stain, random)
    image = _some(random, settings.p_stain, image, mixed, among=is_colour)
    image = _some(random, settings.p_grey, image, _grey, among=is_colour)
    return _some(random, settings.p_tint, image, partial(_tinted, random), among=~is_colour)


def _mixed(deviation: float, random: torch.Generator, image: Tensor) -> Tensor:
    """Return images with a part of what each colour absorbs absorbed by the others too."""
    mix = torch.eye(3, device=image.device) + deviation * normal(random, len(image), 3, 3)
    return 1 - torch.einsum("nij,njyx->niyx", mix, 1 - image)


def _grey(image: Tensor) -> Tensor:
    """Return images without colour."""
    return image.mean(1, keepdim=True).expand_as(image)


def _tinted(random: torch.Generator, image: Tensor) -> Tensor:
    """Return images in one colour each."""
    tint = uniform(random, len(image), 3, 1, 1)
    return image * tint / tint.amax(1, keepdim=True)


def _shaded(deviation: float, random: torch.Generator, image: Tensor) -> Tensor:
    """Return images in uneven light: times smooth factors around 1."""
    control = normal(random, len(image), 1, 3, 3) * deviation
    factors = interpolate(control, image.shape[-2:], mode="bicubic", align_corners=True).exp()
    return image * factors


def _grainy(largest: float, random: torch.Generator, image: Tensor) -> Tensor:
    """Return images with the same noise in all colours, of each its own level."""
    level = _spread(random, image, largest).abs()
    return image + normal(random, *image[:, :1].shape) * level


def _blurred(largest: float, random: torch.Generator, image: Tensor) -> Tensor:
    """Return every image blurred by a Gaussian of its own random width, in pixels."""
    n, channels, height, width = image.shape
    sigma = uniform(random, n, 1) * largest + 0.3
    reach = min(int(np.ceil(2.5 * (largest + 0.3))), height - 1, width - 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=image.device) / sigma) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    flat = pad(image.reshape(1, n * channels, height, width), [reach] * 4, mode="reflect")
    flat = torch.conv2d(flat, kernel[:, :, None], groups=n * channels)
    flat = torch.conv2d(flat, kernel[..., None], groups=n * channels)
    return flat.view(image.shape)


def _spread(random: torch.Generator, image: Tensor, largest: float) -> Tensor:
    """Return one number in -largest..largest per image, (n, 1, 1, 1)."""
    return (uniform(random, len(image), 1, 1, 1) * 2 - 1) * largest


def _some(
    random: torch.Generator,
    probability: float,
    image: Tensor,
    change: Callable[[Tensor], Tensor],
    among: Tensor | None = None,
) -> Tensor:
    """Return images some of which are changed, chosen at random among all or among those told."""
    chosen = uniform(random, len(image)) < probability
    chosen = chosen if among is None else chosen & among
    if image.device.type != "cpu":
        # To wait until a graphics card has told which would take longer than to change all.
        return torch.where(chosen[:, None, None, None], change(image), image)
    if not chosen.any():
        return image
    changed = image.clone()
    changed[chosen] = change(image[chosen])
    return changed
