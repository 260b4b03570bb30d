"""From maps to labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_unet.nuclei.confidence import confidence
from napari_unet.nuclei.instances import SEEDS, InstanceSettings, instances

ANY_SIZE = InstanceSettings(min_size=0)


def true_maps(labels: np.ndarray) -> np.ndarray:
    """Maps of a perfect network: inside, inner rim, and depth scaled to 0..1 per nucleus."""
    maps = np.zeros((3, *labels.shape), np.float32)
    for label in range(1, labels.max() + 1):
        own = labels == label
        depth = ndimage.distance_transform_edt(np.pad(own, 1))[(slice(1, -1),) * labels.ndim]
        maps[0] += own
        maps[1] += own & (depth <= 1)
        maps[2] += depth / depth.max()
    return maps


def balls(*centres: tuple[int, ...], shape: tuple[int, ...], radius: float) -> np.ndarray:
    """Labels of balls; each pixel belongs to the nearest."""
    grid = np.indices(shape)
    distances = np.stack(
        [np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, p, strict=True))) for p in centres]
    )
    return np.where(distances.min(0) <= radius, distances.argmin(0) + 1, 0).astype(np.int32)


TOUCHING = balls((10, 10), (10, 19), (26, 20), shape=(36, 32), radius=6)
STACKED = balls((8, 10, 10), (8, 10, 21), (19, 10, 10), shape=(28, 22, 32), radius=6)


@pytest.mark.parametrize("seeds", ["both", "distance", "border"])
def test_touching_nuclei_come_apart_and_keep_their_outlines(seeds):
    labels = instances(true_maps(TOUCHING), InstanceSettings(seeds=seeds))
    assert np.array_equal(labels, TOUCHING)
    assert labels.dtype == np.int32


def test_without_seeds_touching_nuclei_are_one():
    labels = instances(true_maps(TOUCHING), InstanceSettings(seeds="none"))
    assert np.array_equal(labels, np.array([0, 1, 1, 2])[TOUCHING])


def test_volumes_take_the_same_path():
    assert np.array_equal(instances(true_maps(STACKED)), STACKED)


def plane_maps(labels: np.ndarray) -> np.ndarray:
    """Maps of a perfect network that sees one plane at a time."""
    return np.stack([true_plane(plane) for plane in labels], axis=1)


def true_plane(labels: np.ndarray) -> np.ndarray:
    _, numbers = np.unique(np.append(labels, 0), return_inverse=True)
    return true_maps(numbers[:-1].reshape(labels.shape))


def test_nuclei_above_each_other_come_apart_at_their_neck():
    stacked = balls((7, 9, 9), (18, 9, 9), shape=(26, 19, 19), radius=6)
    maps = plane_maps(stacked)
    assert instances(maps, InstanceSettings(neck=0)).max() == 1
    labels = instances(maps)
    assert labels.max() == 2
    assert np.mean(labels == stacked) > 0.99


def test_a_ball_in_thick_planes_is_one_nucleus():
    ball = balls((16, 16, 16), shape=(33, 33, 33), radius=12)[1::4]
    assert np.array_equal(instances(plane_maps(ball), anisotropy=4.0), ball)


def test_bytes_and_half_floats_give_the_same_labels():
    maps = true_maps(TOUCHING)
    as_bytes = np.round(maps * 255).astype(np.uint8)
    assert np.array_equal(instances(maps.astype(np.float16)), TOUCHING)
    assert np.array_equal(instances(as_bytes), TOUCHING)


def test_a_nucleus_without_a_core_is_not_lost():
    nucleus = np.zeros((8, 12), np.float32)
    nucleus[2:4, 1:11] = 1
    maps = np.stack([nucleus, nucleus, nucleus * 0.4])
    assert np.array_equal(instances(maps), nucleus)


def test_what_is_not_sure_as_a_whole_is_left_out():
    maps = np.zeros((3, 8, 20), np.float32)
    maps[0, 2:6, 1:7], maps[0, 2:6, 9:15] = 0.6, 0.9
    maps[2, 2:6, 1:7], maps[2, 2:6, 9:15] = 0.4, 0.4
    assert np.array_equal(instances(maps), maps[0] == np.float32(0.9))
    assert instances(maps, InstanceSettings(threshold=0.4)).max() == 2
    assert instances(maps, InstanceSettings(seeds="none")).max() == 2


def test_a_speck_of_core_does_not_split_a_nucleus():
    maps = np.zeros((3, 7, 14), np.float32)
    maps[0, 1:6, 1:13] = 1
    maps[2, 2:5, 2:6] = 1
    maps[2, 2, 9:12] = 1
    assert instances(maps).max() == 1
    assert instances(maps, InstanceSettings(min_seed=3)).max() == 2


def test_holes_are_filled_but_not_the_gap_between_nuclei():
    nucleus = np.zeros((3, 9, 19), np.float32)
    nucleus[0, 1:8, 1:8] = 1
    nucleus[0, 4, 4] = 0
    nucleus[0, 1:8, 10:18] = 1
    nucleus[0, 4, 13:15] = 0
    nucleus[1, :, 13:15] = 1
    nucleus[2] = nucleus[0]
    labels = instances(nucleus)
    assert labels.max() == 3
    assert labels[4, 4] == 1
    assert labels[4, 13:15].tolist() == [0, 0]
    assert instances(nucleus, InstanceSettings(fill_holes=False))[4, 4] == 0


def test_a_hole_in_a_volume_of_one_plane_is_filled():
    nucleus = np.zeros((3, 1, 9, 9), np.float32)
    nucleus[:, 0, 1:8, 1:8] = 1
    nucleus[:, 0, 4, 4] = 0
    assert np.count_nonzero(instances(nucleus)) == 49


def squares(*sizes: int) -> np.ndarray:
    maps = np.zeros((3, max(sizes) + 2, sum(sizes) + len(sizes) + 1), np.float32)
    x = 1
    for size in sizes:
        maps[[0, 2], 1 : 1 + size, x : x + size] = 1
        x += size + 1
    return maps


@pytest.mark.parametrize(
    ("limits", "areas"),
    [
        ({}, [16, 25]),
        ({"min_size": 4}, [4, 16, 25]),
        ({"min_size": 16, "max_size": 16}, [16]),
        ({"min_size": 26}, []),
    ],
)
def test_sizes_outside_the_limits_are_dropped(limits, areas):
    labels = instances(squares(2, 4, 5), InstanceSettings(**limits))
    assert np.bincount(labels.ravel())[1:].tolist() == areas


def test_nuclei_on_the_rim_are_dropped_on_request():
    maps = squares(4, 4)[:, 1:]
    assert instances(maps).max() == 2
    assert instances(maps, InstanceSettings(drop_rim=True)).max() == 0


def test_the_first_and_last_plane_are_no_rim():
    maps = np.stack([squares(4), squares(4)], axis=1)
    settings = InstanceSettings(drop_rim=True, min_size=0)
    assert instances(maps, settings).max() == 1


def test_labels_count_in_reading_order():
    maps = np.zeros((3, 10, 12), np.float32)
    maps[0, 5:9, 0:4] = maps[0, 2:6, 5:8] = maps[0, 1:5, 9:12] = 1
    maps[2] = maps[0]
    labels = instances(maps)
    assert [labels[1, 9], labels[2, 5], labels[5, 0]] == [1, 2, 3]


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (0, 5), (5, 0), (3, 8, 8), (0, 8, 8), (1, 1, 1)])
def test_no_nucleus_is_a_valid_result(shape):
    labels = instances(np.zeros((3, *shape), np.float32))
    assert labels.shape == shape
    assert labels.dtype == np.int32
    assert not labels.any()


@pytest.mark.parametrize("shape", [(8, 8), (4, 8, 8)])
def test_maps_of_one_or_of_nan_everywhere_are_safe(shape):
    assert np.all(instances(np.ones((3, *shape), np.float32), ANY_SIZE) == 1)
    assert not instances(np.full((3, *shape), np.nan, np.float32)).any()


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("shape", [(3, 9, 11), (3, 4, 6, 7)])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_label_is_one_piece_of_the_thresholded_map(seeds, shape, data):
    maps = data.draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 60, 130, 200, 255])))
    chosen = InstanceSettings(seeds=seeds, min_seed=1, min_size=0, fill_holes=False)
    labels = instances(maps, chosen, anisotropy=2.0)
    if seeds in ("none", "border"):
        assert np.array_equal(labels > 0, maps[0] > 127.5)
    else:
        assert np.all(maps[0][labels > 0] > 127.5)
        assert np.all(confidence(maps, labels)[1:] > 0.5)
    assert all(ndimage.label(labels == k)[1] == 1 for k in range(1, labels.max() + 1))
    _, first = np.unique(labels[labels > 0], return_index=True)
    assert np.all(np.diff(first) > 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"seed_distance": -0.1},
        {"border": 2},
        {"neck": 1.1},
        {"min_size": -1},
        {"min_seed": -1},
        {"min_size": 9, "max_size": 8},
        {"seeds": "watershed"},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"Expected {list(wrong)[-1]} to be"):
        InstanceSettings(**wrong)


@pytest.mark.parametrize(
    ("maps", "anisotropy", "reason"),
    [
        (np.zeros((4, 4, 4)), 1.0, r"got \(4, 4, 4\)"),
        (np.zeros((4, 4)), 1.0, r"got \(4, 4\)"),
        (np.zeros((3, 4, 4), np.int32), 1.0, "got int32"),
        (np.zeros((3, 4, 4)), 0.0, "anisotropy above 0, got 0.0"),
        (np.zeros((3, 4, 4)), float("nan"), "anisotropy above 0, got nan"),
    ],
)
def test_maps_that_are_no_maps_are_refused(maps, anisotropy, reason):
    with pytest.raises(ValueError, match=reason):
        instances(maps, anisotropy=anisotropy)


def test_without_a_distance_map_the_border_makes_the_seeds() -> None:
    nucleus = np.array([[0, 1, 1, 1, 1, 1, 1, 1, 0]] * 5, np.float32)
    border = np.array([[0, 0, 0, 0, 1, 0, 0, 0, 0]] * 5, np.float32)
    maps = np.stack([nucleus, border])
    split = instances(maps, InstanceSettings(min_size=5))
    assert split[0, [1, 3, 5, 7]].tolist() == [1, 1, 2, 2]
    assert instances(maps, InstanceSettings(seeds="none")).max() == 1
    np.testing.assert_allclose(confidence(maps, split)[1:], 1.0)
