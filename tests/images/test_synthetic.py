"""Synthetic nuclei and their true labels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_unet.images.synthetic import (
    SyntheticSettings,
    nuclei_field,
    nuclei_movie,
    nuclei_stack,
)


def n_pieces(mask: np.ndarray) -> int:
    return int(ndi.label(mask)[1])


@pytest.mark.parametrize(
    ("make", "shape"),
    [(nuclei_field, (96, 80)), (nuclei_stack, (12, 64, 60)), (nuclei_movie, (4, 80, 72))],
)
class TestEveryGenerator:
    def test_gives_image_and_labels_of_the_shape_asked_for(self, make, shape):
        image, labels = make(shape, n=8)
        assert image.shape == labels.shape == shape
        assert image.dtype == np.uint16
        assert labels.dtype == np.int32

    def test_labels_count_from_one_without_gaps(self, make, shape):
        labels = make(shape, n=8)[1]
        assert np.unique(labels).tolist() == list(range(labels.max() + 1))

    def test_same_seed_gives_the_same_picture_and_another_seed_does_not(self, make, shape):
        first, again, other = (make(shape, n=5, seed=seed)[0] for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_no_nuclei_is_a_dark_picture(self, make, shape):
        image, labels = make(shape, n=0)
        assert not labels.any()
        assert image.max() < make(shape, n=8)[0].max()


@pytest.mark.parametrize("make", [nuclei_field, nuclei_stack])
def test_each_label_is_one_connected_piece(make):
    labels = make(seed=5)[1]
    assert labels.max() > 20
    for label, box in enumerate(ndi.find_objects(labels), start=1):
        assert n_pieces(labels[box] == label) == 1


def test_nuclei_have_the_diameter_asked_for():
    labels = nuclei_field((256, 256), n=30, diameter=24.0)[1]
    areas = np.bincount(labels.ravel())[1:]
    assert np.median(np.sqrt(4 * areas / np.pi)) == pytest.approx(24, rel=0.15)


def test_nuclei_are_brighter_than_the_background():
    image, labels = nuclei_field()
    assert image[labels > 0].mean() > 2 * image[labels == 0].mean()


def test_touching_nuclei_can_be_asked_for_and_refused():
    def touching(fraction: float) -> int:
        settings = SyntheticSettings(touching=fraction)
        labels = nuclei_field(n=30, settings=settings)[1]
        return int(labels.max()) - n_pieces(labels > 0)

    assert touching(0.0) <= 2
    assert touching(1.0) > 10


def test_fewer_nuclei_are_placed_where_there_is_no_room():
    labels = nuclei_field((32, 32), n=100)[1]
    assert 1 <= labels.max() < 20


def test_planes_farther_apart_cut_a_nucleus_less_often():
    def n_planes(anisotropy: float) -> int:
        stack = nuclei_stack((40, 64, 64), n=1, anisotropy=anisotropy, seed=2)[1]
        return int(stack.any(axis=(1, 2)).sum())

    assert n_planes(1.0) > 2 * n_planes(4.0) > 0


def test_a_label_follows_its_nucleus_through_the_movie():
    labels = nuclei_movie(n=6, settings=SyntheticSettings(dividing=0.0))[1]
    for before, after in pairwise(labels):
        for label in np.intersect1d(before, after)[1:]:
            steps = np.subtract(
                ndi.center_of_mass(before == label), ndi.center_of_mass(after == label)
            )
            assert np.linalg.norm(steps) < 9


def test_a_dividing_nucleus_ends_and_two_new_labels_begin():
    labels = nuclei_movie((6, 96, 96), n=1, seed=3, settings=SyntheticSettings(dividing=1.0))[1]
    present = [set(np.unique(frame)) - {0} for frame in labels]
    assert present[0] == {1}
    assert present[-1] == {2, 3}
    assert all(labels_now in ({1}, {2, 3}) for labels_now in present)


def test_light_fades_with_depth_where_it_is_asked_to():
    def brightness(fading: float) -> list[float]:
        settings = SyntheticSettings(fading=fading, touching=0.0)
        image, labels = nuclei_stack((24, 96, 96), n=40, settings=settings)
        return [float(image[z][labels[z] > 0].mean()) for z in (3, 20)]

    above, below = brightness(0.0)
    assert below == pytest.approx(above, rel=0.25)
    above, below = brightness(0.9)
    assert below < 0.5 * above


def test_an_elongated_point_spread_blurs_along_z_alone():
    def spread(elongation: float) -> float:
        settings = SyntheticSettings(elongation=elongation, touching=0.0)
        image, labels = nuclei_stack((40, 64, 64), n=1, anisotropy=1.0, seed=2, settings=settings)
        z, y, x = (int(np.mean(where)) for where in np.nonzero(labels))
        bright = image[:, y, x] > image[z, y, x] / 2
        return np.count_nonzero(bright) / np.count_nonzero(labels[:, y, x])

    assert spread(8.0) > spread(1.0)
