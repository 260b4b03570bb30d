"""Pieces of a plane taken strip by strip, those of a volume box by box."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet.nuclei import instances as module
from napari_unet.nuclei.cleaning import number_in_reading_order
from napari_unet.nuclei.instances import InstanceSettings, grown, instances
from napari_unet.nuclei.strips import boxes, strips
from napari_unet.nuclei.tables import counted, first_pixels, looked_up

SIDE = 160
AS_A_WHOLE = SIDE * SIDE
VOLUME = (10, 56, 64)


def crowded_maps(seed: int) -> np.ndarray:
    """Maps of nuclei that touch in clumps, with holes, nuclei in holes of others, and noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(3, SIDE, SIDE))
    smooth = np.stack([ndimage.gaussian_filter(it, 2.5) for it in noise])
    smooth /= np.abs(smooth).max(axis=(1, 2), keepdims=True)
    maps = np.rint(255 * np.clip(0.5 + smooth, 0, 1)).astype(np.uint8)
    rings = np.hypot(*(np.indices((SIDE, SIDE)) - np.array([80, 60])[:, None, None]))
    maps[0][(rings > 30) & (rings < 40)] = 230
    maps[0][(rings >= 22) & (rings <= 30)] = 0
    maps[2][(rings > 33) & (rings < 37)] = 230
    return maps


@pytest.mark.parametrize("n_pixels", [1, 7 * SIDE, 31 * SIDE, 80 * SIDE])
@pytest.mark.parametrize("seeds", ["both", "distance", "border", "none"])
def test_labels_do_not_depend_on_the_strips(monkeypatch, n_pixels, seeds):
    settings = InstanceSettings(seeds=seeds, threshold=0.53, min_size=3)
    for maps in (crowded_maps(0), crowded_maps(1).astype(np.float32) / 255):
        monkeypatch.setattr(module, "PIXELS", AS_A_WHOLE)
        whole = instances(maps, settings)
        monkeypatch.setattr(module, "PIXELS", n_pixels)
        assert whole.max() > 30
        np.testing.assert_array_equal(instances(maps, settings), whole)


def crowded_volume(seed: int) -> np.ndarray:
    """Maps of nuclei that touch in clumps through the planes, and a ball with a nucleus in it."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(3, *VOLUME))
    smooth = np.stack([ndimage.gaussian_filter(it, (1.0, 1.8, 1.8)) for it in noise])
    smooth /= np.abs(smooth).max(axis=(1, 2, 3), keepdims=True)
    maps = np.rint(255 * np.clip(0.5 + smooth, 0, 1)).astype(np.uint8)
    centre = np.array([5, 30, 32])[:, None, None, None]
    away = np.linalg.norm(
        (np.indices(VOLUME) - centre) * np.array([3, 1, 1])[:, None, None, None], axis=0
    )
    maps[0][away < 14] = 230
    maps[0][(away >= 4) & (away < 9)] = 0
    return maps


@pytest.mark.parametrize("n_voxels", [1, 1500, 9000])
@pytest.mark.parametrize("seeds", ["both", "none"])
@pytest.mark.parametrize(("neck", "anisotropy"), [(0.85, 2.7), (0.85, 1.0), (0.0, 1.0)])
def test_labels_do_not_depend_on_the_boxes(monkeypatch, n_voxels, seeds, neck, anisotropy):
    settings = InstanceSettings(seeds=seeds, neck=neck, threshold=0.65, min_size=3)
    maps = crowded_volume(0)
    monkeypatch.setattr(module, "PIXELS", maps[0].size)
    whole = instances(maps, settings, anisotropy)
    monkeypatch.setattr(module, "PIXELS", n_voxels)
    assert whole.max() > 15
    np.testing.assert_array_equal(instances(maps, settings, anisotropy), whole)


def test_every_piece_of_a_volume_is_whole_in_one_box():
    pieces, n_pieces = ndimage.label(crowded_volume(1)[0] > 140)
    renumbered, found = boxes(pieces, 1000)
    assert len(found) > 3
    assert [it for box in found for it in range(box.first, box.last + 1)] == [
        *range(1, n_pieces + 1)
    ]
    np.testing.assert_array_equal(number_in_reading_order(renumbered), pieces)
    for box in found:
        assert box.own(box.part(renumbered)).sum() == box.own(renumbered).sum()


@pytest.mark.parametrize("n_voxels", [1, 7 * 9 * 9])
@pytest.mark.parametrize("row", [0, 4, 8])
def test_a_ring_one_voxel_thick_in_a_volume_is_open(monkeypatch, row, n_voxels):
    monkeypatch.setattr(module, "PIXELS", n_voxels)
    maps = np.zeros((1, 7, 9, 9), np.float32)
    maps[0, 1:6, row, 1:8] = 1
    maps[0, 2:5, row, 3:6] = 0
    np.testing.assert_array_equal(grown(maps, InstanceSettings()), maps[0])


@pytest.mark.parametrize("n_pixels", [1, 5 * SIDE, 40 * SIDE])
def test_holes_of_nuclei_across_strips_are_filled(monkeypatch, n_pixels):
    monkeypatch.setattr(module, "PIXELS", n_pixels)
    maps = np.zeros((1, SIDE, SIDE), np.float32)
    maps[0, 10:150, 10:150] = 1
    maps[0, 40:60, 40:60] = 0  # a hole
    maps[0, 80:120, 80:120] = 0  # a gap: there is another nucleus in it
    maps[0, 95:105, 95:105] = 1
    labels = number_in_reading_order(grown(maps, InstanceSettings()))
    expected = np.zeros((SIDE, SIDE), np.int32)
    expected[10:150, 10:150] = 1
    expected[80:120, 80:120] = 0
    expected[95:105, 95:105] = 2
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("n_rows", [1, 3, 20, SIDE])
def test_every_piece_is_whole_in_one_strip(n_rows):
    pieces, n_pieces = ndimage.label(crowded_maps(2)[0] > 140)
    found = strips(pieces, n_rows)
    ids = [piece for strip in found for piece in range(strip.first, strip.last + 1)]
    assert ids == list(range(1, n_pieces + 1))
    for strip in found:
        assert strip.own(strip.part(pieces)).sum() == strip.own(pieces).sum()


def test_tables_are_those_of_numpy_for_more_pixels_than_a_part():
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(0, 900, (1, 700)), 900, axis=0).astype(np.int32)
    labels[:450, 3] = 1000
    table = rng.integers(0, 9, 1001).astype(np.int32)
    np.testing.assert_array_equal(looked_up(table, labels), table[labels])
    np.testing.assert_array_equal(counted(labels), np.bincount(labels.ravel()))
    ids, first = np.unique(labels, return_index=True)
    np.testing.assert_array_equal(first_pixels(labels), (ids[ids > 0], first[ids > 0]))


def test_nothing_has_no_strips_and_empty_tables():
    assert strips(np.zeros((4, 5), np.int32), 2) == []
    assert boxes(np.zeros((2, 4, 5), np.int32), 2)[1] == []
    assert counted(np.zeros((0, 5), np.int32)).tolist() == [0]
    assert looked_up(np.zeros(1, bool), np.zeros((0, 5), np.int32)).shape == (0, 5)
    assert all(len(it) == 0 for it in first_pixels(np.zeros((3, 0), np.int32)))
