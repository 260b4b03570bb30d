"""The distance to the surface is that of SciPy to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unet.nuclei import depth as module
from napari_unet.nuclei.depth import depths


def pieces(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Pieces that touch the rim, beside each other and in each other's holes."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return ndimage.gaussian_filter(noise, [1.0] * (len(shape) - 2) + [2.5, 2.5]) > 0


def by_scipy(inside: np.ndarray, anisotropy: float) -> np.ndarray:
    spacing = (anisotropy,) * (inside.ndim - 2) + (1.0, 1.0)
    distance = ndimage.distance_transform_edt(inside, sampling=spacing).astype(np.float32)
    return ndimage.gaussian_filter(distance, [1 / step for step in spacing]) * inside


@pytest.mark.parametrize("n_voxels", [1, 1 << 20])
@pytest.mark.parametrize("anisotropy", [0.3, 1.0, 2.7, 10.0])
@pytest.mark.parametrize("shape", [(50, 61), (1, 40, 31), (9, 47, 40), (20, 1, 33), (6, 30, 1)])
def test_depths_are_those_of_scipy_whatever_the_rows(monkeypatch, shape, anisotropy, n_voxels):
    monkeypatch.setattr(module, "VOXELS", n_voxels)
    inside = pieces(shape)
    np.testing.assert_array_equal(depths(inside, anisotropy), by_scipy(inside, anisotropy))


def test_what_is_nearest_over_the_rows_next_to_it_is_found(monkeypatch):
    monkeypatch.setattr(module, "VOXELS", 1)
    inside = np.ones((3, 80, 60), bool)
    inside[1, 2, 30] = inside[2, 70, 5] = False
    np.testing.assert_array_equal(depths(inside, 2.5), by_scipy(inside, 2.5))


@pytest.mark.parametrize("inside", [np.ones((3, 12, 12), bool), np.zeros((3, 12, 12), bool)])
def test_without_a_surface_or_an_inside_it_is_what_scipy_says(inside):
    np.testing.assert_array_equal(depths(inside, 2.0), by_scipy(inside, 2.0))


def test_far_from_the_surface_scipy_is_asked(monkeypatch):
    inside = np.pad(np.ones((4, 21, 33), bool), ((0, 0), (0, 1), (0, 1)))
    asked = []
    by_scipy_itself = module._by_scipy
    monkeypatch.setattr(module, "_by_scipy", lambda *it: asked.append(1) or by_scipy_itself(*it))
    depths(inside)
    assert not asked
    monkeypatch.setattr(module, "FARTHEST", 5)
    np.testing.assert_array_equal(depths(inside, 2.0), by_scipy(inside, 2.0))
    assert asked
