"""How a large image is cut into tiles for the network and blocks for the labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from napari_unet.images.axes import Plane, label_shape, parse_axes, planes
from napari_unet.images.blocks import Block, blocks
from napari_unet.images.planes import zoomed_size
from napari_unet.images.sides import reach
from napari_unet.images.tiling import Tile
from napari_unet.nuclei.instances import least_size
from napari_unet.segmentation import (
    SegmentSettings,
    is_in_volumes,
    walk_order,
)

SIDE = 1024
"""Side of a block's core along y and x, in pixels."""

DEPTH = 64  # planes of a block's core in a volume
LARGEST_VOLUME_SIDE = 512  # px
SIDE_STEP = 64  # px
MOST_VOXELS = 1 << 24  # that a block or slab sees of a volume; each takes up to 60 bytes
HALOS = {2: 3.0, 3: 2.0}
"""What a block of 2-D or 3-D sees around its core, in typical diameters.

Large nuclei, and what they touch; in 3-D more would be most of what is computed.
"""

SMALLEST_HALO = 32  # px


@dataclass(frozen=True)
class Slab:
    """A part of a stack that the network sees from one side.

    Parameters
    ----------
    axis : int
        Its planes along Z follow each other along y (0) or x (1).
    block : Block
        Where it is in a plane (y, x) as the network sees it.
    """

    axis: int
    block: Block


@dataclass(frozen=True)
class Plan:
    """All that the steps of a run need to know; it can be sent to another process.

    A *unit* is what nuclei are found in: a plane, or the volume of a frame. Units, planes and
    labels are counted in the order T, Z, Y, X.

    Parameters
    ----------
    folder : Path
        Where the files of the run are.
    axes : str
        Of the image.
    shape : tuple of int
        Of the image.
    settings : SegmentSettings
        How, with the diameter.
    side : int, optional
        Of a block's core along y and x, in pixels.
    sections : bool
        Whether blocks are of linked sections: of one plane of a volume, without a halo.
    """

    folder: Path
    axes: str
    shape: tuple[int, ...]
    settings: SegmentSettings
    side: int | None = None
    sections: bool = False

    def __post_init__(self) -> None:
        parse_axes(self.axes, self.shape)
        if 0 in self.shape:
            raise ValueError(
                f"Expected an image with pixels, got the shape {self.shape}; choose another one."
            )
        if self.side is not None and self.side < 1:
            raise ValueError(
                f"Expected blocks of at least 1 pixel, got {self.side}; {SIDE} suits most images."
            )

    @cached_property
    def label_axes(self) -> str:
        """Axes of the labels, in the order in which they are walked."""
        return walk_order(self.axes)[1]

    @cached_property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of the labels, in that order."""
        shape = label_shape(self.axes, self.shape)
        return tuple(shape[i] for i in walk_order(self.axes)[0])

    @cached_property
    def planes(self) -> list[Plane]:
        """All planes, in the order of the labels."""
        found = planes(self.axes, self.shape, self.settings.channel)
        return sorted(found, key=lambda plane: sorted(plane.position))  # "T" comes before "Z"

    @cached_property
    def plane_shape(self) -> tuple[int, int]:
        """Shape (y, x) of a plane."""
        return self.label_shape[-2], self.label_shape[-1]

    @cached_property
    def network_shape(self) -> tuple[int, int]:
        """Shape (y, x) of a plane as the network sees it."""
        return zoomed_size(self.plane_shape, self.settings.zoom)

    @cached_property
    def tiles(self) -> list[Tile]:
        """The tiles of a plane as the network sees it: those of the walk in memory."""
        return self.settings.tiles_of(self.network_shape)

    @property
    def n_depth(self) -> int:
        """How many planes a stack has; 1 without an axis Z."""
        return self.label_shape[-3] if "Z" in self.label_axes else 1

    @property
    def distance(self) -> float:
        """Between planes along Z, in pixels as the network sees them."""
        return self.settings.likely_anisotropy * self.settings.zoom

    @cached_property
    def slabs(self) -> list[Slab]:
        """The slabs of a stack that the network sees from its sides; none if it does not."""
        if not self.settings.sees_sides(self.n_depth):
            return []
        rows, columns = (self._slabs(axis) for axis in (0, 1))
        return [*rows, *columns]

    def _slabs(self, axis: int) -> list[Slab]:
        """Return the slabs whose planes follow each other along y (0) or x (1)."""
        tile, overlap = self.settings.tile, self.settings.overlap // 2
        length, halo = self.network_shape[1 - axis], reach(self.distance)
        seen = min(tile, length)
        thickness = max(1, MOST_VOXELS // (self.n_depth * seen) - 2 * halo)
        sides, halos = (thickness, seen), (halo, 0)
        if length > tile:  # one beside the other
            sides, halos = (thickness, tile - 2 * overlap), (halo, overlap)
        step = 1 if axis == 0 else -1
        found = blocks(self.network_shape, sides[::step], halos[::step])
        return [Slab(axis, block) for block in found]

    @property
    def links_sections(self) -> bool:
        """Whether nuclei are found in planes, and then become those of a volume."""
        return self.settings.link == "overlap" and "Z" in self.label_axes and not self.sections

    def of_sections(self) -> Plan:
        """Return the plan of what is done once sections are linked, in a folder of its own."""
        return replace(self, folder=self.folder / "sections", sections=True)

    @property
    def is_linked(self) -> bool:
        """Whether ids follow their nuclei from frame to frame."""
        in_frames = self.settings.link != "none" and self.label_axes[0] == "T"
        return in_frames and not self.links_sections

    @property
    def is_tidied(self) -> bool:
        """Whether fragments are given back to their nuclei."""
        in_volumes = self.n_unit_axes == 3 and self.settings.instances.seeds != "none"
        return self.sections or in_volumes

    @cached_property
    def n_unit_axes(self) -> int:
        """How many axes a unit has: 2 or 3."""
        return 3 if self.sections or is_in_volumes(self.axes, self.settings.link) else 2

    @property
    def unit_shape(self) -> tuple[int, ...]:
        """Shape of a unit."""
        return self.label_shape[-self.n_unit_axes :]

    @property
    def n_units(self) -> int:
        """How many planes or volumes there are."""
        return math.prod(self.label_shape[: -self.n_unit_axes])

    @cached_property
    def sides(self) -> tuple[int, ...]:
        """Sides of a block's core."""
        if self.sections:
            return (1, *(self.side or SIDE,) * 2)
        if self.n_unit_axes == 2:
            return (self.side or SIDE,) * 2
        side = self.side or self._volume_side()
        return DEPTH, side, side

    def _volume_side(self) -> int:
        """Return the largest side with which a block sees no more voxels than memory is for."""
        depth, halo, _ = self._halos
        seen = min(DEPTH + 2 * depth, self.unit_shape[0])
        side = math.isqrt(MOST_VOXELS // seen) - 2 * halo
        return min(max(side // SIDE_STEP, 1) * SIDE_STEP, LARGEST_VOLUME_SIDE)

    @property
    def _halos(self) -> tuple[int, ...]:
        if self.sections:
            return (0, 0, 0)
        halo = max(
            SMALLEST_HALO, math.ceil(HALOS[self.n_unit_axes] * self.settings.likely_diameter)
        )
        depth = math.ceil(halo / self.settings.likely_anisotropy)
        return (depth, halo, halo)[-self.n_unit_axes :]

    @cached_property
    def blocks(self) -> list[Block]:
        """The blocks of a unit."""
        return blocks(self.unit_shape, self.sides, self._halos)

    @property
    def least_size(self) -> int:
        """Pixels or voxels of the smallest nucleus that is kept."""
        return least_size(
            self.settings.instances, self.n_unit_axes, self.settings.likely_anisotropy
        )

    def place(self, unit: int, block: Block) -> tuple[int | slice, ...]:
        """Return where the core of a block is in the labels."""
        return (*self.leading(unit), *block.core)

    def leading(self, unit: int) -> tuple[int, ...]:
        """Return the indices of a unit along the axes that it does not have."""
        shape = self.label_shape[: -self.n_unit_axes]
        at = []
        for n in reversed(shape):
            unit, index = divmod(unit, n)
            at.append(index)
        return tuple(reversed(at))

    def before(self, unit: int) -> dict[str, int]:
        """Return the units that nuclei of a unit are linked to: of the frame before, or below.

        "below" is one plane along Z, "beyond" are two.
        """
        if self.links_sections:
            z = self.leading(unit)[-1]
            return {name: unit - i for i, name in enumerate(("below", "beyond"), 1) if z >= i}
        return {"frame": unit - 1} if self.is_linked and unit > 0 else {}
