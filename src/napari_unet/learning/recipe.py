"""How a network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from napari_unet.learning.augment import Augmentation
from napari_unet.learning.losses import LossWeights

LIMITS = {
    "crop": (1, math.inf),
    "batch": (1, math.inf),
    "steps": (1, math.inf),
    "learning_rate": (0, 1),
    "weight_decay": (0, 1),
    "epsilon": (0, 1),
    "warm_up": (0, math.inf),
    "averaging": (0, 1),
    "clip": (0, math.inf),
    "validations": (1, math.inf),
    "patience": (1, math.inf),
    "seed": (0, 2**32 - 1),
}
"""Least and largest value of each number in a `Recipe`."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    crop : int
        Side of the square crops, in pixels.
    batch : int
        Crops per step. Few: the same number of crops in more steps brings a better network.
    steps : int
        Steps of the run.
    minutes : float, optional
        Time of the run; if given, the run ends with whichever of both comes first.
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov, Hutter, ICLR 2019), which without decay of the weights is Adam.
    epsilon : float
        Of AdamW: weights whose gradients are far smaller than this hardly move.
    cosine : bool
        Whether the learning rate falls to 0 over the run, along half a cosine.
    warm_up : int
        Steps over which the learning rate rises.
    averaging : float
        Decay of the moving average of the weights that is kept as the result; lower at the
        start, so that the random first weights are soon forgotten.
    clip : float
        Largest norm of the gradient.
    validations : int
        How often the validation images are scored during the run.
    patience : int
        The run ends early after so many validations without a better score.
    seed : int
        Of everything random.
    loss : LossWeights
        Weights of the losses.
    augmentation : Augmentation
        What is varied.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    crop: int = 256
    batch: int = 4
    steps: int = 12_000
    minutes: float | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    epsilon: float = 1e-8
    cosine: bool = True
    warm_up: int = 300
    averaging: float = 0.9993
    clip: float = 5.0
    validations: int = 20
    patience: int = 10
    seed: int = 0
    loss: LossWeights = field(default_factory=LossWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Check every number."""
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                limits = f"{low} or more" if high == math.inf else f"from {low} to {high}"
                raise ValueError(f"Expected {name} to be {limits}, got {value}; choose another.")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(
                f"Expected more than 0 minutes, got {self.minutes}; leave them out for no limit."
            )
