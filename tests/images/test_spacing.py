from __future__ import annotations

import pytest

from napari_unet.images.spacing import anisotropy, scale_by_axis


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ({"Z": 2.0, "Y": 0.5}, None, 4.0),
        ({"Z": 500.0, "Y": 0.25}, {"Z": "nm", "Y": "um"}, 2.0),
        ({"Z": 2.0, "Y": 0.5}, {"Z": "micrometer", "Y": "um"}, 4.0),
        ({"Z": 2.0, "Y": 0.5}, {"Z": "pixel", "Y": "um"}, None),
        ({"Z": 2.0, "Y": 0.5}, {"Z": "pixel", "Y": "pixel"}, 4.0),
        ({"Y": 0.5}, None, None),
        ({}, {}, None),
    ],
)
def test_the_distance_of_planes_in_pixels(scale, units, expected):
    assert anisotropy(scale, units) == expected


def test_letters_of_any_case_are_axes_and_others_are_refused():
    assert scale_by_axis({"z": 2, "Y": 0.5}, "ZYX") == {"Z": 2, "Y": 0.5}
    with pytest.raises(
        ValueError, match=r"Expected voxel sizes of the axes .*, got one of 'DEPTH'"
    ):
        scale_by_axis({"depth": 2, "Y": 0.5}, "ZYX")


def test_sizes_are_named_by_axis():
    assert scale_by_axis((2, 0.5, 0.5), "ZYX") == {"Z": 2.0, "Y": 0.5, "X": 0.5}
    assert scale_by_axis((0.5, 0.5), "YXS") == {"Y": 0.5, "X": 0.5}
    assert scale_by_axis({"Z": 2.0}, "ZYX") == {"Z": 2.0}


def test_another_number_of_sizes_than_axes_is_refused():
    with pytest.raises(ValueError, match="one voxel size for each of the axes ZYX"):
        scale_by_axis((0.5, 0.5), "ZYX")


@pytest.mark.parametrize("scale", [{"Z": 0.0}, (float("nan"), 1.0)])
def test_sizes_that_are_none_are_refused(scale):
    with pytest.raises(ValueError, match="above 0"):
        scale_by_axis(scale, "YX")
