"""Pieces of nuclei in a volume: given back to the nucleus that they were cut from, or dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_unet.nuclei.tables import counted, first_pixels, looked_up, weighted_median

LARGEST_FRAGMENT = 0.2  # of the volume of a typical nucleus
LEAST_CONTACT = 1.0  # of the largest section of a ball of the fragment's volume
LEAST_PLANES = 4  # of a typical nucleus, where one that lies in a single plane is noise
_SECTION = np.pi * (3 / (4 * np.pi)) ** (2 / 3)  # of a ball of volume 1

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

Contacts = npt.NDArray[np.int64]
"""What pieces share, (n, 4): two ids, the faces of voxels between them along z, and across it."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """What tells fragments from nuclei, by label; that of parts can be added up.

    Parameters
    ----------
    sizes : array of int64, (n,)
        Voxels; 0 for the background and for labels that are not there.
    first : array of int64, (n,)
        Place of the first voxel, counted in reading order over the whole volume.
    lowest, highest : array of int64, (n,)
        First and last plane.
    contacts : array of int64, (m, 4)
        See `Contacts`; a pair may be there more than once.
    """

    sizes: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    lowest: npt.NDArray[np.int64]
    highest: npt.NDArray[np.int64]
    contacts: Contacts

    def added(self, wholes: npt.NDArray[np.integer]) -> Pieces:
        """Return those of wholes, given the one that each part belongs to; 0 is left out."""
        n = int(wholes.max(initial=0)) + 1
        sizes = np.bincount(wholes, self.sizes, n).astype(np.int64)
        sizes[0] = 0
        first, lowest = np.full((2, n), np.iinfo(np.int64).max)
        np.minimum.at(first, wholes, self.first)
        np.minimum.at(lowest, wholes, self.lowest)
        highest = np.full(n, -1, np.int64)
        np.maximum.at(highest, wholes, self.highest)
        return Pieces(sizes, first, lowest, highest, _renamed(self.contacts, wholes))


def tidied(labels: npt.NDArray[np.int32], anisotropy: float = 1.0) -> npt.NDArray[np.int32]:
    """Return a volume whose fragments belong to the nuclei that they were cut from.

    What then lies in a single plane is left out; `tidy` says more of both.

    Parameters
    ----------
    labels : array of int32, shape (z, y, x)
        0 is background.
    anisotropy : float
        Voxel size along z over the voxel size along y and x.

    Returns
    -------
    array of int32, shape (z, y, x)
        The ids of fragments are gone.

    Examples
    --------
    >>> labels = np.ones((4, 9, 9), np.int32)
    >>> labels[3, 3:6, 3:6] = 2
    >>> labels[:, :, 6:] = 3
    >>> np.unique(tidied(labels)).tolist()
    [1, 3]
    """
    if not labels.any():
        return labels
    return looked_up(tidy(_pieces(labels), len(labels), anisotropy).astype(np.int32), labels)


def tidy(pieces: Pieces, n_planes: int, anisotropy: float = 1.0) -> Places:
    """Return the nucleus that each piece belongs to, 0 for what is left out.

    Where planes do not agree on the cores, a cap or a side of a nucleus gets a seed of its own.
    Such a fragment is far smaller than nuclei are, and the face that it shares with its nucleus
    is as wide as itself; a small nucleus that touches a large one shares less.

    What lies in one plane is left out where nuclei span several, unless that is the first or last
    one: there the volume ends, not the nucleus.

    Parameters
    ----------
    pieces : Pieces
        Of a volume; the result does not depend on the order of their ids.
    n_planes : int
        Of the volume.
    anisotropy : float
        Voxel size along z over the voxel size along y and x.
    """
    owners = np.arange(len(pieces.sizes))
    if not pieces.sizes.any():
        return owners
    pieces = pieces.added(owners)
    while len(moving := _next_owners(pieces, anisotropy)):
        owners, pieces = moving[owners], pieces.added(moving)
    return np.where(_is_flat(pieces, n_planes)[owners], 0, owners)


def contacts(labels: npt.NDArray[np.int32]) -> Contacts:
    """Return what the pieces of a volume (z, y, x) share, see `Contacts`.

    Examples
    --------
    >>> contacts(np.array([[[1, 2, 2]], [[3, 3, 0]]], np.int32))
    array([[1, 3, 1, 0],
           [2, 3, 1, 0],
           [1, 2, 0, 1]])
    """
    along = (np.moveaxis(labels, axis, 0) for axis in range(3))
    return np.concatenate([faces(it[:-1], it[1:], axis) for axis, it in enumerate(along)])


def faces(
    one: npt.NDArray[np.int32], other: npt.NDArray[np.int32], axis: int, *, apart: bool = True
) -> Contacts:
    """Return what pieces share over an axis of a volume, see `Contacts`.

    Parameters
    ----------
    one, other : array of int32, same shape
        Ids of voxels that are next to each other along the axis.
    axis : int
        0 is z.
    apart : bool
        Whether an id is one piece on both sides, which shares nothing with itself.
    """
    touch = (one > 0) & (other > 0)
    if apart:
        touch &= one != other
    base = int(other.max(initial=0)) + 1
    keys = one[touch].astype(np.int64) * base + other[touch]
    pairs, counts = np.unique(keys, return_counts=True)
    found = np.zeros((len(pairs), 4), np.int64)
    found[:, 0], found[:, 1] = pairs // base, pairs % base
    found[:, 2 if axis == 0 else 3] = counts
    return found


def last_planes(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the last plane of each label of a volume (z, y, x), -1 where there is none."""
    last = np.full(int(labels.max(initial=0)) + 1, -1, np.int64)
    for z, plane in enumerate(labels):
        last[plane] = z
    return last


def _pieces(labels: npt.NDArray[np.int32]) -> Pieces:
    sizes = counted(labels).astype(np.int64)
    sizes[0] = 0
    first = np.zeros(len(sizes), np.int64)
    ids, places = first_pixels(labels)
    first[ids] = places
    lowest = first // (labels.shape[1] * labels.shape[2])
    return Pieces(sizes, first, lowest, last_planes(labels), contacts(labels))


def _renamed(shared: Contacts, wholes: npt.NDArray[np.integer]) -> Contacts:
    """Return the contacts of wholes, each pair once, given the one that each part belongs to."""
    pairs = np.sort(wholes[shared[:, :2]].astype(np.int64), axis=1)
    apart = (pairs[:, 0] > 0) & (pairs[:, 0] != pairs[:, 1])
    pairs, counts = pairs[apart], shared[apart, 2:]
    base = int(wholes.max(initial=0)) + 1
    found, at = np.unique(pairs[:, 0] * base + pairs[:, 1], return_inverse=True)
    summed = (np.bincount(at, column, len(found)) for column in counts.T)
    return np.column_stack([found // base, found % base, *summed]).astype(np.int64)


def _next_owners(pieces: Pieces, anisotropy: float) -> Places:
    """Return the nucleus that each is a fragment of, or itself; nothing if none is a fragment."""
    one, other, along, across = pieces.contacts.T
    small, large = np.concatenate([one, other]), np.concatenate([other, one])
    volumes: Floats = pieces.sizes * np.float64(anisotropy)
    area = np.tile(along + across * np.float64(anisotropy), 2)
    width = area / (_SECTION * volumes[small] ** (2 / 3))
    is_fragment = (volumes[small] < volumes[large]) & (width > LEAST_CONTACT)
    is_fragment &= volumes[small] < LARGEST_FRAGMENT * weighted_median(volumes, volumes)
    order = np.lexsort((pieces.first[large], width))
    order = order[is_fragment[order]]
    owners = np.arange(len(volumes))
    owners[small[order]] = large[order]  # the last, widest contact stays
    # Whose owner moves as well waits for the next round.
    moving = np.where(owners[owners] == owners, owners, np.arange(len(volumes)))
    return moving if len(order) else moving[:0]


def _is_flat(pieces: Pieces, n_planes: int) -> npt.NDArray[np.bool_]:
    """Tell which pieces lie in one plane inside of the volume, where nuclei span several."""
    heights = np.where(pieces.sizes > 0, pieces.highest - pieces.lowest + 1, 0)
    order = np.argsort(heights)
    upto = np.cumsum(pieces.sizes[order])
    middle = (upto[-1] - 1) // 2, upto[-1] // 2  # voxels: the median is the mean of both
    if heights[order[np.searchsorted(upto, middle, side="right")]].mean() < LEAST_PLANES:
        return np.zeros(len(heights), bool)
    return np.asarray((heights == 1) & (pieces.lowest > 0) & (pieces.highest < n_planes - 1))
