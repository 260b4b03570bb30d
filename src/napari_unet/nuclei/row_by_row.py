"""The nuclei of a plane, found while its maps are made, from its first row on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.instances import InstanceSettings, foreground, separated
from napari_unet.nuclei.seeds import label_pieces
from napari_unet.nuclei.tables import looked_up


class RowByRow:
    """Finds what `instances.separated` finds in a whole plane, as its rows become known.

    That depends on no more than the connected piece that a nucleus is in, so a piece waits only
    until the rows are there that it reaches into.

    Parameters
    ----------
    labels : (y, x) int32
        Zeros; filled with the nuclei, whose ids are in no order.
    settings : InstanceSettings
        How.
    """

    def __init__(self, labels: npt.NDArray[np.int32], settings: InstanceSettings) -> None:
        self._labels, self._settings = labels, settings
        self._start = 0  # the first row of what waits
        self._done = np.zeros((0, labels.shape[1]), bool)  # from there on: pieces that do not
        self._highest = 0

    def add(self, maps: npt.NDArray[np.uint8], stop: int) -> slice:
        """Find the nuclei that are whole by now.

        Parameters
        ----------
        maps : (maps, y, x) uint8
            Of the plane, of which the rows before `stop` are known.
        stop : int
            More than before.

        Returns
        -------
        slice
            The rows in which there may be new ones.
        """
        rows = slice(self._start, stop)
        part, labels = maps[:, rows], self._labels[rows]
        inside = foreground(part, self._settings)
        waiting = _at_the_end(inside) if stop < len(self._labels) else np.zeros_like(inside)
        not_now = waiting.copy()
        not_now[: len(self._done)] |= self._done
        found = _without(separated(part, self._settings), not_now)
        np.copyto(labels, found + np.int32(self._highest), where=found > 0)
        self._highest += int(found.max(initial=0))
        kept = np.flatnonzero(waiting.any(axis=1))
        first = int(kept[0]) if kept.size else len(inside)
        self._start += first
        self._done = (inside & ~waiting)[first:]
        return rows


def _at_the_end(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the connected pieces that reach the last row."""
    pieces, highest = label_pieces(inside)
    reach = np.zeros(highest + 1, bool)
    reach[pieces[-1]] = True
    reach[0] = False
    return looked_up(reach, pieces)


def _without(labels: npt.NDArray[np.int32], where: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Return labels without the nuclei that reach into an area, whatever holes they fill."""
    numbers = np.arange(int(labels.max(initial=0)) + 1, dtype=np.int32)
    numbers[labels[where]] = 0
    return looked_up(numbers, labels)
