"""The nuclei of a plane, found row by row."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet.nuclei.instances import InstanceSettings, instances, kept
from napari_unet.nuclei.row_by_row import RowByRow

SHAPE = (90, 70)


def crowded_maps(seed: int) -> np.ndarray:
    """Return maps of pieces of all sizes, some with holes and others in these."""
    random = np.random.default_rng(seed)
    smooth = [ndimage.gaussian_filter(random.random(SHAPE), sigma) for sigma in (2.0, 1.5, 2.5)]
    ranked = [np.argsort(np.argsort(it, axis=None)).reshape(SHAPE) / it.size for it in smooth]
    return np.round(255 * np.stack(ranked)).astype(np.uint8)


def found_row_by_row(maps: np.ndarray, step: int, settings: InstanceSettings) -> np.ndarray:
    labels = np.zeros(maps.shape[1:], np.int32)
    known = np.zeros_like(maps)
    rows = RowByRow(labels, settings)
    for stop in (*range(step, len(labels), step), len(labels)):
        known[:, :stop] = maps[:, :stop]
        rows.add(known, stop)
    return kept(labels, settings)


@pytest.mark.parametrize("step", [1, 7, 40, 200])
@pytest.mark.parametrize("threshold", [0.4, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_nuclei_are_those_of_the_whole_plane(seed: int, threshold: float, step: int) -> None:
    maps = crowded_maps(seed)
    for seeds in ("both", "none"):
        settings = InstanceSettings(threshold=threshold, seeds=seeds, min_size=4)
        expected = instances(maps, settings)
        assert expected.max() > 5
        np.testing.assert_array_equal(found_row_by_row(maps, step, settings), expected)


def test_a_nucleus_in_the_hole_of_another_stays_though_it_is_whole_sooner() -> None:
    inside = np.zeros((12, 12), bool)
    inside[1:11, 1:11] = True
    inside[2:9, 2:9] = False
    inside[4:6, 4:6] = True
    maps = np.where(inside, 255, 0).astype(np.uint8)[None]
    settings = InstanceSettings(min_size=1)
    expected = instances(maps, settings)
    assert expected.max() == 2
    for step in (3, 7):
        np.testing.assert_array_equal(found_row_by_row(maps, step, settings), expected)


def test_it_is_told_in_which_rows_there_is_something_new() -> None:
    maps = np.zeros((1, 10, 4), np.uint8)
    maps[0, 1:3] = maps[0, 4:8] = 255
    labels = np.zeros((10, 4), np.int32)
    rows = RowByRow(labels, InstanceSettings(min_size=1))
    assert rows.add(maps, 6) == slice(0, 6)
    assert np.flatnonzero(labels.any(axis=1)).tolist() == [1, 2]
    assert rows.add(maps, 10) == slice(4, 10)
    assert np.flatnonzero(labels.any(axis=1)).tolist() == [1, 2, 4, 5, 6, 7]
