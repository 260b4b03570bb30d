"""The look of fluorescent nuclei under a microscope.

The picture is made the way a microscope makes it: ellipsoids with chromatin texture, blurred by the
optics, lit unevenly, counted as photons (Poisson) and read out by a camera (Gaussian), after the
simulators of Lehmussola et al. 2007 (SIMCEP, doi:10.1109/TMI.2007.896925) and Svoboda and Ulman
2017 (MitoGen, doi:10.1109/TMI.2016.2606545).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]

# Cameras add an offset so that read noise does not fall below zero.
CAMERA_OFFSET = 100
TEXTURE_SHAPES = {2: (256, 256), 3: (48, 96, 96)}


@dataclass(frozen=True)
class SyntheticSettings:
    """Look of the synthetic nuclei and of the microscope.

    Attributes
    ----------
    texture : float
        Strength of the chromatin texture, as a relative standard deviation.
    blur : float
        Standard deviation of the optics' point spread in y and x, in pixels.
    elongation : float
        The point spread in z over that in y and x.
    fading : float
        Part of the light that is lost in the last plane of a stack, 0 to 1; exponential with depth.
    photons : float
        Photons counted at a typical nucleus; fewer give more shot noise.
    read_noise : float
        Standard deviation of the camera's read-out, in photons.
    contrast : float
        Brightness of a typical nucleus above the background, as a multiple of the background.
    shading : float
        Part of the light that is lost in the farthest corner, 0 to 1.
    touching : float
        Fraction of nuclei that are put next to another one, 0 to 1.
    size_spread, brightness_spread : float
        Relative standard deviations from nucleus to nucleus.
    drift : float
        Typical change of a nucleus's speed from frame to frame, in diameters per frame.
    dividing : float
        Fraction of nuclei that divide during a movie, 0 to 1.
    """

    texture: float = 0.25
    blur: float = 1.2
    elongation: float = 2.0
    fading: float = 0.0
    photons: float = 250.0
    read_noise: float = 4.0
    contrast: float = 6.0
    shading: float = 0.4
    touching: float = 0.4
    size_spread: float = 0.18
    brightness_spread: float = 0.3
    drift: float = 0.04
    dividing: float = 0.2


@dataclass(frozen=True)
class Nucleus:
    """One ellipsoid; lengths in pixels of y and x along every axis."""

    label: int
    centre: Floats
    radii: Floats
    rotation: Floats
    brightness: float
    texture_origin: tuple[int, ...]
    velocity: Floats = field(default_factory=lambda: np.zeros(2))

    @property
    def radius(self) -> float:
        """Radius of the ball (or disk) of the same size."""
        return float(np.prod(self.radii) ** (1 / self.radii.size))


@dataclass(frozen=True)
class Scene:
    """What all nuclei and all frames of a picture share."""

    shape: tuple[int, ...]
    spacing: Floats
    diameter: float
    chromatin: Floats
    outline: Floats
    light: Floats
    settings: SyntheticSettings


def random_scene(
    shape: tuple[int, ...],
    diameter: float,
    spacing: Floats,
    settings: SyntheticSettings,
    rng: np.random.Generator,
) -> Scene:
    """Return a scene with random texture and light.

    Parameters
    ----------
    shape : tuple of int
        Shape ([z,] y, x), in voxels.
    diameter : float
        Typical diameter of a nucleus, in pixels of y and x.
    spacing : array of float
        Size of a voxel along each axis, in pixels of y and x.
    settings : SyntheticSettings
        Look of the picture.
    rng : numpy.random.Generator
        Source of the randomness.
    """
    fine = _noise(0.05 * diameter / spacing, rng)
    coarse = _noise(0.12 * diameter / spacing, rng)
    nucleoli = coarse > 1.4
    chromatin = np.exp(settings.texture * (fine + 0.6 * coarse)) * np.where(nucleoli, 0.6, 1.0)
    outline = _noise(0.2 * diameter / spacing, rng)
    light = _depth_light(shape, settings.fading) * _light(shape, settings.shading, rng)
    return Scene(shape, spacing, diameter, chromatin, outline, light, settings)


def _noise(sigma: Floats, rng: np.random.Generator) -> Floats:
    """Return smooth periodic noise with a mean of 0 and a standard deviation of 1."""
    white = rng.standard_normal(TEXTURE_SHAPES[sigma.size])
    smooth = ndi.gaussian_filter(white, np.maximum(sigma, 0.5), mode="wrap")
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float64)


def _light(shape: tuple[int, ...], shading: float, rng: np.random.Generator) -> Floats:
    """Return the share (y, x) of the light that is left around a brightest point."""
    y, x = np.ogrid[: shape[-2], : shape[-1]]
    centre_y, centre_x = rng.uniform(0.3, 0.7, 2) * shape[-2:]
    loss = ((y - centre_y) / shape[-2]) ** 2 + ((x - centre_x) / shape[-1]) ** 2
    return np.asarray(1 - shading * loss / max(loss.max(initial=0), 1e-9), np.float64)


def _depth_light(shape: tuple[int, ...], fading: float) -> Floats:
    """Return the share of the light that is left in each plane, ([z,] 1, 1)."""
    n_planes = shape[:-2]
    depth = np.linspace(0, 1, n_planes[0]) if n_planes else np.zeros(())
    return np.asarray((1 - fading) ** depth[..., np.newaxis, np.newaxis], np.float64)


def photograph(
    scene: Scene, nuclei: Sequence[Nucleus], rng: np.random.Generator
) -> tuple[NDArray[np.uint16], Labels]:
    """Return the image of the nuclei and their labels; later nuclei hide earlier ones."""
    glow = np.zeros(scene.shape)
    labels = np.zeros(scene.shape, np.int32)
    for nucleus in nuclei:
        _paint(scene, nucleus, glow, labels)
    _keep_largest_pieces(labels)
    return _expose(scene, glow, rng), labels


def _paint(scene: Scene, nucleus: Nucleus, glow: Floats, labels: Labels) -> None:
    middle = np.rint(nucleus.centre / scene.spacing).astype(int)
    reach = np.ceil(1.3 * nucleus.radii.max() / scene.spacing).astype(int)
    low = np.clip(middle - reach, 0, scene.shape)
    high = np.clip(middle + reach + 1, 0, scene.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    steps = [
        (np.arange(a, b) - m + origin) % size
        for a, b, m, origin, size in zip(
            low, high, middle, nucleus.texture_origin, scene.outline.shape, strict=True
        )
    ]
    patch = np.ix_(*steps)
    distance = _elliptic_distance(scene, nucleus, box) * (1 + 0.05 * scene.outline[patch])
    inside = distance < 1
    # A flat picture shows the thickness of the nucleus, a plane of a stack a section through it.
    thickness = np.sqrt(np.clip(1 - distance**2, 0, 1)) if len(box) == 2 else inside
    glow[box] += nucleus.brightness * thickness**0.7 * scene.chromatin[patch]
    labels[box][inside] = nucleus.label


def _elliptic_distance(scene: Scene, nucleus: Nucleus, box: tuple[slice, ...]) -> Floats:
    """Return the distance to the centre in radii, 1 at the surface."""
    corner = np.array([span.start for span in box])
    voxels = np.moveaxis(np.indices([span.stop - span.start for span in box]), 0, -1)
    offsets = (voxels + corner) * scene.spacing - nucleus.centre
    return np.asarray(np.linalg.norm(offsets @ nucleus.rotation / nucleus.radii, axis=-1))


def _keep_largest_pieces(labels: Labels) -> None:
    for label, box in enumerate(ndi.find_objects(labels), start=1):
        if box is None:
            continue
        pieces, n_pieces = ndi.label(labels[box] == label)
        if n_pieces > 1:
            largest = np.bincount(pieces.ravel())[1:].argmax() + 1
            labels[box][(pieces > 0) & (pieces != largest)] = 0


def _expose(scene: Scene, glow: Floats, rng: np.random.Generator) -> NDArray[np.uint16]:
    settings = scene.settings
    sigma = settings.blur * np.where(np.arange(glow.ndim) < glow.ndim - 2, settings.elongation, 1)
    sigma /= scene.spacing
    halo = ndi.gaussian_filter(glow, 0.6 * scene.diameter / scene.spacing)
    sharp = ndi.gaussian_filter(glow, sigma)
    background = 1 / settings.contrast
    expected = settings.photons * scene.light * (0.9 * sharp + 0.1 * halo + background)
    counted = rng.poisson(expected) + rng.normal(0, settings.read_noise, glow.shape)
    levels = np.clip(np.rint(counted + CAMERA_OFFSET), 0, 2**16 - 1)
    return np.asarray(levels, np.uint16)
