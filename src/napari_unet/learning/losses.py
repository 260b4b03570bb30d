"""What the network is told about its maps: cross-entropy and Dice, on known pixels only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from napari_unet.network.config import NUCLEUS_BORDER_DISTANCE

DISTANCE = NUCLEUS_BORDER_DISTANCE.index("distance")


@dataclass(frozen=True)
class LossWeights:
    """How much each part counts in the sum.

    Parameters
    ----------
    nucleus, border, distance : float
        Weight of each map's loss.
    dice : float
        Weight of the Dice loss of the nucleus and border maps beside their cross-entropy.
    contact : float
        Extra weight of the pixels where two nuclei touch: few pixels, but they decide
        whether two nuclei are told apart.
    separation : float
        Extra weight of the pixels between near nuclei, ``w0`` of the U-Net paper's weight map
        (10 there; see `separation_map`); 0 spares its computation.
    separation_reach : float
        How far apart nuclei count as near, ``sigma`` there, in pixels.
    """

    nucleus: float = 1.0
    border: float = 1.0
    distance: float = 2.0
    dice: float = 1.0
    contact: float = 4.0
    separation: float = 0.0
    separation_reach: float = 5.0

    @property
    def per_map(self) -> tuple[float, float, float]:
        """The weights in the maps' order."""
        return self.nucleus, self.border, self.distance


def cross_entropy(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Return the binary cross-entropy, averaged with the weights ``known`` (0 is unknown).

    All of shape (n, y, x); target in 0..1. Nothing known gives 0.
    """
    loss = binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)


def soft_dice(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Return 1 - Dice over the whole batch (Milletari et al., V-Net, 3DV 2016), on known pixels.

    All of shape (n, y, x); 0 where both are empty.
    """
    probability = logits.sigmoid() * known
    target = target * known
    overlap = 2 * (probability * target).sum() + 1
    return 1 - overlap / ((probability**2).sum() + (target**2).sum() + 1)


def map_loss(
    logits: Tensor,
    target: Tensor,
    known: Tensor,
    weights: LossWeights,
    compared: Tensor | None = None,
) -> Tensor:
    """Return the loss of the maps: cross-entropy of each, and Dice of all but the distance.

    Dice compares sets, which the nuclei and their borders are and the distance is not.

    Parameters
    ----------
    logits, target : (n, maps, y, x)
        Nucleus, border and distance, or the nucleus alone: the network's output, and what
        it should be in 0..1.
    known : (n, y, x)
        Weight of each pixel, 0 where the truth is not known.
    compared : (n, y, x) bool, optional
        Pixels that Dice is of; all known ones if not given.
    """
    zone = (known > 0 if compared is None else compared).float()
    parts = []
    for i, weight in zip(range(logits.shape[1]), weights.per_map, strict=False):
        parts.append(weight * cross_entropy(logits[:, i], target[:, i], known))
        if i != DISTANCE:
            parts.append(weights.dice * soft_dice(logits[:, i], target[:, i], zone))
    return torch.stack(parts).sum()
