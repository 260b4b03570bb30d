"""Pieces of nuclei in a volume: given back to the nucleus that they were cut from, or dropped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

LARGEST_FRAGMENT = 0.2  # of the volume of a typical nucleus
LEAST_CONTACT = 1.0  # of the largest section of a ball of the fragment's volume
LEAST_PLANES = 4  # of a typical nucleus, where one that lies in a single plane is noise
_SECTION = np.pi * (3 / (4 * np.pi)) ** (2 / 3)  # of a ball of volume 1

Floats = npt.NDArray[np.float64]


def tidied(labels: npt.NDArray[np.int32], anisotropy: float = 1.0) -> npt.NDArray[np.int32]:
    """Return a volume (z, y, x) without fragments: `joined`, then `without_flat`."""
    return without_flat(joined(labels, anisotropy))


def joined(labels: npt.NDArray[np.int32], anisotropy: float = 1.0) -> npt.NDArray[np.int32]:
    """Return a volume whose fragments belong to the nuclei that they were cut from.

    Where planes do not agree on the cores, a cap or a side of a nucleus gets a seed of its own.
    Such a fragment is far smaller than nuclei are, and the face that it shares with its nucleus
    is as wide as itself; a small nucleus that touches a large one shares less.

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
    >>> np.unique(joined(labels)).tolist()
    [1, 3]
    """
    volumes: Floats = np.bincount(labels.reshape(-1), minlength=1) * np.float64(anisotropy)
    volumes[0] = 0
    if not volumes.any():
        return labels
    contact, owners = _contact(labels, len(volumes), anisotropy), np.arange(len(volumes))
    while len(moving := _next_owners(contact, volumes)):
        owners = moving[owners]
        groups = (np.ones(len(moving)), (moving, np.arange(len(moving))))
        into = sparse.csr_array(groups, shape=contact.shape)
        contact, volumes = into @ contact @ into.T, into @ volumes
    return np.asarray(owners.astype(np.int32)[labels])


def without_flat(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return a volume without nuclei that lie in one plane, where nuclei span several.

    Those in the first and last plane stay: there the stack ends, not the nucleus.

    Parameters
    ----------
    labels : array of int32, shape (z, y, x)
        0 is background.

    Examples
    --------
    >>> labels = np.zeros((6, 1, 4), np.int32)
    >>> labels[:, 0, 0], labels[2, 0, 2], labels[0, 0, 3] = 1, 2, 3
    >>> np.unique(without_flat(labels)).tolist()
    [0, 1, 3]
    """
    if not labels.any():
        return labels
    boxes = ndimage.find_objects(labels)
    n_planes = np.array([0, *(box[0].stop - box[0].start if box else 0 for box in boxes)])
    if np.median(n_planes[labels[labels > 0]]) < LEAST_PLANES:
        return labels
    kept = np.where(n_planes > 1, np.arange(len(n_planes)), 0)
    kept[labels[0]], kept[labels[-1]] = labels[0], labels[-1]
    return np.asarray(kept.astype(np.int32)[labels])


def _contact(labels: npt.NDArray[np.int32], n: int, anisotropy: float) -> sparse.csr_array:
    """Return the area, in pixels of y and x, that every two nuclei share."""
    total = sparse.csr_array((n, n), dtype=np.float64)
    for axis, area in enumerate((1.0, anisotropy, anisotropy)):
        ahead = np.moveaxis(labels, axis, 0)
        one, other = ahead[1:], ahead[:-1]
        touch = (one != other) & (one > 0) & (other > 0)
        pairs = (np.full(np.count_nonzero(touch), area), (one[touch], other[touch]))
        total = total + sparse.csr_array(pairs, shape=(n, n))
    return total + total.T


def _next_owners(contact: sparse.csr_array, volumes: Floats) -> npt.NDArray[np.intp]:
    """Return the nucleus that each is a fragment of, or itself; nothing if none is a fragment."""
    pairs = contact.tocoo()
    off_diagonal = pairs.row != pairs.col
    small, large = pairs.row[off_diagonal], pairs.col[off_diagonal]
    width = pairs.data[off_diagonal] / (_SECTION * volumes[small] ** (2 / 3))
    is_fragment = (volumes[small] < volumes[large]) & (width > LEAST_CONTACT)
    is_fragment &= volumes[small] < LARGEST_FRAGMENT * _typical(volumes)
    order = np.flatnonzero(is_fragment)[np.argsort(width[is_fragment], kind="stable")]
    owners = np.arange(len(volumes))
    owners[small[order]] = large[order]  # the last, widest contact stays
    # Whose owner moves as well waits for the next round.
    moving = np.where(owners[owners] == owners, owners, np.arange(len(volumes)))
    return moving if len(order) else moving[:0]


def _typical(volumes: Floats) -> float:
    """Return the median over voxels, not over nuclei: fragments may be many."""
    order = np.sort(volumes)
    return float(order[np.searchsorted(np.cumsum(order), order.sum() / 2)])
