"""Sizes and forms against bodies with known ones, and against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops_table
from skimage.morphology import convex_hull_image

from napari_unet.nuclei.hulls import hull_size
from napari_unet.nuclei.measure import measure
from napari_unet.nuclei.shapes import number


def ellipse(half, turn=0.0, spacing=(1.0, 1.0), middle=(0.0, 0.0), reach=40):
    """Return a filled ellipse; half axes and middle in the unit of the spacing."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    y, x = y * spacing[0] - middle[0], x * spacing[1] - middle[1]
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return ((along / half[0]) ** 2 + (across / half[1]) ** 2 <= 1).astype(np.int32)


def ellipsoid(half, spacing):
    """Return a filled ellipsoid with half axes along z, y and x."""
    reach = [int(h / s) + 2 for h, s in zip(half, spacing, strict=True)]
    grid = np.mgrid[tuple(slice(-r, r + 1) for r in reach)]
    parts = [(g * s / h) ** 2 for g, s, h in zip(grid, spacing, half, strict=True)]
    return (sum(parts) <= 1).astype(np.int32)


@pytest.mark.parametrize("radius", [5, 10, 20])
def test_a_disc_is_measured(radius):
    row = measure(ellipse((radius, radius), middle=(0.3, 0.2))).iloc[0]
    assert row["area_px"] == pytest.approx(np.pi * radius**2, rel=0.03)
    assert row["equivalent_diameter_px"] == pytest.approx(2 * radius, rel=0.015)
    assert row["major_axis_px"] == pytest.approx(2 * radius, rel=0.02)
    assert row["minor_axis_px"] == pytest.approx(2 * radius, rel=0.02)
    assert row["perimeter_px"] == pytest.approx(2 * np.pi * radius, rel=0.03)
    assert row["eccentricity"] < 0.2
    assert row["solidity"] > 0.95


@pytest.mark.parametrize("spacing", [(0.1, 0.1), (0.2, 0.1)])
@pytest.mark.parametrize("turn", [0.0, 0.5, 1.3])
def test_a_turned_ellipse_is_measured_whatever_the_shape_of_the_pixels(turn, spacing):
    labels = ellipse((2.5, 1.5), turn, spacing)
    row = measure(labels, scale=spacing, units="um").iloc[0]
    assert row["area_um2"] == pytest.approx(np.pi * 2.5 * 1.5, rel=0.02)
    assert row["major_axis_um"] == pytest.approx(5, rel=0.01)
    assert row["minor_axis_um"] == pytest.approx(3, rel=0.02)
    assert row["eccentricity"] == pytest.approx(0.8, abs=0.01)
    assert row["perimeter_um"] == pytest.approx(12.763, rel=0.03)  # Ramanujan's formula


def test_perimeters_are_right_on_average():
    places = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 2))
    discs = [measure(ellipse((5, 5), middle=place, reach=8)) for place in places]
    found = [table["perimeter_px"][0] for table in discs]
    assert np.mean(found) == pytest.approx(10 * np.pi, rel=0.01)


def test_an_ellipsoid_in_flat_voxels_is_measured():
    spacing = (0.6, 0.2, 0.2)
    labels = ellipsoid((3.0, 4.0, 5.0), spacing)
    row = measure(labels, scale=spacing, units="um").iloc[0]
    assert row["volume_um3"] == pytest.approx(4 / 3 * np.pi * 60, rel=0.02)
    assert row["major_axis_um"] == pytest.approx(10, rel=0.01)
    assert row["middle_axis_um"] == pytest.approx(8, rel=0.01)
    assert row["minor_axis_um"] == pytest.approx(6, rel=0.025)  # 10 planes
    assert row["solidity"] > 0.87
    # Knud Thomsen's formula; the steps between voxels are 8 to 20 % of a smooth surface.
    p = 1.6075
    true = 4 * np.pi * ((12**p + 15**p + 20**p) / 3) ** (1 / p)
    assert 1.05 * true < row["surface_um2"] < 1.2 * true


@pytest.mark.parametrize("radius", [6, 10])
def test_the_surface_of_a_ball_is_a_tenth_too_much(radius):
    row = measure(ellipsoid((radius,) * 3, (1, 1, 1))).iloc[0]
    assert row["surface_px"] / (4 * np.pi * radius**2) == pytest.approx(1.095, abs=0.015)


def scattered(shape, n, seed):
    """Return labels of n random pieces, some of several parts."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for label in rng.permutation(np.arange(1, 3 * n, 3)):
        corner = [rng.integers(0, size - 5) for size in shape]
        box = tuple(slice(c, c + rng.integers(3, 6)) for c in corner)
        labels[box][rng.random(labels[box].shape) < 0.7] = label
    return labels


def test_planes_are_measured_as_scikit_image_does():
    labels = scattered((60, 70), 30, seed=1)
    mine = measure(labels, scale=(0.5, 0.5), units="um")
    image = np.random.default_rng(2).normal(1e6, 5, labels.shape)
    bright = measure(labels, image)
    names = {
        "label": "label",
        "area": "area_um2",
        "equivalent_diameter_area": "equivalent_diameter_um",
        "centroid-0": "centroid_y_um",
        "centroid-1": "centroid_x_um",
        "axis_major_length": "major_axis_um",
        "axis_minor_length": "minor_axis_um",
        "eccentricity": "eccentricity",
        "solidity": "solidity",
        "perimeter_crofton": "perimeter_um",
    }
    properties = {name.split("-")[0] for name in names}
    theirs = regionprops_table(labels, properties=sorted(properties), spacing=(0.5, 0.5))
    for name, column in names.items():
        np.testing.assert_allclose(mine[column], theirs[name], rtol=1e-6, atol=1e-6, err_msg=name)
    theirs = regionprops_table(labels, image, properties=("intensity_mean", "intensity_std"))
    for name, values in theirs.items():
        np.testing.assert_allclose(bright[name], values, rtol=1e-9)


def test_volumes_are_measured_as_scikit_image_does():
    labels = scattered((12, 30, 30), 12, seed=3)
    mine = measure(labels, scale=(2, 0.5, 0.5), units="um")
    names = {
        "area": "volume_um3",
        "axis_major_length": "major_axis_um",
        "axis_minor_length": "minor_axis_um",
        "centroid-0": "centroid_z_um",
        "solidity": "solidity",
    }
    properties = {name.split("-")[0] for name in names}
    theirs = regionprops_table(labels, properties=sorted(properties), spacing=(2, 0.5, 0.5))
    for name, column in names.items():
        np.testing.assert_allclose(mine[column], theirs[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("shape", [(1, 1), (7, 1), (1, 7), (6, 8), (3, 4, 5), (2, 6, 3)])
def test_hulls_have_the_pixels_that_those_of_scikit_image_have(shape):
    rng = np.random.default_rng(4)
    for share in (0.3, 0.6, 1.0):
        mask = rng.random(shape) <= share
        mask.flat[[0, -1]] = True
        assert hull_size(mask) == convex_hull_image(mask).sum()


def test_an_octahedron_is_its_own_hull():
    mask = np.abs(np.indices((11, 11, 11)) - 5).sum(axis=0) <= 5
    assert hull_size(mask) == mask.sum() == 231


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 3), (5, 1, 1)])
def test_what_is_flat_is_its_own_hull(shape):
    assert hull_size(np.ones(shape, bool)) == np.prod(shape)


@pytest.mark.parametrize("largest", [9, 2**31 - 1])
def test_labels_may_have_gaps_and_be_large(largest):
    numbered = number(np.array([[0, largest], [4, 4]], np.int64))
    assert numbered.ids.tolist() == [4, largest]
    assert numbered.pixels.tolist() == [[0, 2], [1, 1]]
