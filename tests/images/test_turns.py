"""Maps averaged over the turns of a plane."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_unet.images.turns import averaged_over_turns

Pixels = NDArray[np.float32]
SIZES = [(1, 1), (1, 9), (5, 8), (16, 16), (17, 40), (33, 47)]


def whole_numbers(height: int, width: int) -> Pixels:
    """Pixels whose sums and eighths float32 holds exactly."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (3, height, width)).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("grid", [1, 16])
@pytest.mark.parametrize("n_maps", [1, 3])
def test_a_network_that_no_turn_changes_gives_its_own_maps(
    size: tuple[int, int], grid: int, n_maps: int
) -> None:
    def inverted(pixels: Pixels) -> Pixels:
        return 255 - pixels[:n_maps]

    pixels = whole_numbers(*size)
    found = averaged_over_turns(inverted, grid)(pixels)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, inverted(pixels))


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("shift", [1, -1])
def test_a_network_that_shifts_gives_the_mean_of_the_four_shifts(axis: int, shift: int) -> None:
    pixels = whole_numbers(5, 8)
    found = averaged_over_turns(lambda seen: np.roll(seen, shift, axis))(pixels)
    four = sum(np.roll(pixels, step, across) for step in (1, -1) for across in (1, 2))
    np.testing.assert_array_equal(found, four / 4)


def test_every_view_is_another_one() -> None:
    views: list[bytes] = []

    def network(pixels: Pixels) -> Pixels:
        views.append(pixels.tobytes())
        return pixels

    averaged_over_turns(network)(whole_numbers(6, 6))
    assert len(set(views)) == len(views) == 8


@pytest.mark.parametrize("size", SIZES)
def test_planes_are_pooled_over_the_same_pixels_however_they_lie(size: tuple[int, int]) -> None:
    grid = 4

    def pooled(pixels: Pixels) -> Pixels:
        n_maps, height, width = pixels.shape
        blocks = pixels.reshape(n_maps, height // grid, grid, width // grid, grid)
        return blocks.max(axis=(2, 4)).repeat(grid, axis=1).repeat(grid, axis=2)

    height, width = size
    pixels = whole_numbers(height, width)
    padding = [(0, 0), (0, -height % grid), (0, -width % grid)]
    once = pooled(np.pad(pixels, padding, mode="reflect"))[:, :height, :width]
    np.testing.assert_array_equal(averaged_over_turns(pooled, grid)(pixels), once)


def test_the_pixels_that_were_given_stay_as_they_are() -> None:
    pixels = whole_numbers(5, 8)
    before = pixels.copy()
    averaged_over_turns(lambda seen: seen)(pixels)
    np.testing.assert_array_equal(pixels, before)
