"""The steps of a run in blocks, each for one item: read from files, compute, write a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.chunked import scratch
from napari_unet.chunked.plan import Plan
from napari_unet.chunked.scratch import Item
from napari_unet.images.arrays import read_part
from napari_unet.images.blocks import Block, in_common, within
from napari_unet.images.ome_zarr import write_labels_at
from napari_unet.images.planes import (
    as_bytes,
    network_input,
    part_of,
    plane_limits,
    resized_part,
    stack_limits,
)
from napari_unet.images.sides import smoothed
from napari_unet.images.tiling import Stitch
from napari_unet.images.turns import averaged_over_turns
from napari_unet.nuclei.cleaning import distinct
from napari_unet.nuclei.confidence import evidence
from napari_unet.nuclei.fragments import contacts, last_planes
from napari_unet.nuclei.instances import depth_counts, grown
from napari_unet.nuclei.joining import Parts, core_parts, facing, seam
from napari_unet.nuclei.shared import share
from napari_unet.nuclei.stacking import fill
from napari_unet.segmentation import Predict, mean_of_both, predict_side, with_sides

Open = Callable[[], Any]
"""Gives the image, opened in this process."""

OpenNetwork = Callable[[], Predict]
"""Gives the network, loaded in this process."""

SectionJob = tuple[Item, list[tuple[Item, NDArray[np.int32]]]]
"""An item of linked sections, and what is read for it: blocks, and what is said by local id.

These are sections of the plane below, the plane's own, and what those of the plane above continue;
of the first and the last plane of a volume its own alone.
"""

LIMITS, TILES, SLABS, BLOCKS, SEAMS = "limits", "tiles", "slabs", "blocks", "seams"


def find_limits(plan: Plan, open_image: Open, item: Item) -> None:
    """Write what becomes 0 and 1 in a plane."""
    image, how = open_image(), plan.settings.normalisation
    walk = plan.planes
    bounds = stack_limits(image, walk, how) or plane_limits(image, walk[item[0]], how)
    scratch.write(plan.folder, LIMITS, item, bounds=np.array(bounds))


def predict_tile(plan: Plan, open_image: Open, open_network: OpenNetwork, item: Item) -> None:
    """Write the maps of one tile of a plane, as the network sees it."""
    number, index = item
    pixels = _pixels(plan, open_image(), number, plan.tiles[index].read)
    maps = _network(plan, open_network)(pixels)
    scratch.write_whole(plan.folder, TILES, item, as_bytes(maps))


def predict_slab(plan: Plan, open_image: Open, open_network: OpenNetwork, item: Item) -> None:
    """Write the maps of one slab of a frame, seen from the side, plane by plane of the stack."""
    frame, index = item
    axis, block = plan.slabs[index].axis, plan.slabs[index].block
    image, planes = open_image(), range(frame * plan.n_depth, (frame + 1) * plan.n_depth)
    stack = np.stack([_pixels(plan, image, number, block.view) for number in planes], axis=1)
    stack = smoothed(stack, plan.distance)
    predict, found, own = _network(plan, open_network), [], block.inner
    for at in range(own[axis].start, own[axis].stop):
        side = np.moveaxis(stack, 2 + axis, 0)[at]
        maps = predict_side(side, predict, plan.settings, plan.distance)
        found.append(maps[:, :, own[1 - axis]])
    maps = np.stack(found, axis=2 + axis)
    # A plane is read by itself.
    scratch.write(plan.folder, SLABS, item, **{f"z{z}": maps[:, z] for z in range(plan.n_depth)})


def _network(plan: Plan, open_network: OpenNetwork) -> Predict:
    predict = open_network()
    if plan.settings.quality == "best":
        return averaged_over_turns(predict, plan.settings.grid)
    return predict


def _pixels(plan: Plan, image: Any, number: int, place: tuple[slice, ...]) -> NDArray[np.float32]:
    """Return a part (3, y, x) of a plane as the network sees it."""
    how, plane = plan.settings.normalisation, plan.planes[number]
    which = number if how.per != "stack" else 0
    low, high = scratch.read(plan.folder, LIMITS, (which, 0), "bounds")[0].tolist()

    def read(rows: slice, columns: slice) -> NDArray[np.float32]:
        return network_input(read_part(image, part_of(plane, rows, columns)), how, (low, high))

    rows, columns = place
    return resized_part(read, plan.plane_shape, plan.network_shape, (rows, columns))


def label_block(plan: Plan, item: Item) -> None:
    """Write the nuclei that one block sees, and what of them lies in its core."""
    unit, number = item
    block = plan.blocks[number]
    maps = _maps_of_view(plan, unit, block)
    found = grown(maps, plan.settings.instances, plan.settings.likely_anisotropy)
    labels, parts = core_parts(found, block, plan.unit_shape)
    seen = evidence(maps[:, *block.inner], labels[block.inner])
    arrays = {"likely": seen.likely[1:], "deepest": np.zeros(0)}
    if seen.deepest is not None and depth_counts(maps, plan.settings.instances):
        arrays["deepest"] = seen.deepest[1:]
    _write_parts(plan, item, labels, parts, **arrays)


def _write_parts(
    plan: Plan, item: Item, labels: NDArray[np.int32], parts: Parts, **others: NDArray[Any]
) -> None:
    """Write the labels of a block's view, and of the parts what the joining needs to know."""
    block, arrays = plan.blocks[item[1]], dict(others)
    if plan.is_tidied:
        arrays["highest"] = last_planes(labels[block.inner])[1:] + block.core[0].start
    about = {"first": parts.first, "sizes": parts.sizes, "at_rim": parts.at_rim}
    scratch.write(plan.folder, BLOCKS, item, labels=labels, **about, **arrays)


def fill_sections(plan: Plan, linked: Plan, job: SectionJob) -> None:
    """Write a block of a plane once more, with the sections that are missing in it filled in."""
    item, around = job
    planes = [ids[_core_of(plan, at)] for at, ids in around]
    sections = planes[len(planes) // 2].copy()
    if len(planes) == 3:
        lower, middle, continued = planes
        fill(middle, lower, continued, sections)
    labels, parts = core_parts(sections[np.newaxis], linked.blocks[item[1]], linked.unit_shape)
    ids = distinct(sections)
    _write_parts(linked, item, labels, parts, sections=ids[ids > 0])


def _maps_of_view(plan: Plan, unit: int, block: Block) -> NDArray[np.uint8]:
    """Return the maps (maps, [z,] y, x) of all that a block sees."""
    rows, columns = block.view[-2:]
    if plan.n_unit_axes == 2:
        return _maps_of_plane(plan, unit, (rows, columns))
    depth = block.view[0]
    first = unit * plan.unit_shape[0]
    numbers = range(first + depth.start, first + depth.stop)
    return np.stack([_maps_of_plane(plan, n, (rows, columns)) for n in numbers], axis=1)


def _maps_of_plane(plan: Plan, number: int, place: tuple[slice, slice]) -> NDArray[np.uint8]:
    shapes = plan.network_shape, plan.plane_shape
    maps = as_bytes(resized_part(partial(_stitched, plan, number), *shapes, place))
    if not plan.slabs:
        return maps
    return with_sides(maps, resized_part(partial(_from_sides, plan, number), *shapes, place))


def _from_sides(plan: Plan, number: int, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Return a part of the maps of a plane, seen from both sides, from its slabs."""
    frame, z = divmod(number, plan.n_depth)
    both = np.zeros((0, 0, 0), np.uint16)
    for index, slab in enumerate(plan.slabs):
        common = in_common(slab.block.core, (rows, columns))
        if any(part.start == part.stop for part in common):
            continue
        (maps,) = scratch.read(plan.folder, SLABS, (frame, index), f"z{z}")
        if not both.size:
            shape = (part.stop - part.start for part in (rows, columns))
            both = np.zeros((len(maps), *shape), np.uint16)
        part = maps[:, *within(common, slab.block.core)]
        both[:, *within(common, (rows, columns))] += part
    return mean_of_both(both)


def _stitched(plan: Plan, number: int, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Return a part of the maps of a plane, as the network sees it, from its tiles."""
    stitch = None
    for index, tile in enumerate(plan.tiles):
        common = in_common(tile.read, (rows, columns))
        if any(part.start == part.stop for part in common):
            continue
        maps = scratch.open_whole(plan.folder, TILES, (number, index))
        if stitch is None:
            shape, overlap = plan.network_shape, plan.settings.overlap
            stitch = Stitch(shape, len(maps), overlap, (rows, columns))
        stitch.add(tile, maps)
    if stitch is None:
        raise ValueError(f"Expected a tile at {rows}, {columns}, got none; ask for pixels.")
    return stitch.result() / np.float32(255)


def find_seam(plan: Plan, item: Item) -> None:
    """Write what of a block goes on in the next ones, and in the same block of units before."""
    unit, number = item
    block = plan.blocks[number]
    labels = _labels_of(plan, item)
    arrays: dict[str, NDArray[Any]] = {}
    if plan.is_tidied:
        arrays["contacts"] = contacts(labels[block.inner])
    for axis, other in enumerate(next_blocks(plan, block)):
        if other is not None:
            views = labels, _labels_of(plan, (unit, other)), block, plan.blocks[other]
            found = seam(*views)
            arrays[f"pairs{axis}"] = np.column_stack([found.pairs, found.touching])
            if plan.is_tidied:
                arrays[f"faces{axis}"] = facing(*views)
    for name, previous in plan.before(unit).items():
        arrays[name] = _counts(labels[block.inner], _core_of(plan, (previous, number)))
    scratch.write(plan.folder, SEAMS, item, **arrays)


def next_blocks(plan: Plan, block: Block) -> list[int | None]:
    """Return the number of the next block along each axis, or None behind the last one."""
    counts = [-(-n // side) for n, side in zip(plan.unit_shape, plan.sides, strict=True)]
    found: list[int | None] = []
    for axis, n in enumerate(counts):
        at = [i + (j == axis) for j, i in enumerate(block.at)]
        found.append(int(np.ravel_multi_index(at, counts)) if at[axis] < n else None)
    return found


def _labels_of(plan: Plan, item: Item) -> NDArray[np.int32]:
    labels: NDArray[np.int32] = scratch.read(plan.folder, BLOCKS, item, "labels")[0]
    return labels


def _core_of(plan: Plan, item: Item) -> NDArray[np.int32]:
    return _labels_of(plan, item)[plan.blocks[item[1]].inner]


def write_block(plan: Plan, path: Path, job: tuple[Item, NDArray[np.int32]]) -> None:
    """Write the core of one block into the label image, by the nucleus of each local id."""
    item, ids = job
    block = plan.blocks[item[1]]
    write_labels_at(path, plan.place(item[0], block), ids[_core_of(plan, item)])


def _counts(labels: NDArray[np.int32], before: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return ids now, ids before and how many pixels they share, (n, 3)."""
    common = share(labels, before)
    pairs = common.pixels.tocoo()
    ids = common.predicted[pairs.row], common.truth[pairs.col]
    return np.stack([*ids, pairs.data], axis=1).astype(np.int64)
