"""Sections that were found plane by plane become the nuclei of volumes: tables alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_unet.chunked.joined import Table, in_common_with, joined
from napari_unet.chunked.plan import Plan
from napari_unet.chunked.scratch import Item
from napari_unet.chunked.steps import SectionJob
from napari_unet.nuclei.stacking import nuclei_of, pair, pair_over_gap


@dataclass(frozen=True, eq=False)
class Sections:
    """Which sections of all planes are of one nucleus.

    Parameters
    ----------
    table : Table
        Which section each part in a block belongs to.
    below : array of int32, by section
        The one that it continues, one or two planes below; 0 for none.
    nuclei : array of int32, by section
        Which nucleus it belongs to.
    """

    table: Table
    below: NDArray[np.int32]
    nuclei: NDArray[np.int32]

    def job(self, plan: Plan, linked: Plan, item: Item) -> SectionJob:
        """Return what `napari_unet.chunked.steps.fill_sections` has to know for an item."""
        number = item[0] * len(linked.blocks) + item[1]
        unit, block = divmod(number, len(plan.blocks))
        own = ((unit, block), self.table.of_block((unit, block)))
        if not 0 < plan.leading(unit)[-1] < plan.label_shape[-3] - 1:
            return item, [own]
        lower, upper = (unit - 1, block), (unit + 1, block)
        continued = self.below[self.table.of_block(upper)]
        return item, [(lower, self.table.of_block(lower)), own, (upper, continued)]


def linked_sections(plan: Plan) -> Sections:
    """Return the sections of all planes, from the files of all blocks and seams.

    They are linked as `napari_unet.nuclei.stacking.stacked` does it, each frame for itself.
    """
    table = joined(plan)
    n = int(table.ids.max(initial=0)) + 1
    below = np.zeros(n, np.int32)
    for unit in range(plan.n_units):
        before = plan.before(unit)
        if "below" in before:
            pair(in_common_with(plan, table, unit, "below"), below)
        if "beyond" in before:
            pair_over_gap(in_common_with(plan, table, unit, "beyond"), below)
    sizes = np.bincount(table.ids, weights=table.sizes, minlength=n).astype(np.int64)
    return Sections(table, below, nuclei_of(below, sizes))
