"""Where nuclei start: the cores of the maps, one seed for each nucleus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse.csgraph import connected_components
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

from napari_unet.nuclei.tables import counted, looked_up

_RAISE = 1e-14  # far less than heights differ by, far more than their float64 is exact to


def find_seeds(
    core: npt.NDArray[np.bool_],
    min_size: int,
    neck: float,
    depth: npt.NDArray[np.float32] | None,
) -> npt.NDArray[np.int32]:
    """Return one label for every piece of the core that is a nucleus of its own.

    Parameters
    ----------
    core : array of bool, 2-D or 3-D
        Pixels well inside a nucleus.
    min_size : int
        Pixels or voxels; smaller pieces are no seeds.
    neck : float
        A core is cut where it narrows to less than this fraction of its smaller part.
    depth : array of float32, shape of ``core``, or None
        See `split_necks`; without it no core is cut.

    Returns
    -------
    array of int32, shape of ``core``
        Seeds 1, 2, ..., and 0 elsewhere; every seed is one piece of face neighbours.
    """
    seeds, n_pieces = label_pieces(core)
    if depth is not None and n_pieces:
        seeds = split_necks(seeds, neck, depth)
    large = counted(seeds) >= min_size
    large[0] = False
    return looked_up(np.cumsum(large, dtype=np.int32) * large, seeds)


def label_pieces(inside: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], int]:
    """Return the connected pieces, numbered from 1, and their number.

    Pixels that share an edge (2-D) or voxels that share a face (3-D) are connected, so that
    a label is one piece for every other program as well, whichever connectivity it uses.
    """
    pieces, n_pieces = ndimage.label(inside)
    return pieces, int(n_pieces)


def split_necks(
    pieces: npt.NDArray[np.int32], neck: float, depth: npt.NDArray[np.float32]
) -> npt.NDArray[np.int32]:
    """Return the pieces cut where they are narrow, renumbered.

    The maps are made plane by plane, so two nuclei above each other share one core in 3-D.
    Their shape tells them apart: the distance to the surface, in the voxel's true
    proportions, has a peak in each and a saddle at the neck between them.

    Parameters
    ----------
    pieces : array of int32
        Connected pieces, 0 is background.
    neck : float
        Two peaks are two pieces when the distance at their saddle is less than this fraction
        of the lower peak's distance; 0 to 1.
    depth : array of float32, shape of ``pieces``
        Distance to the surface, as `napari_unet.nuclei.depth.depths` gives it.

    Returns
    -------
    array of int32, shape of ``pieces``

    Examples
    --------
    >>> from napari_unet.nuclei.depth import depths
    >>> bow_tie = np.array([[1, 1, 1, 0, 1, 1, 1], [1] * 7, [1, 1, 1, 0, 1, 1, 1]], np.int32)
    >>> pieces = np.pad(bow_tie, 1)
    >>> int(split_necks(pieces, 0.9, depths(pieces > 0)).max())
    2
    """
    inside = pieces > 0
    peaks, n_peaks = label_pieces(inside & local_maxima(depth, connectivity=1))
    basins = flooded(-depth, peaks, inside)
    heights = np.zeros(n_peaks + 1, depth.dtype)
    heights[peaks] = depth
    groups = _merge_shallow(heights, _saddles(basins, depth), neck)
    groups[0] = 0
    return np.asarray(groups[basins])


def flooded(
    heights: npt.NDArray[np.float32], markers: npt.NDArray[np.int32], inside: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int32]:
    """Return the markers grown over ``inside`` from low to high, as a watershed does.

    Among markers of one height that of the first pixel in reading order grows first. Left to
    itself, scikit-image takes them in an order that changes with what else is in the image, and a
    part of an image would be labelled differently from the whole.

    Parameters
    ----------
    heights : array of float32, any number of dimensions
        Low where markers are to grow first.
    markers : array of int32, shape of ``heights``
        0 is none.
    inside : array of bool, shape of ``heights``
        Where they may grow.

    Returns
    -------
    array of int32, shape of ``heights``
        0 outside, and where no marker gets to.
    """
    raised = heights.astype(np.float64)
    starts = np.flatnonzero(markers)
    raised.reshape(-1)[starts] += _RAISE * np.arange(1, len(starts) + 1)
    grown: npt.NDArray[np.int32] = watershed(raised, markers, mask=inside)
    return grown


_Saddles = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]


def _saddles(basins: npt.NDArray[np.int32], depth: npt.NDArray[np.float32]) -> _Saddles:
    """Return both basins and the depth of every pair of pixels that touch across a border."""
    ones, others, depths = [], [], []
    for axis in range(basins.ndim):
        length = basins.shape[axis]
        here = (slice(None),) * axis + (slice(0, max(length - 1, 0)),)
        next_to = (slice(None),) * axis + (slice(1, length),)
        one, other = basins[here], basins[next_to]
        touch = (one != other) & (one > 0) & (other > 0)
        ones.append(one[touch])
        others.append(other[touch])
        depths.append(np.minimum(depth[here][touch], depth[next_to][touch]))
    return np.concatenate(ones), np.concatenate(others), np.concatenate(depths)


def _merge_shallow(
    heights: npt.NDArray[np.float32], saddles: _Saddles, neck: float
) -> npt.NDArray[np.int32]:
    """Return the group of every basin; each joins its higher neighbour across a wide saddle.

    A basin joins one neighbour only, the one across its deepest saddle, so that a small bump
    between two large basins does not join them.
    """
    one, other, depth = saddles
    rank = np.empty(len(heights), np.intp)
    rank[np.argsort(heights, kind="stable")] = np.arange(len(heights))
    swap = rank[one] > rank[other]
    low, high = np.where(swap, other, one), np.where(swap, one, other)
    wide = depth >= neck * heights[low]
    order = np.argsort(depth[wide], kind="stable")
    basins = np.arange(len(heights))
    parents = basins.copy()
    parents[low[wide][order]] = high[wide][order]  # the last, deepest saddle stays
    ones = np.ones(len(basins))
    links = sparse.csr_array((ones, (basins, parents)), shape=(len(basins), len(basins)))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int32)
