"""From the parts in all blocks to the ids of nuclei: tables alone, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from napari_unet.chunked import scratch
from napari_unet.chunked.plan import Plan
from napari_unet.chunked.steps import BLOCKS, SEAMS, next_blocks
from napari_unet.nuclei.confidence import Evidence
from napari_unet.nuclei.fragments import Contacts, Pieces, tidy
from napari_unet.nuclei.joining import Parts, Seam, Sure, gathered, numbered
from napari_unet.nuclei.linking import Known, linked_ids
from napari_unet.nuclei.shared import Shared


@dataclass(frozen=True, eq=False)
class Table:
    """Which nucleus each part in a block belongs to.

    Parameters
    ----------
    ids : array of int32
        Of all parts, block by block and unit by unit; 0 for what is dropped.
    sizes : array of int64
        Pixels or voxels of all parts.
    starts : array of int64
        Where the parts of each block begin, in the order of the units and their blocks; one more
        entry is the number of parts.
    n_blocks : int
        Blocks of a unit.
    """

    ids: NDArray[np.int32]
    sizes: NDArray[np.int64]
    starts: NDArray[np.int64]
    n_blocks: int

    def of_block(self, item: scratch.Item) -> NDArray[np.int32]:
        """Return the nucleus of each local id of a block, with 0 for the background."""
        return np.append(np.int32(0), self.ids[self.span(*item)])

    def span(self, unit: int, block: int) -> slice:
        """Return where the parts of a block are."""
        number = unit * self.n_blocks + block
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    def of_unit(self, unit: int) -> slice:
        """Return where the parts of a unit are."""
        return slice(self.span(unit, 0).start, self.span(unit, self.n_blocks - 1).stop)


def block_items(plan: Plan) -> list[scratch.Item]:
    """Return all blocks of all units."""
    return [(unit, number) for unit in range(plan.n_units) for number in range(len(plan.blocks))]


def joined(plan: Plan, nuclei: NDArray[np.int32] | None = None) -> Table:
    """Return the nuclei of all units, from the files of all blocks and seams.

    Parameters
    ----------
    plan : Plan
        How, and where.
    nuclei : array of int32, optional
        Of a plan of linked sections: the nucleus of each section. Seams tell it otherwise.
    """
    starts, stored = _stored(plan)
    parts = Parts(stored["first"], stored["sizes"], stored["at_rim"])
    table = Table(np.zeros(len(parts), np.int32), parts.sizes, starts, len(plan.blocks))
    highest = 0
    for unit in range(plan.n_units):
        own = table.of_unit(unit)
        if nuclei is None:
            whose = gathered(parts.of(own), _seams(plan, table, unit))
        else:
            whose = _counted(nuclei[stored["sections"][own]])
        if plan.is_tidied:
            whose = _tidied(plan, table, unit, parts.of(own), stored["highest"][own], whose)
        ids = _ids(plan, parts.of(own), whose, {name: it[own] for name, it in stored.items()})
        table.ids[own] = np.where(ids > 0, ids + highest, 0)
        highest += int(ids.max(initial=0))
    if plan.is_linked:
        _link(plan, table)
    return table


def _stored(plan: Plan) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Return where the parts of each block begin, and what is stored of all parts, by its name."""
    names = ["first", "sizes", "at_rim"]
    names += ["highest"] if plan.is_tidied else []
    names += ["sections"] if plan.sections else ["likely", "deepest"]
    stored = [scratch.read(plan.folder, BLOCKS, item, *names) for item in block_items(plan)]
    starts = np.cumsum([0, *(len(first) for first, *_ in stored)], dtype=np.int64)
    arrays = map(np.concatenate, zip(*stored, strict=True))
    return starts, dict(zip(names, arrays, strict=True))


def _counted(nuclei: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the nuclei renumbered 1..n."""
    return (np.unique(nuclei, return_inverse=True)[1] + 1).astype(np.int32)


def _ids(
    plan: Plan, parts: Parts, whose: NDArray[np.int32], stored: dict[str, NDArray[Any]]
) -> NDArray[np.int32]:
    """Return the ids of the parts of a unit; what is of the wrong size or not sure is dropped."""
    if plan.sections:  # of which that was judged in their planes
        return numbered(parts, whose, min_size=1)
    how, sure = plan.settings.instances, None
    if len(stored["deepest"]):  # where the depth does not count, nothing was written of it
        known = Evidence(parts.sizes, stored["likely"], stored["deepest"])
        sure = Sure(known, how.threshold)
    limits = plan.least_size, how.max_size
    return numbered(parts, whose, *limits, drop_rim=how.drop_rim, sure=sure)


def _tidied(
    plan: Plan,
    table: Table,
    unit: int,
    parts: Parts,
    highest: NDArray[np.int64],
    whose: NDArray[np.int32],
) -> NDArray[np.int32]:
    """Return the nucleus of each part of a volume, once fragments are given back."""
    depth, *plane = plan.unit_shape
    lowest = parts.first // int(np.prod(plane))
    sizes, first, low, high = (
        np.append(np.int64(0), it) for it in (parts.sizes, parts.first, lowest, highest)
    )
    pieces = Pieces(sizes, first, low, high, _contacts(plan, table, unit))
    wholes = pieces.added(np.append(np.int32(0), whose))
    return tidy(wholes, depth, plan.settings.likely_anisotropy).astype(np.int32)[whose]


def _beside(plan: Plan, table: Table, unit: int) -> list[tuple[int, int, dict[int, int]]]:
    """Return of each block of a unit its number, where its parts begin, and those of the next.

    Parts count from 1 on in the unit; the next blocks are given by their axis.
    """
    start = table.of_unit(unit).start
    shifts = [table.span(unit, number).start - start for number in range(table.n_blocks)]
    return [
        (
            number,
            shifts[number],
            {i: shifts[n] for i, n in enumerate(next_blocks(plan, block)) if n is not None},
        )
        for number, block in enumerate(plan.blocks)
    ]


def _seams(plan: Plan, table: Table, unit: int) -> Seam:
    """Return all seams of a unit, with places among its parts."""
    rows = [np.zeros((0, 3), np.int64)]
    for number, shift, others in _beside(plan, table, unit):
        found = scratch.read(plan.folder, SEAMS, (unit, number), *(f"pairs{i}" for i in others))
        for other, pairs in zip(others.values(), found, strict=True):
            rows.append(pairs + np.array([shift - 1, other - 1, 0]))
    every = np.concatenate(rows)
    return Seam(every[:, :2].astype(np.intp), every[:, 2] > 0)


def _contacts(plan: Plan, table: Table, unit: int) -> Contacts:
    """Return what the parts of a volume share, within blocks and across their faces."""
    rows = [np.zeros((0, 4), np.int64)]
    for number, shift, others in _beside(plan, table, unit):
        names = ("contacts", *(f"faces{i}" for i in others))
        found = scratch.read(plan.folder, SEAMS, (unit, number), *names)
        for other, contacts in zip((shift, *others.values()), found, strict=True):
            rows.append(contacts + np.array([shift, other, 0, 0]))
    return np.concatenate(rows)


def _link(plan: Plan, table: Table) -> None:
    """Let ids follow their nuclei from frame to frame, in the table."""
    known = Known()
    for unit in range(plan.n_units):
        common, own = in_common_with(plan, table, unit, "frame"), table.of_unit(unit)
        ids, known = linked_ids(common, known)
        numbers = np.append(np.int32(0), ids)
        place = np.searchsorted(common.predicted, table.ids[own]) + 1
        table.ids[own] = numbers[np.where(table.ids[own] > 0, place, 0)]


def in_common_with(plan: Plan, table: Table, unit: int, name: str) -> Shared:
    """Return what the nuclei of a unit share with those of one that `Plan.before` names."""
    before = plan.before(unit).get(name)
    rows, row_sizes = _summed(table, table.of_unit(unit))
    columns, column_sizes = _summed(table, slice(0) if before is None else table.of_unit(before))
    counts = np.zeros((0, 3), np.int64) if before is None else _counts(plan, table, unit, name)
    places = np.searchsorted(rows, counts[:, 0]), np.searchsorted(columns, counts[:, 1])
    pairs = (counts[:, 2].astype(np.float64), places)
    pixels = sparse.csr_array(sparse.coo_array(pairs, shape=(len(rows), len(columns))))
    return Shared(pixels, rows, columns, row_sizes, column_sizes)


def _counts(plan: Plan, table: Table, unit: int, name: str) -> NDArray[np.int64]:
    """Return ids now, ids before and how many pixels they share, (n, 3)."""
    rows, before = [np.zeros((0, 3), np.int64)], plan.before(unit)[name]
    for number in range(table.n_blocks):
        (counts,) = scratch.read(plan.folder, SEAMS, (unit, number), name)
        now, then, pixels = counts.T
        ids = table.of_block((unit, number))[now], table.of_block((before, number))[then]
        rows.append(np.stack([*ids, pixels], axis=1))
    every = np.concatenate(rows)
    return every[(every[:, :2] > 0).all(axis=1)]


def _summed(table: Table, own: slice) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the ids of nuclei in rising order, and their sizes in all parts together."""
    found, at = np.unique(table.ids[own], return_inverse=True)
    summed = np.bincount(at, weights=table.sizes[own], minlength=len(found)).astype(np.int64)
    return found[found > 0], summed[found > 0]
