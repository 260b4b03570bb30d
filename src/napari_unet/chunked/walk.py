"""The walk over an image that is larger than memory: step after step, file after file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from napari_unet.chunked import scratch
from napari_unet.chunked.joined import Table, block_items, joined
from napari_unet.chunked.plan import Plan
from napari_unet.chunked.sections import linked_sections
from napari_unet.chunked.steps import (
    BLOCKS,
    LIMITS,
    SEAMS,
    SLABS,
    TILES,
    Open,
    OpenNetwork,
    fill_sections,
    find_limits,
    find_seam,
    label_block,
    predict_slab,
    predict_tile,
    write_block,
)
from napari_unet.images.ome_zarr import level_blocks, level_shapes, write_level
from napari_unet.segmentation import Progress


class Run(Protocol):
    """Applies a function to all items: in any order, in any process."""

    def __call__(
        self, function: Callable[[Any], Any], items: Sequence[Any], *, network: bool = False
    ) -> Iterator[Any]:
        """Yield what the function returns, as it is done; say whether it runs the network."""


def here(
    function: Callable[[Any], Any], items: Sequence[Any], *, network: bool = False
) -> Iterator[Any]:
    """Apply a function in this process, to one item after the other."""
    return map(function, items)


def segment_in_blocks(
    plan: Plan, open_image: Open, open_network: OpenNetwork, run: Run = here
) -> Generator[Progress, None, Table]:
    """Find the nuclei of an image, which are in the files of the plan's folder afterwards.

    What is there already is not computed again. The table that is returned says which nucleus the
    parts in these files belong to; `write_labels_in_blocks` makes labels of both.

    Parameters
    ----------
    plan : Plan
        How, and where.
    open_image, open_network : callable
        Give the image and the network in whatever process they are called.
    run : callable
        `here`, or what does the same on several machines.

    Yields
    ------
    Progress
        After every tile, slab and block.
    """
    per_stack = plan.settings.normalisation.per == "stack"
    planes = range(len(plan.planes))
    first = [(number, 0) for number in (planes[:1] if per_stack else planes)]
    tiles = [(number, index) for number in planes for index in range(len(plan.tiles))]
    blocks = block_items(plan)
    yield from _step(plan, LIMITS, "", partial(find_limits, plan, open_image), first, run)
    predict = partial(predict_tile, plan, open_image, open_network)
    yield from _step(plan, TILES, "network", predict, tiles, run)
    frames = range(len(plan.planes) // plan.n_depth)
    slabs = [(number, index) for number in frames for index in range(len(plan.slabs))]
    from_side = partial(predict_slab, plan, open_image, open_network)
    yield from _step(plan, SLABS, "sides", from_side, slabs, run)
    yield from _step(plan, BLOCKS, "nuclei", partial(label_block, plan), blocks, run)
    seams = _step(plan, SEAMS, "linking", partial(find_seam, plan), blocks, run)
    if plan.links_sections:
        yield from _share(seams, 0, 3)
        return (yield from _link_sections(plan, run))
    yield from seams
    return joined(plan)


def _link_sections(plan: Plan, run: Run) -> Generator[Progress, None, Table]:
    """Make nuclei of volumes of the sections in all planes."""
    linked, sections = plan.of_sections(), linked_sections(plan)
    items = block_items(linked)
    fill = partial(fill_sections, plan, linked)
    job = partial(sections.job, plan, linked)
    yield from _share(_step(linked, BLOCKS, "linking", fill, items, run, job), 1, 3)
    find = partial(find_seam, linked)
    yield from _share(_step(linked, SEAMS, "linking", find, items, run), 2, 3)
    return joined(linked, sections.nuclei)


def _share(steps: Iterator[Progress], number: int, n: int) -> Iterator[Progress]:
    """Yield the steps as one of n parts of all."""
    for step in steps:
        yield Progress(step.step, number * step.total + step.done, n * step.total)


def _step(
    plan: Plan,
    kind: str,
    name: str,
    function: Callable[[Any], None],
    items: list[scratch.Item],
    run: Run,
    job: Callable[[scratch.Item], Any] = lambda item: item,
) -> Iterator[Progress]:
    """Do what is not done yet of one step; report it where it has a name."""
    todo = scratch.missing(plan.folder, kind, items)
    steps = run(function, [job(item) for item in todo], network=kind in (TILES, SLABS))
    for done, _ in enumerate(steps, start=len(items) - len(todo) + 1):
        if name:
            yield Progress(name, done, len(items))


def write_labels_in_blocks(
    plan: Plan, table: Table, path: Path, run: Run = here
) -> Iterator[Progress]:
    """Write the labels of a run, and their pyramid, into a label image that was made for them.

    Parameters
    ----------
    plan, table
        Of `segment_in_blocks`.
    path : Path
        What `napari_unet.images.ome_zarr.create_labels` made, with the plan's `label_shape` and a
        side of `plan.sides[-1]`.
    run : callable
        See `segment_in_blocks`.
    """
    side, n_levels = plan.sides[-1], len(level_shapes(plan.label_shape))
    plan = plan.of_sections() if plan.links_sections else plan
    jobs = [(item, table.of_block(item)) for item in block_items(plan)]
    steps: list[tuple[Callable[[Any], None], list[Any]]] = [
        (partial(write_block, plan, path), jobs)
    ]
    for level in range(1, n_levels):
        steps.append((partial(write_level, path, level), level_blocks(path, level, side)))
    total, done = sum(len(items) for _, items in steps), 0
    for function, items in steps:
        for _ in run(function, items):
            done += 1
            yield Progress("writing", done, total)
