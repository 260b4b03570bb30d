"""Nuclei that lie over faces, edges and corners of blocks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_unet.images.blocks import Block, blocks
from napari_unet.nuclei.cleaning import drop, number_in_reading_order
from napari_unet.nuclei.joining import Parts, Seam, core_parts, join, seam


def through_blocks(
    truth: NDArray[np.int32], sides: tuple[int, ...], halo: int, **limits: object
) -> NDArray[np.int32]:
    """Return labels that every block sees in its view, joined over all faces."""
    found = blocks(truth.shape, sides, [halo] * truth.ndim)
    seen = [core_parts(truth[block.view], block, truth.shape) for block in found]
    starts = np.cumsum([0, *(len(parts) for _, parts in seen)])
    seams = [
        Seam(made.pairs + np.array([starts[i] - 1, starts[j] - 1]), made.touching)
        for i, j in product(range(len(found)), repeat=2)
        if is_next(found[i], found[j])
        for made in [seam(seen[i][0], seen[j][0], found[i], found[j])]
    ]
    whole = Parts(
        *(np.concatenate([getattr(p, name) for _, p in seen]) for name in Parts.__annotations__)
    )
    pairs = np.concatenate([np.zeros((0, 2), np.intp), *(each.pairs for each in seams)])
    touching = np.concatenate([np.zeros(0, bool), *(each.touching for each in seams)])
    ids = join(whole, Seam(pairs, touching), **{"min_size": 1, **limits})
    out = np.zeros_like(truth)
    for block, start, (labels, parts) in zip(found, starts, seen, strict=False):
        table = np.append(np.int32(0), ids[start : start + len(parts)])
        out[block.core] = table[labels[block.inner]]
    return out


def is_next(one: Block, other: Block) -> bool:
    steps = np.subtract(other.at, one.at)
    return bool((steps >= 0).all() and steps.sum() == 1)


def discs(shape: tuple[int, ...], seed: int) -> NDArray[np.int32]:
    """Discs or balls 5 pixels wide that do not overlap, numbered at random."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.indices(shape), axis=-1)
    labels = np.zeros(shape, np.int32)
    for label in rng.permutation(np.arange(1, 60)):
        near = ((places - rng.integers(0, shape)) ** 2).sum(axis=-1) <= 6
        if not labels[near].any():
            labels[near] = label
    return labels


@pytest.mark.parametrize(
    ("shape", "sides"),
    [((40, 50), (8, 8)), ((40, 50), (13, 7)), ((40, 50), (100, 100)), ((12, 20, 20), (4, 6, 7))],
)
def test_joined_nuclei_are_those_of_the_whole(shape, sides):
    truth = discs(shape, seed=1)
    assert truth.max() > 20
    joined = through_blocks(truth, sides, halo=5)
    np.testing.assert_array_equal(joined, number_in_reading_order(truth))


def test_a_nucleus_on_a_corner_of_four_blocks_is_one():
    truth = np.zeros((8, 8), np.int32)
    truth[3:5, 3:5] = 7
    assert np.unique(through_blocks(truth, (4, 4), halo=2)).tolist() == [0, 1]


def test_two_nuclei_that_touch_along_a_face_stay_two():
    truth = np.zeros((8, 8), np.int32)
    truth[2:6, 1:4], truth[2:6, 4:7] = 1, 2
    np.testing.assert_array_equal(through_blocks(truth, (4, 4), halo=3), truth)


def test_a_nucleus_larger_than_a_block_is_one():
    truth = np.zeros((20, 20), np.int32)
    truth[1:19, 1:19] = 3
    np.testing.assert_array_equal(through_blocks(truth, (4, 4), halo=2), (truth > 0).astype(int))


@pytest.mark.parametrize("row", [0, -1])
@pytest.mark.parametrize("height", [1, 2, 3])
@pytest.mark.parametrize("is_turned", [False, True])
def test_the_rim_of_a_narrow_image_is_that_of_the_whole(row, height, is_turned):
    truth = np.zeros((height, 12), np.int32)
    truth[row, 5:7] = 1
    truth = truth.T if is_turned else truth
    joined = through_blocks(truth, (4, 4), halo=2, drop_rim=True)
    np.testing.assert_array_equal(joined, drop(truth, 0, None, True))


def test_size_and_rim_are_those_of_the_whole_nucleus():
    truth = np.zeros((8, 12), np.int32)
    truth[2:6, 2:6], truth[7, 7:11], truth[1, 8] = 1, 2, 3
    kept = {
        "min_size": through_blocks(truth, (4, 4), halo=3, min_size=10),
        "max_size": through_blocks(truth, (4, 4), halo=3, max_size=10),
        "drop_rim": through_blocks(truth, (4, 4), halo=3, drop_rim=True),
    }
    seen = {name: [int(found[place]) for place in ((3, 3), (7, 8), (1, 8))] for name, found in
            kept.items()}  # fmt: skip
    assert seen == {"min_size": [1, 0, 0], "max_size": [0, 2, 1], "drop_rim": [2, 0, 1]}


def test_of_a_nucleus_that_blocks_see_differently_one_piece_is_left():
    first, second = blocks((1, 8), (1, 4), (0, 3))
    one, parts = core_parts(np.array([[0, 1, 1, 1, 1, 0, 0]], np.int32), first, (1, 8))
    other, beside = core_parts(np.array([[1, 1, 1, 0, 1, 0, 0]], np.int32), second, (1, 8))
    found = seam(one, other, first, second)
    assert (found.pairs.tolist(), found.touching.tolist()) == ([[1, 1]], [False])
    whole = Parts(*(np.concatenate([getattr(p, name) for p in (parts, beside)])
                    for name in Parts.__annotations__))  # fmt: skip
    assert join(whole, Seam(np.array([[0, 1]]), found.touching), min_size=1).tolist() == [1, 0]


def test_an_image_without_nuclei_has_none():
    assert not through_blocks(np.zeros((9, 9), np.int32), (4, 4), halo=1).any()
