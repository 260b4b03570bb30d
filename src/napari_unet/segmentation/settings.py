"""How an image is segmented, and what follows from that for its size."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from napari_unet.images.intensity import Normalisation
from napari_unet.images.sides import is_deep
from napari_unet.images.tiling import OVERLAP_OF_HALO, TILE, Tile, tiles
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.nuclei.sizing import zoom_between

LINKS = ("auto", "volume", "overlap", "none")
IN_ONE_VOLUME = ("auto", "volume")  # links of planes with which a nucleus is one piece in 3-D
QUALITIES = ("fast", "best")
VIEWS = ("planes", "three")


@dataclass(frozen=True)
class SegmentSettings:
    """How an image is segmented.

    Parameters
    ----------
    channel : int, optional
        Which channel holds the nuclei, where there is an axis C; the first if not given.
    diameter : float, optional
        Of a typical nucleus, in pixels of y and x; estimated if not given.
    model_diameter : float
        The diameter, in pixels, that the network knows best.
    link : str
        How planes along Z become nuclei: "volume" finds nuclei in 3-D, "overlap" finds them
        plane by plane and links them, "none" leaves every plane and frame for itself; "auto"
        is "volume". Frames along T are linked by overlap unless it is "none".
    quality : str
        "fast" runs the network once; "best" takes the mean over eight flips and quarter turns,
        which takes eight times as long.
    views : str
        "planes" shows the network the planes of a stack; "three" also those along Z and X, and
        along Z and Y, resampled to pixels as high as wide, and takes the mean. Stacks of few
        planes, or hardly higher than a nucleus, are taken as "planes" are.
    anisotropy : float, optional
        Distance between planes along Z in units of the pixel size; estimated by the shape of the
        nuclei if not given.
    tile, overlap, grid : int
        Side of the square tiles, what neighbours share, and what tiles start at multiples of
        (the network's poolings together), in pixels.
    normalisation : Normalisation
        How intensities are brought to one range.
    instances : InstanceSettings
        How nuclei come out of the maps.
    """

    channel: int | None = None
    diameter: float | None = None
    model_diameter: float = 22.0
    link: str = "auto"
    quality: str = "fast"
    views: str = "planes"
    anisotropy: float | None = None
    tile: int = TILE
    overlap: int = 144
    grid: int = 16
    normalisation: Normalisation = field(default_factory=Normalisation)
    instances: InstanceSettings = field(default_factory=InstanceSettings)

    def __post_init__(self) -> None:
        for name, known in (("link", LINKS), ("quality", QUALITIES), ("views", VIEWS)):
            if (value := getattr(self, name)) not in known:
                raise ValueError(
                    f"Expected one of {', '.join(known)} as {name}, got {value!r}; choose one."
                )
        for name in ("diameter", "anisotropy"):
            value = getattr(self, name)
            is_positive = isinstance(value, Real) and 0 < float(value) < np.inf
            if value is not None and not is_positive:
                raise ValueError(
                    f"Expected a positive {name}, got {value!r}; leave it out if it is not known."
                )

    @property
    def likely_diameter(self) -> float:
        """Of a typical nucleus in pixels: the model's own where none is given."""
        return self.diameter or self.model_diameter

    @property
    def likely_anisotropy(self) -> float:
        """Distance between planes along Z in pixels: 1 where none is given."""
        return self.anisotropy or 1.0

    @property
    def zoom(self) -> float:
        """The factor by which planes are scaled for the network."""
        return zoom_between(self.likely_diameter, self.model_diameter)

    def tiles_of(self, size: tuple[int, int]) -> list[Tile]:
        """Return the tiles of a plane of a size (y, x), in pixels as the network sees them."""
        return tiles(size, self.tile, self.overlap, self.grid)

    def sees_sides(self, n_planes: int) -> bool:
        """Tell whether the network sees a stack of so many planes from its sides as well."""
        distance, diameter = self.likely_anisotropy * self.zoom, self.likely_diameter * self.zoom
        return self.views == "three" and is_deep(n_planes, n_planes * distance, diameter)


def overlap_for(halo: tuple[int, int]) -> int:
    """Return what tiles have to share for a network with a halo (y, x), in pixels."""
    return max(SegmentSettings.overlap, math.ceil(OVERLAP_OF_HALO * max(halo)))


def is_in_volumes(axes: str, link: str) -> bool:
    """Tell whether nuclei of an image are found in 3-D, with these axes and this link."""
    return "Z" in axes and link in IN_ONE_VOLUME
