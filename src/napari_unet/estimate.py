"""How long an image will take and how much memory, from the time that one tile took."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_unet.images.amounts import size_text, time_text
from napari_unet.images.axes import label_shape
from napari_unet.images.planes import zoomed_size
from napari_unet.images.roomy import LARGEST_IN_MEMORY
from napari_unet.images.threads import MOST_THREADS
from napari_unet.images.turns import TURNS
from napari_unet.nuclei.strips import PIXELS as STRIP
from napari_unet.segmentation import N_MAPS, SegmentSettings, is_in_volumes

SEPARATING = 60  # bytes per pixel that `nuclei.instances` holds of strips or boxes, measured
FOUND = 2 * 4  # bytes per pixel of a plane or volume that it holds beside these: labels, twice
DEPTH = 4 + 1  # bytes per voxel of a volume: how deep it is in the cores, and these
TILE = 4 * (3 + 2 * N_MAPS + 1)  # bytes per pixel of a tile: it, its maps, their sum and weight
ROWS = 4 * N_MAPS  # bytes per pixel of a row of tiles, where maps are resampled
LABELS = 4  # bytes per pixel
N_LABELS = 3  # the run's own, those that are shown, and those that were there before


@dataclass(frozen=True)
class Pace:
    """What a tile took.

    Parameters
    ----------
    network : float
        Seconds of the network for one pixel, as it sees it.
    plane, volume : float
        Seconds of separating nuclei for one pixel of a plane, one voxel of a volume.
    n_bytes : float
        Of memory that the network takes for one pixel of a tile.
    """

    network: float
    plane: float
    volume: float
    n_bytes: float


@dataclass(frozen=True)
class Estimate:
    """What a run takes.

    Parameters
    ----------
    seconds : float
        Until the labels are there.
    n_bytes : float
        Of memory, beside the image.
    """

    seconds: float
    n_bytes: float

    def text(self) -> str:
        """Return it as a user reads it.

        Examples
        --------
        >>> Estimate(38.0, 1.2e9).text(), Estimate(0.4, 3e7).text(), Estimate(400, 3e7).text()
        ('about 40 s, 1.2 GB', 'about 1 s, 30 MB', 'about 7 min, 30 MB')
        """
        return f"about {time_text(_rounded(self.seconds))}, {size_text(self.n_bytes)}"


def estimate(shape: tuple[int, ...], axes: str, settings: SegmentSettings, pace: Pace) -> Estimate:
    """Return what segmenting an image takes.

    Parameters
    ----------
    shape : tuple of int
        Of the part of the image that is segmented.
    axes : str
        One letter per axis.
    settings : SegmentSettings
        How; without a diameter, nuclei are taken to be as large as the model's, and without a
        distance of planes, these to be a pixel apart.
    pace : Pace
        What a tile took.
    """
    names = [letter for letter in axes if letter not in "CS"]
    sizes = dict(zip(names, label_shape(axes, shape), strict=True))
    n_plane, n_all = sizes["Y"] * sizes["X"], math.prod(sizes.values())
    if not n_all:
        return Estimate(0.0, 0.0)
    seen = zoomed_size((sizes["Y"], sizes["X"]), settings.zoom)
    shapes = [[part.stop - part.start for part in tile.read] for tile in settings.tiles_of(seen)]
    # What tiles share is seen several times.
    every_tile = [math.prod(tile) for tile in shapes]
    n_views = len(TURNS) if settings.quality == "best" else 1
    of_plane = sum(every_tile) + _from_sides(sizes.get("Z", 1), seen, settings)
    n_seen = of_plane * n_views * (n_all // n_plane)
    in_volumes = is_in_volumes(axes, settings.link)
    seconds = pace.network * n_seen + (pace.volume if in_volumes else pace.plane) * n_all
    running = (pace.n_bytes + TILE) * max(every_tile)
    if seen != (sizes["Y"], sizes["X"]):
        running += ROWS * shapes[0][0] * seen[1]
    n_at_once = n_plane * sizes["Z"] if in_volumes else n_plane
    beside = FOUND + DEPTH if in_volumes else FOUND
    separating = SEPARATING * min(n_at_once, MOST_THREADS * STRIP) + beside * n_at_once
    n_maps = N_MAPS * n_all
    kept = sum(n for n in (n_maps, *[LABELS * n_all] * N_LABELS) if n <= LARGEST_IN_MEMORY)
    return Estimate(seconds, float(kept + max(running, separating)))


def _from_sides(n_planes: int, plane: tuple[int, int], settings: SegmentSettings) -> float:
    """Return how many pixels of a stack the network sees from its two sides, for each plane."""
    if not settings.sees_sides(n_planes):
        return 0.0
    return 2 * settings.likely_anisotropy * settings.zoom * math.prod(plane)


def _rounded(seconds: float) -> float:
    """Return a time of seconds to one digit, and one second at least: more is not known."""
    return max(1.0, round(seconds, -1 if seconds >= 10 else 0))
