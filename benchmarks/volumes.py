"""Nuclei of stacks: AP50 and AP75 by the link of planes and the views of the network.

python benchmarks/volumes.py [--model nuclei] [--looks touching embryo] [--links volume overlap none]
    [--stack IMAGE LABELS]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_unet.api import model_settings
from napari_unet.images.files import read_image, read_labels
from napari_unet.images.spacing import anisotropy
from napari_unet.images.synthetic import SyntheticSettings, nuclei_stack
from napari_unet.network.library import load_model
from napari_unet.nuclei.metrics import evaluate
from napari_unet.segmentation import VIEWS, finish, image_diameter, label_maps, predict_maps


@dataclass(frozen=True)
class Look:
    """A generated stack; ``empty`` planes without nuclei are added below and above."""

    shape: tuple[int, int, int]
    n: int
    diameter: float
    anisotropy: float
    empty: int = 0
    settings: SyntheticSettings = field(default_factory=SyntheticSettings)


TOUCHING = SyntheticSettings(touching=0.9, elongation=2.5)
LOOKS = {
    "touching, 1": Look((64, 160, 160), 190, 18.0, 1.0, settings=TOUCHING),
    "touching, 2": Look((32, 160, 160), 190, 18.0, 2.0, settings=TOUCHING),
    "touching, 5": Look((13, 160, 160), 190, 18.0, 5.0, settings=TOUCHING),
    "dim below, 2": Look(
        (32, 160, 160), 150, 18.0, 2.0, settings=replace(TOUCHING, fading=0.9, contrast=3.0)
    ),
    "embryo, 10": Look(
        (24, 320, 320), 45, 44.0, 10.0, empty=6,
        settings=SyntheticSettings(
            touching=0.3, elongation=6.0, blur=1.5, photons=40, contrast=3.0, fading=0.6,
            brightness_spread=0.6,
        ),
    ),
    "few large cells, 5": Look(
        (10, 320, 320), 22, 60.0, 5.0,
        settings=SyntheticSettings(
            touching=0.4, elongation=4.0, blur=1.5, photons=60, texture=0.5, contrast=4.0
        ),
    ),
}  # fmt: skip


def stack_of(look: Look, seed: int) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Return image and labels, with the empty planes as noise of the background."""
    image, labels = nuclei_stack(
        look.shape, look.n, look.diameter, look.anisotropy, seed, look.settings
    )
    if not look.empty:
        return image, labels
    shape = (look.empty, *look.shape[1:])
    nothing = nuclei_stack(shape, 0, look.diameter, look.anisotropy, seed, look.settings)[0]
    around = ((look.empty, look.empty), (0, 0), (0, 0))
    return np.concatenate([nothing, image, nothing]), np.pad(labels, around)


def share_touching(labels: NDArray[np.int32]) -> float:
    """Return the share of nuclei that another one shares a face of a voxel with."""
    touching = set()
    for axis in range(3):
        ahead = np.moveaxis(labels, axis, 0)
        pairs = (ahead[1:] != ahead[:-1]) & (ahead[1:] > 0) & (ahead[:-1] > 0)
        touching |= {*np.unique(ahead[1:][pairs]), *np.unique(ahead[:-1][pairs])}
    return len(touching) / max(1, np.count_nonzero(np.unique(labels)))


def given(paths: tuple[Path, Path]) -> tuple[NDArray[Any], NDArray[np.int32], float]:
    """Return image, labels and anisotropy of a stack in files."""
    image = read_image(paths[0])
    return image.data, read_labels(paths[1]), anisotropy(image.scale, image.units)
