"""Synthetic micrographs of nuclei together with their true labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential

from napari_unet.images.micrograph import (
    Floats,
    Labels,
    Nucleus,
    Scene,
    SyntheticSettings,
    photograph,
    random_scene,
)

__all__ = ["SyntheticSettings", "nuclei_field", "nuclei_movie", "nuclei_stack"]

N_TRIES = 200
DEFAULT = SyntheticSettings()


def nuclei_field(
    shape: tuple[int, int] = (256, 256),
    n: int = 60,
    diameter: float = 18.0,
    seed: int = 0,
    settings: SyntheticSettings = DEFAULT,
) -> tuple[NDArray[np.uint16], Labels]:
    """Return a synthetic picture of nuclei and their true labels.

    Parameters
    ----------
    shape : (int, int)
        Shape (y, x), in pixels.
    n : int
        Number of nuclei; fewer are placed where there is no room.
    diameter : float
        Typical diameter, in pixels.
    seed : int
        The same seed gives the same picture.
    settings : SyntheticSettings
        Look of the picture.

    Returns
    -------
    image : array of uint16, (y, x)
    labels : array of int32, (y, x)
        0 for background, then 1, 2, ...; each label is one connected piece.

    Examples
    --------
    >>> image, labels = nuclei_field((64, 64), n=5, seed=1)
    >>> image.dtype, labels.shape, int(labels.max())
    (dtype('uint16'), (64, 64), 5)
    """
    return _still(shape, n, diameter, np.ones(2), seed, settings)


def nuclei_stack(
    shape: tuple[int, int, int] = (24, 128, 128),
    n: int = 40,
    diameter: float = 18.0,
    anisotropy: float = 2.0,
    seed: int = 0,
    settings: SyntheticSettings = DEFAULT,
) -> tuple[NDArray[np.uint16], Labels]:
    """Return a synthetic stack (z, y, x) of nuclei and their true labels.

    Parameters
    ----------
    shape : (int, int, int)
        Shape (z, y, x), in voxels.
    n, diameter, seed, settings
        As for `nuclei_field`.
    anisotropy : float
        Distance of two planes, in pixels of y and x.

    Returns
    -------
    image : array of uint16, (z, y, x)
    labels : array of int32, (z, y, x)
    """
    return _still(shape, n, diameter, np.array([anisotropy, 1.0, 1.0]), seed, settings)


def nuclei_movie(
    shape: tuple[int, int, int] = (12, 160, 160),
    n: int = 25,
    diameter: float = 18.0,
    seed: int = 0,
    settings: SyntheticSettings = DEFAULT,
) -> tuple[NDArray[np.uint16], Labels]:
    """Return a synthetic movie (t, y, x) of drifting nuclei and their true labels.

    A nucleus keeps its label in all frames. When it divides, its label ends and its two daughters
    get new ones.

    Parameters
    ----------
    shape : (int, int, int)
        Shape (t, y, x), in frames and pixels.
    n, diameter, seed, settings
        As for `nuclei_field`; `n` counts the nuclei of the first frame.

    Returns
    -------
    image : array of uint16, (t, y, x)
    labels : array of int32, (t, y, x)
    """
    rng = np.random.default_rng(seed)
    scene = random_scene(shape[1:], diameter, np.ones(2), settings, rng)
    image, labels = np.zeros(shape, np.uint16), np.zeros(shape, np.int32)
    for t, nuclei in enumerate(_frames(scene, n, shape[0], rng)):
        image[t], labels[t] = photograph(scene, nuclei, rng)
    return image, relabel_sequential(labels)[0]


def _still(
    shape: tuple[int, ...],
    n: int,
    diameter: float,
    spacing: Floats,
    seed: int,
    settings: SyntheticSettings,
) -> tuple[NDArray[np.uint16], Labels]:
    rng = np.random.default_rng(seed)
    scene = random_scene(shape, diameter, spacing, settings, rng)
    image, labels = photograph(scene, _scatter(scene, n, rng), rng)
    return image, relabel_sequential(labels)[0]


def _scatter(scene: Scene, n: int, rng: np.random.Generator) -> list[Nucleus]:
    nuclei: list[Nucleus] = []
    for _ in range(n):
        candidate = _candidate(scene, len(nuclei) + 1, rng)
        for _ in range(N_TRIES):
            centre, gap = _proposed_centre(scene, candidate.radius, nuclei, rng)
            if _has_room(centre, candidate.radius, nuclei, gap):
                nuclei.append(replace(candidate, centre=centre))
                break
    return nuclei


def _candidate(scene: Scene, label: int, rng: np.random.Generator) -> Nucleus:
    n_axes = len(scene.shape)
    radius = scene.diameter / 2 * np.exp(rng.normal(0, scene.settings.size_spread))
    stretch = rng.normal(0, 0.18, n_axes)
    return Nucleus(
        label=label,
        centre=np.zeros(n_axes),
        radii=radius * np.exp(stretch - stretch.mean()),
        rotation=np.linalg.qr(rng.standard_normal((n_axes, n_axes)))[0],
        brightness=float(np.exp(rng.normal(0, scene.settings.brightness_spread))),
        texture_origin=tuple(int(i) for i in rng.integers(0, 1000, n_axes)),
    )


def _proposed_centre(
    scene: Scene, radius: float, nuclei: Sequence[Nucleus], rng: np.random.Generator
) -> tuple[Floats, float]:
    """Return a centre and the gap to keep to others, in sums of the two radii."""
    extent = np.array(scene.shape) * scene.spacing
    if not nuclei or rng.random() >= scene.settings.touching:
        return rng.uniform(0, extent), 1.2
    neighbour = nuclei[int(rng.integers(len(nuclei)))]
    direction = rng.standard_normal(extent.size)
    distance = rng.uniform(0.85, 1.0) * (radius + neighbour.radius)
    centre = neighbour.centre + distance * direction / np.linalg.norm(direction)
    return np.clip(centre, 0, extent), 0.84


def _has_room(centre: Floats, radius: float, nuclei: Sequence[Nucleus], gap: float) -> bool:
    return all(
        np.linalg.norm(centre - other.centre) >= gap * (radius + other.radius) for other in nuclei
    )


def _frames(
    scene: Scene, n: int, n_frames: int, rng: np.random.Generator
) -> Iterator[list[Nucleus]]:
    nuclei = _scatter(scene, n, rng)
    last_label = len(nuclei)
    division_frame = {
        m.label: int(rng.integers(1, max(n_frames, 2)))
        for m in nuclei
        if rng.random() < scene.settings.dividing
    }
    for t in range(n_frames):
        for mother in [m for m in nuclei if division_frame.get(m.label) == t]:
            nuclei = [m for m in nuclei if m is not mother]
            nuclei += _daughters(mother, last_label + 1)
            last_label += 2
        yield nuclei
        nuclei = _moved(scene, nuclei, rng)


def _daughters(mother: Nucleus, first_label: int) -> list[Nucleus]:
    longest = int(np.argmax(mother.radii))
    half = 0.6 * mother.radii[longest] * mother.rotation[:, longest]
    shared = replace(mother, radii=0.72 * mother.radii)
    return [
        replace(shared, label=first_label, centre=mother.centre + half, velocity=0.1 * half),
        replace(shared, label=first_label + 1, centre=mother.centre - half, velocity=-0.1 * half),
    ]


def _moved(scene: Scene, nuclei: list[Nucleus], rng: np.random.Generator) -> list[Nucleus]:
    """Return the nuclei one frame later: a persistent random walk that keeps them apart."""
    change = rng.normal(0, scene.settings.drift * scene.diameter, (len(nuclei), 2))
    pushes = _pushes(nuclei)
    velocities = [0.8 * m.velocity + step for m, step in zip(nuclei, change, strict=True)]
    return [
        replace(m, centre=m.centre + velocity + push, velocity=velocity)
        for m, velocity, push in zip(nuclei, velocities, pushes, strict=True)
    ]


def _pushes(nuclei: list[Nucleus]) -> Floats:
    """Return the step (n, 2) that moves each nucleus half way out of its neighbours."""
    centres = np.array([m.centre for m in nuclei]).reshape(-1, 2)
    radii = np.array([m.radius for m in nuclei])
    between = centres[:, np.newaxis] - centres
    distance = np.linalg.norm(between, axis=2) + np.where(np.eye(len(nuclei)), np.inf, 1e-9)
    depth = np.clip(0.95 * np.add.outer(radii, radii) - distance, 0, None)
    return np.asarray((0.5 * (depth / distance)[..., np.newaxis] * between).sum(axis=1))
