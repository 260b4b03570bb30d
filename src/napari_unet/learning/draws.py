"""Random numbers on the device of their generator, whose state alone decides them."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(random: torch.Generator, *shape: int) -> Tensor:
    """Return float32 numbers between 0 and 1, of a shape."""
    return torch.rand(shape, generator=random, device=random.device)


def normal(random: torch.Generator, *shape: int) -> Tensor:
    """Return float32 numbers of mean 0 and standard deviation 1, of a shape."""
    return torch.randn(shape, generator=random, device=random.device)
