from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_unet.nuclei.adjusting import (
    MOST_SPLITTING,
    adjusted,
    adjustment_of,
    before_selection,
    diameter_of,
    in_a_plane,
    size_of,
)
from napari_unet.nuclei.instances import SEEDS, InstanceSettings, instances, kept, separated

OWN = InstanceSettings(0.4, "both", seed_distance=0.5, border=0.3, min_seed=7, min_size=50)


def two_halves() -> np.ndarray:
    """Return the maps of two bells that run into each other, as bytes."""
    y, x = np.mgrid[:21, :40]
    bells = [np.exp(-((y - 10) ** 2 + (x - centre) ** 2) / 50) for centre in (13, 26)]
    height = np.maximum(*bells)
    maps = np.stack([height, np.zeros_like(height), height])
    return np.asarray(np.rint(maps * 255), np.uint8)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_sliders_that_stay_change_nothing(seeds: str, ndim: int) -> None:
    own = replace(OWN, seeds=seeds, max_size=900)
    assert adjusted(own, adjustment_of(own, ndim, 2.5), ndim, 2.5) == own


def test_what_is_moved_is_all_that_changes() -> None:
    wanted = replace(adjustment_of(OWN), threshold=0.6, smallest=20.0, keep_rim=False)
    expected = replace(OWN, threshold=0.6, min_size=314, drop_rim=True)
    assert adjusted(OWN, wanted) == expected


def test_a_limit_that_is_moved_away_is_none() -> None:
    own = replace(OWN, max_size=1000)
    assert adjusted(own, replace(adjustment_of(own), largest=None)).max_size is None


def test_the_largest_is_never_below_the_smallest() -> None:
    wanted = replace(adjustment_of(OWN), smallest=20.0, largest=10.0)
    assert (adjusted(OWN, wanted).min_size, adjusted(OWN, wanted).max_size) == (314, 314)


@pytest.mark.parametrize(("seeds", "expected"), [("distance", 0.5), ("border", 0.7), ("both", 0.6)])
def test_the_splitting_is_that_of_the_maps_that_seeds_are_found_in(
    seeds: str, expected: float
) -> None:
    assert adjustment_of(replace(OWN, seeds=seeds)).splitting == pytest.approx(expected)


@pytest.mark.parametrize("seeds", ["both", "distance", "border"])
def test_the_splitting_that_is_set_is_the_one_that_is_read(seeds: str) -> None:
    own = replace(OWN, seeds=seeds)
    for splitting in (0.0, 0.3, MOST_SPLITTING):
        moved = adjusted(own, replace(adjustment_of(own), splitting=splitting))
        assert adjustment_of(moved).splitting == pytest.approx(splitting)


@pytest.mark.parametrize(
    ("seeds", "expected"), [("both", [1, 1, 1, 2]), ("distance", [1, 1, 2, 2])]
)
def test_more_splitting_takes_a_nucleus_apart(seeds: str, expected: list[int]) -> None:
    own = InstanceSettings(threshold=0.2, seeds=seeds)
    at = adjustment_of(own)
    pieces = [
        instances(two_halves(), adjusted(own, replace(at, splitting=splitting))).max()
        for splitting in (0.0, 0.3, 0.7, MOST_SPLITTING)
    ]
    assert pieces == expected


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_size_and_its_diameter_belong_together(ndim: int) -> None:
    assert size_of(diameter_of(500, ndim, 3.0), ndim, 3.0) == 500


def test_a_plane_of_a_volume_keeps_the_caps_of_large_nuclei() -> None:
    settings = InstanceSettings(min_size=4189, max_size=33510)  # balls 20 and 40 pixels wide
    assert in_a_plane(settings) == InstanceSettings(min_size=None, max_size=1257)


def test_sizes_and_the_rim_are_left_to_the_second_half() -> None:
    maps = two_halves()
    settings = InstanceSettings(threshold=0.2, seeds="distance", min_size=200, drop_rim=True)
    every = separated(maps, before_selection(settings))
    np.testing.assert_array_equal(kept(every, settings), instances(maps, settings))
