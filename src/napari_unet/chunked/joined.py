"""From the parts in all blocks to the ids of nuclei: tables alone, no pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from napari_unet.chunked import scratch
from napari_unet.chunked.plan import Plan
from napari_unet.chunked.steps import BLOCKS, SEAMS, next_blocks
from napari_unet.nuclei.confidence import Evidence
from napari_unet.nuclei.joining import Parts, Seam, Sure, join
from napari_unet.nuclei.linking import Known, linked_ids
from napari_unet.nuclei.shared import Shared


@dataclass(frozen=True, eq=False)
class Table:
    """Which nucleus each part in a block belongs to.

    Parameters
    ----------
    ids : array of int32
        Of all parts, block by block and unit by unit; 0 for what is dropped.
    starts : array of int64
        Where the parts of each block begin, in the order of the units and their blocks; one more
        entry is the number of parts.
    n_blocks : int
        Blocks of a unit.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    n_blocks: int

    def of_block(self, item: scratch.Item) -> NDArray[np.int32]:
        """Return the nucleus of each local id of a block, with 0 for the background."""
        return np.append(np.int32(0), self.ids[self.span(*item)])

    def span(self, unit: int, block: int) -> slice:
        """Return where the parts of a block are."""
        number = unit * self.n_blocks + block
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    def of_units(self, units: range) -> slice:
        """Return where the parts of some units are."""
        first, last = units.start * self.n_blocks, units.stop * self.n_blocks
        return slice(int(self.starts[first]), int(self.starts[last]))


def block_items(plan: Plan) -> list[scratch.Item]:
    """Return all blocks of all units."""
    return [(unit, number) for unit in range(plan.n_units) for number in range(len(plan.blocks))]


def joined(plan: Plan) -> Table:
    """Return the nuclei of the whole image, from the files of all its blocks and seams."""
    names = ("first", "sizes", "at_rim", "likely", "deepest")
    stored = [scratch.read(plan.folder, BLOCKS, item, *names) for item in block_items(plan)]
    starts = np.cumsum([0, *(len(first) for first, *_ in stored)], dtype=np.int64)
    first, sizes, at_rim, likely, deepest = (
        np.concatenate(arrays) for arrays in zip(*stored, strict=True)
    )
    table = Table(np.zeros(len(first), np.int32), starts, len(plan.blocks))
    # Where the depth does not count, nothing was written of it.
    known = Evidence(sizes, likely, deepest) if len(deepest) else None
    _join_units(plan, Parts(first, sizes, at_rim), known, table)
    link, axes = plan.settings.link, plan.label_axes
    if link == "overlap" and "Z" in axes:
        _link_planes(plan, table, sizes)
    if link != "none" and "T" in axes:
        n_together = plan.n_units // plan.label_shape[0]
        _link(plan, table, sizes, "T", _groups(range(plan.n_units), n_together))
    return table


def _groups(units: range, n: int) -> list[range]:
    """Return the units in groups of n."""
    return [units[i : i + n] for i in range(0, len(units), n)]


def _join_units(plan: Plan, parts: Parts, known: Evidence | None, table: Table) -> None:
    """Number the nuclei in the table, one unit after the other."""
    how, highest = plan.settings.instances, 0
    for unit in range(plan.n_units):
        own = table.of_units(range(unit, unit + 1))
        whole = Parts(parts.first[own], parts.sizes[own], parts.at_rim[own])
        seams = _seams(plan, table, unit)
        sure = None if known is None else Sure(known.of(own), how.threshold)
        ids = join(whole, seams, plan.least_size, how.max_size, drop_rim=how.drop_rim, sure=sure)
        table.ids[own] = np.where(ids > 0, ids + highest, 0)
        highest += int(ids.max(initial=0))


def _seams(plan: Plan, table: Table, unit: int) -> Seam:
    """Return all seams of a unit, with places among its parts."""
    start = table.span(unit, 0).start
    rows = [np.zeros((0, 3), np.int64)]
    for number, block in enumerate(plan.blocks):
        beside = {f"pairs{i}": n for i, n in enumerate(next_blocks(plan, block)) if n is not None}
        found = scratch.read(plan.folder, SEAMS, (unit, number), *beside)
        for other, pairs in zip(beside.values(), found, strict=True):
            shifts = [table.span(unit, block).start - start - 1 for block in (number, other)]
            rows.append(pairs + np.array([*shifts, 0]))
    every = np.concatenate(rows)
    return Seam(every[:, :2].astype(np.intp), every[:, 2] > 0)


def _link_planes(plan: Plan, table: Table, sizes: NDArray[np.int64]) -> None:
    """Let ids follow their nuclei along Z, in each frame for itself."""
    highest = 0
    for units in _groups(range(plan.n_units), plan.label_shape[-3]):
        _link(plan, table, sizes, "Z", _groups(units, 1))
        ids = table.ids[table.of_units(units)]
        ids += np.where(ids > 0, np.int32(highest), np.int32(0))
        highest = int(ids.max(initial=highest))


def _link(
    plan: Plan, table: Table, sizes: NDArray[np.int64], letter: str, frames: list[range]
) -> None:
    """Let ids follow their nuclei along an axis, in the table; a frame is one unit or more."""
    known, previous = Known(), slice(0, 0)
    for units in frames:
        own = table.of_units(units)
        common = _common(_counts(plan, table, letter, units), table.ids, sizes, own, previous)
        ids, known = linked_ids(common, known, may_divide=letter == "T")
        numbers = np.append(np.int32(0), ids)
        place = np.searchsorted(common.predicted, table.ids[own]) + 1
        table.ids[own] = numbers[np.where(table.ids[own] > 0, place, 0)]
        previous = own


def _counts(plan: Plan, table: Table, letter: str, units: range) -> NDArray[np.int64]:
    """Return ids now, ids before along an axis and how many pixels they share, (n, 3)."""
    rows = [np.zeros((0, 3), np.int64)]
    for unit in units:
        if letter not in (before := plan.before(unit)):
            continue
        for number in range(table.n_blocks):
            item, earlier = (unit, number), (before[letter], number)
            (counts,) = scratch.read(plan.folder, SEAMS, item, f"before{letter}")
            now, then, pixels = counts.T
            ids = table.of_block(item)[now], table.of_block(earlier)[then]
            rows.append(np.stack([*ids, pixels], axis=1))
    every = np.concatenate(rows)
    return every[(every[:, :2] > 0).all(axis=1)]


def _common(
    counts: NDArray[np.int64],
    ids: NDArray[np.int32],
    sizes: NDArray[np.int64],
    now: slice,
    then: slice,
) -> Shared:
    """Return what the nuclei of a frame share with those of the frame before it."""
    rows, row_sizes = _summed(ids[now], sizes[now])
    columns, column_sizes = _summed(ids[then], sizes[then])
    places = np.searchsorted(rows, counts[:, 0]), np.searchsorted(columns, counts[:, 1])
    pairs = (counts[:, 2].astype(np.float64), places)
    pixels = sparse.csr_array(sparse.coo_array(pairs, shape=(len(rows), len(columns))))
    return Shared(pixels, rows, columns, row_sizes, column_sizes)


def _summed(
    ids: NDArray[np.int32], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the ids of nuclei in rising order, and their sizes in all parts together."""
    found, at = np.unique(ids, return_inverse=True)
    summed = np.bincount(at, weights=sizes, minlength=len(found)).astype(np.int64)
    return found[found > 0], summed[found > 0]
