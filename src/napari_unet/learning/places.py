"""Where random crops are read from: turned, flipped, scaled and bent, all crops at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_unet.learning.draws import normal, uniform

if TYPE_CHECKING:
    from napari_unet.learning.augment import Augmentation

MOST_BEYOND = 1.3  # side of a crop over the plane's shorter side; the rest is mirrored


def random_places(
    extents: Tensor, diameters: Tensor, size: int, settings: Augmentation, random: torch.Generator
) -> Tensor:
    """Return the places that crops are read from, x and y in pixels of their planes.

    Parameters
    ----------
    extents : (n, 2) float tensor
        Width and height of each crop's plane, on the generator's device.
    diameters : (n,) float tensor
        Median diameter of each plane's nuclei, in pixels.
    size : int
        Side of the crops, in pixels.
    settings : Augmentation
        What is varied.
    random : torch.Generator
        Its state decides everything that is random here.

    Returns
    -------
    (n, size, size, 2) float tensor
        Pixel i reaches from i to i + 1. What would lie beyond the plane is folded back into it,
        as if mirrors stood at its rim.
    """
    zoom = _zooms(extents, diameters, size, settings, random)
    matrices = _matrices(len(zoom), settings, random) / zoom[:, None, None]
    places = _offsets(len(zoom), size, settings, random).flatten(1, 2) @ matrices.mT
    slack = (extents - size / zoom[:, None]).clamp(min=0)
    centres = extents / 2 + slack * (uniform(random, len(zoom), 2) - 0.5)
    extents = extents[:, None]
    folded = (places + centres[:, None]).remainder(2 * extents)
    mirrored: Tensor = extents - (folded - extents).abs()
    return mirrored.view(-1, size, size, 2)


def _zooms(
    extents: Tensor, diameters: Tensor, size: int, settings: Augmentation, random: torch.Generator
) -> Tensor:
    """Return the magnification of each crop, enough that little of it lies beyond the plane."""
    low, high = (math.log(d) for d in settings.diameter)
    wanted = (low + (high - low) * uniform(random, len(diameters))).exp() / diameters
    filling = size / (MOST_BEYOND * extents.amin(1))
    zooms: Tensor = torch.maximum(wanted, filling).clamp(*settings.zoom)
    return zooms


def _matrices(n: int, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Return random rotations, flips and stretches, (n, 2, 2)."""
    angle = 2 * math.pi * uniform(random, n)
    cosine, sine = angle.cos(), angle.sin()
    flip = torch.where(uniform(random, n) < 0.5, -1.0, 1.0)
    stretch = (settings.stretch * (2 * uniform(random, n) - 1)).exp()
    rotation = torch.stack([cosine, -sine, sine, cosine], dim=1).view(n, 2, 2)
    return rotation * torch.stack([stretch * flip, 1 / stretch], dim=1)[:, None]


def _offsets(n: int, size: int, settings: Augmentation, random: torch.Generator) -> Tensor:
    """Return where the pixels of crops lie, from their centres, (n, size, size, 2).

    Some crops are bent: elastic deformation (Simard et al., 2003).
    """
    steps = torch.arange(size, device=random.device) - (size - 1) / 2
    plain = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
    is_bent = uniform(random, n) < settings.p_elastic
    control = normal(random, n, 2, 6, 6)
    control = control * (settings.elastic * is_bent)[:, None, None, None]
    smooth = interpolate(control, size=(size, size), mode="bicubic", align_corners=True)
    return plain + smooth.permute(0, 2, 3, 1)
