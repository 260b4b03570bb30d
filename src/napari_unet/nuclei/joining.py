"""Nuclei that were found block by block become those of the whole plane or volume.

Each block is labelled with a halo in which it sees its neighbours, and only its core counts. A
nucleus that lies over a face between two cores was found by both blocks, and in the halo both
show all of it that is near the face: those that share most of each other there are one. Over
edges and corners nuclei follow from face to face, as a nucleus is one piece of face neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from napari_unet.images.blocks import Block, in_common, within
from napari_unet.nuclei.cleaning import selection
from napari_unet.nuclei.confidence import Evidence
from napari_unet.nuclei.fragments import Contacts, faces
from napari_unet.nuclei.shared import share
from napari_unet.nuclei.tables import first_pixels

LEAST_AGREEMENT = 0.5  # intersection over union: above it, nobody else can share as much


@dataclass(frozen=True, eq=False)
class Parts:
    """What lies of nuclei in the cores of blocks, the part with the local id i at place i - 1.

    Parameters
    ----------
    first : array of int64
        Place of the first pixel, counted in reading order over the whole array.
    sizes : array of int64
        Pixels or voxels.
    at_rim : array of bool
        Whether it touches the rim of y or x of the whole array.
    """

    first: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    at_rim: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.first)

    def of(self, some: slice) -> Parts:
        """Return some of them."""
        return Parts(self.first[some], self.sizes[some], self.at_rim[some])


def core_parts(
    labels: npt.NDArray[np.int32], block: Block, shape: Sequence[int]
) -> tuple[npt.NDArray[np.int32], Parts]:
    """Return the nuclei of a block's view that reach into its core, and their parts there.

    Parameters
    ----------
    labels : array of int32
        Of the block's view; 0 is background, ids are in no order.
    block : Block
        Which.
    shape : sequence of int
        Of the whole array.

    Returns
    -------
    labels : array of int32
        Of the view, with the ids 1..n of the parts; nuclei outside of the core are 0.
    parts : Parts
    """
    ids, first = first_pixels(labels[block.inner])
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    table[ids] = np.arange(1, len(ids) + 1)
    seen = table[labels]
    core = seen[block.inner]
    starts = (part.start for part in block.core)
    inside = np.unravel_index(first, core.shape)
    places = (i + start for i, start in zip(inside, starts, strict=True))
    at_rim = np.zeros(len(ids) + 1, bool)
    at_rim[_outer_ids(core, block, shape)] = True
    return seen, Parts(
        np.ravel_multi_index(tuple(places), tuple(shape)).astype(np.int64),
        np.bincount(core.reshape(-1), minlength=1)[1:].astype(np.int64),
        at_rim[1:],
    )


def _outer_ids(
    core: npt.NDArray[np.int32], block: Block, shape: Sequence[int]
) -> npt.NDArray[np.int32]:
    """Return the ids on the rim of y or x of the whole array; an axis of length 1 has none."""
    faces = [np.zeros(1, np.int32)]
    for axis in (core.ndim - 2, core.ndim - 1):
        part, length = block.core[axis], shape[axis]
        if length > 1 and part.start == 0:
            faces.append(core.take(0, axis=axis).reshape(-1))
        if length > 1 and part.stop == length:
            faces.append(core.take(-1, axis=axis).reshape(-1))
    return np.concatenate(faces)


@dataclass(frozen=True, eq=False)
class Seam:
    """Which parts on both sides of a face are of one nucleus.

    Parameters
    ----------
    pairs : array of int, (n, 2)
        Local ids in the one block and in the next one.
    touching : array of bool, (n,)
        Whether the parts themselves touch across the face.
    """

    pairs: npt.NDArray[np.intp]
    touching: npt.NDArray[np.bool_]


def seam(
    one: npt.NDArray[np.int32], other: npt.NDArray[np.int32], first: Block, second: Block
) -> Seam:
    """Return what is one nucleus of two blocks that share a face.

    Parameters
    ----------
    one, other : array of int32
        Labels of the views of both blocks, as `core_parts` returns them.
    first, second : Block
        The blocks; the second is the next one along one axis.
    """
    seen_by_both = in_common(first.view, second.view)
    common = share(one[within(seen_by_both, first.view)], other[within(seen_by_both, second.view)])
    pairs = common.iou().tocoo()
    same = pairs.data > LEAST_AGREEMENT
    ids = np.stack([common.predicted[pairs.row[same]], common.truth[pairs.col[same]]], axis=1)
    return Seam(ids, _contains(facing(one, other, first, second)[:, :2], ids))


def facing(
    one: npt.NDArray[np.int32], other: npt.NDArray[np.int32], first: Block, second: Block
) -> Contacts:
    """Return what parts share across the face of two blocks, by their local ids in both.

    Takes the same as `seam`.
    """
    axis = next(i for i, (a, b) in enumerate(zip(first.at, second.at, strict=True)) if a != b)
    last = np.moveaxis(one[first.inner], axis, 0)[-1]
    start = np.moveaxis(other[second.inner], axis, 0)[0]
    return faces(last, start, axis, apart=False)


def _contains(rows: npt.NDArray[np.int64], wanted: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Tell of each wanted row, (n, 2), whether it is one of the rows."""
    known = set(map(tuple, rows.tolist()))
    return np.array([tuple(row) in known for row in wanted.tolist()], bool)


@dataclass(frozen=True, eq=False)
class Sure:
    """Of which nuclei the network is sure: those whose confidence is above a threshold.

    Parameters
    ----------
    evidence : Evidence
        Of all parts, one block after the other.
    threshold : float
        0..1.
    """

    evidence: Evidence
    threshold: float


def join(
    parts: Parts,
    seams: Seam,
    min_size: int,
    max_size: int | None = None,
    *,
    drop_rim: bool = False,
    sure: Sure | None = None,
) -> npt.NDArray[np.int32]:
    """Return the id of the nucleus that each part belongs to.

    Where blocks disagree about a nucleus, parts of it may not touch: then only the largest piece
    counts, as a nucleus is one piece.

    Parameters
    ----------
    parts : Parts
        Of all blocks, one block after the other.
    seams : Seam
        All of them, with places in ``parts`` instead of local ids.
    min_size, max_size, drop_rim
        See `napari_unet.nuclei.cleaning.drop`.
    sure : Sure, optional
        Leave out nuclei of which the network is not sure.

    Returns
    -------
    array of int32, (n,)
        1..n in reading order of the first pixels, whatever the blocks; 0 for what is dropped.

    Examples
    --------
    >>> parts = Parts(np.array([5, 0, 2]), np.array([4, 6, 3]), np.zeros(3, bool))
    >>> join(parts, Seam(np.array([[0, 2]]), np.array([True])), min_size=1)
    array([2, 1, 2], dtype=int32)
    """
    nuclei = gathered(parts, seams)
    return numbered(parts, nuclei, min_size, max_size, drop_rim=drop_rim, sure=sure)


def gathered(parts: Parts, seams: Seam) -> npt.NDArray[np.int32]:
    """Return the nucleus that each part belongs to, 1..n; 0 for those that do not count.

    Takes the same as `join`, which says which ones do not count.
    """
    pieces = _components(len(parts), seams.pairs[seams.touching])
    sizes = np.bincount(pieces, weights=parts.sizes).astype(np.int64)
    largest = _largest_of(_components(len(parts), seams.pairs), sizes[pieces])
    counts = np.zeros(len(sizes), bool)
    counts[pieces[largest]] = True
    return np.where(counts[pieces], pieces + 1, 0).astype(np.int32)


def numbered(
    parts: Parts,
    nuclei: npt.NDArray[np.integer],
    min_size: int,
    max_size: int | None = None,
    *,
    drop_rim: bool = False,
    sure: Sure | None = None,
) -> npt.NDArray[np.int32]:
    """Return the ids of parts, given the nucleus that each belongs to.

    Parameters
    ----------
    nuclei : array of int, (n,)
        From 1 on, in any order; 0 for parts that belong to none.
    parts, min_size, max_size, drop_rim, sure
        See `join`, which returns the same.
    """
    if not len(parts):
        return np.zeros(0, np.int32)
    sizes = np.bincount(nuclei, weights=parts.sizes).astype(np.int64)
    first = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(first, nuclei, parts.first)
    at_rim = np.unique(nuclei[parts.at_rim]) if drop_rim else None
    wanted = selection(sizes, min_size, max_size, at_rim) > 0
    if sure is not None:
        wanted &= sure.evidence.added(nuclei).confidence() > sure.threshold
    ids = np.zeros(len(sizes), np.int32)
    ids[np.argsort(np.where(wanted, first, np.iinfo(np.int64).max))] = 1 + np.arange(len(sizes))
    return np.asarray(np.where(wanted, ids, np.int32(0))[nuclei])


def _components(n: int, pairs: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    ones = (np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1]))
    found: npt.NDArray[np.int32] = connected_components(
        sparse.csr_array(ones, shape=(n, n)), directed=False
    )[1]
    return found


def _largest_of(
    groups: npt.NDArray[np.int32], sizes: npt.NDArray[np.int64]
) -> npt.NDArray[np.intp]:
    """Return the place of the largest member of each group, the first one of several."""
    order = np.lexsort((np.arange(len(groups)), -sizes, groups))
    return order[np.unique(groups[order], return_index=True)[1]]
