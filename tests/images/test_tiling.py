"""Tiles that cover a plane, and their seamless stitch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.images.tiling import Stitch, pad_to_multiple, spans, tiles


@given(st.integers(1, 300), st.integers(2, 80), st.data())
def test_spans_cover_the_axis_with_equal_sizes_and_enough_overlap(length, tile, data):
    overlap = data.draw(st.integers(0, tile - 1))
    found = spans(length, tile, overlap)
    assert found[0].start == 0
    assert found[-1].stop == length
    (size,) = {span.stop - span.start for span in found}
    assert size <= tile
    assert len(found) == max(1, -(-(length - overlap) // (tile - overlap)))
    for left, right in pairwise(found):
        assert left.start < right.start
        assert left.stop - right.start >= overlap


@given(st.integers(1, 300), st.integers(2, 8), st.integers(3, 8), st.integers(0, 2))
def test_spans_on_a_grid_start_at_its_multiples(length, grid, n_steps, n_shared):
    tile, overlap = grid * n_steps, grid * n_shared
    found = spans(length, tile, overlap, grid)
    assert all(span.start % grid == 0 for span in found)
    assert found[-1].stop == length
    first, last = (span.stop - span.start for span in (found[0], found[-1]))
    assert {span.stop - span.start for span in found[:-1]} <= {first}
    assert first - grid < last <= first <= max(tile, length if len(found) == 1 else 0)
    for left, right in pairwise(found):
        assert left.stop - right.start >= overlap


def test_no_span_more_than_needed():
    assert spans(10, 4, 1) == [slice(0, 4), slice(3, 7), slice(6, 10)]


def test_spans_are_as_small_as_their_number_allows():
    assert spans(2048, 1280, 160, 16) == [slice(0, 1104), slice(944, 2048)]


def test_an_empty_axis_has_no_spans():
    assert spans(0, 4, 1) == []


@pytest.mark.parametrize(("tile", "overlap"), [(4, 4), (4, -1), (0, 0)])
def test_an_overlap_that_does_not_fit_is_refused(tile, overlap):
    with pytest.raises(ValueError, match="0 <= overlap < tile"):
        spans(10, tile, overlap)


def test_tiles_are_all_pairs_of_spans_row_by_row():
    found = [tile.read for tile in tiles((4, 6), 4, 1)]
    assert found == [(slice(0, 4), slice(0, 4)), (slice(0, 4), slice(2, 6))]


def test_one_tile_comes_back_exactly():
    maps = np.random.default_rng(0).random((3, 20, 30), np.float32)
    stitch = Stitch((20, 30), n_maps=3, overlap=8)
    (tile,) = tiles((20, 30), tile=64, overlap=8)
    stitch.add(tile, maps)
    np.testing.assert_array_equal(stitch.result(), maps)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(5, 20), st.integers(0, 4))
def test_tiles_of_one_picture_stitch_to_that_picture(height, width, tile, overlap):
    picture = np.random.default_rng(0).random((2, height, width), np.float32)
    stitch = Stitch((height, width), n_maps=2, overlap=overlap)
    for part in tiles((height, width), tile, overlap):
        stitch.add(part, picture[:, *part.read])
    np.testing.assert_allclose(stitch.result(), picture, rtol=1e-5)


def test_neighbours_blend_over_the_middle_ninth_of_the_overlap():
    stitch = Stitch((1, 24), n_maps=1, overlap=18)
    for value, tile in enumerate(tiles((1, 24), tile=21, overlap=18)):
        stitch.add(tile, np.full((1, 1, 21), value, np.float32))
    expected = [0] * 11 + [0.25, 0.75] + [1] * 11
    np.testing.assert_allclose(stitch.result()[0, 0], expected, atol=2e-3)


def test_pixels_without_a_tile_are_zero():
    stitch = Stitch((4, 8), n_maps=1, overlap=0)
    stitch.add(tiles((4, 8), tile=4, overlap=0)[0], np.ones((1, 4, 4), np.float32))
    assert stitch.result()[0, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_maps_of_another_shape_than_the_tile_are_refused():
    stitch = Stitch((4, 4), n_maps=3, overlap=0)
    with pytest.raises(ValueError, match=r"\(3, 4, 4\)"):
        stitch.add(tiles((4, 4), 4, 0)[0], np.zeros((3, 16, 16), np.float32))


def test_padding_mirrors_at_the_far_rim():
    padded, _ = pad_to_multiple(np.array([[[1, 2, 3]]], np.float32), 4)
    assert padded[0, 0].tolist() == [1, 2, 3, 2]


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 16]), st.sampled_from([1, 32]))
def test_padded_size_is_the_next_multiple_and_the_crop_gives_the_pixels(h, w, multiple, minimum):
    pixels = np.arange(2 * h * w, dtype=np.float32).reshape(2, h, w)
    padded, crop = pad_to_multiple(pixels, multiple, minimum)
    for size, given_size in zip(padded.shape[1:], (h, w), strict=True):
        assert size % multiple == 0
        assert max(given_size, minimum) <= size < max(given_size, minimum) + multiple
    np.testing.assert_array_equal(padded[:, *crop], pixels)


def test_pixels_that_fit_are_not_copied():
    pixels = np.zeros((3, 32, 16), np.float32)
    assert pad_to_multiple(pixels, 16)[0] is pixels


def test_nothing_to_mirror_is_refused():
    with pytest.raises(ValueError, match="at least one pixel"):
        pad_to_multiple(np.zeros((3, 0, 4), np.float32), 16)
