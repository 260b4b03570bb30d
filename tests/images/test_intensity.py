"""Intensities of every type in a known range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_unet.images.intensity import Normalisation, drop_alpha, limits, normalise, to_rgb

REAL_TYPES = ["?", "u1", "i1", "u2", ">u2", "i4", "u8", "i8", "f2", "f4", ">f8"]


def test_limits_are_the_percentiles():
    assert limits(np.arange(1001), Normalisation(low=10, high=90)) == (100.0, 900.0)


def test_limits_leave_out_nan_and_infinity():
    pixels = np.array([np.nan, -np.inf, 2, 4, np.inf], np.float32)
    assert limits(pixels, Normalisation(low=0, high=100)) == (2.0, 4.0)


@pytest.mark.parametrize(
    ("pixels", "bounds"),
    [
        (np.zeros((0, 5)), (0.0, 1.0)),
        (np.full((4, 4), np.nan), (0.0, 1.0)),
        (np.eye(4, dtype=bool), (0.0, 1.0)),
        (np.zeros((4, 4), bool), (0.0, 1.0)),
        (np.full((4, 4), 7, np.uint8), (7.0, 14.0)),
    ],
)
def test_limits_are_safe_where_there_is_no_range(pixels, bounds):
    assert limits(pixels) == bounds


@pytest.mark.parametrize(
    ("kind", "highest"), [("u1", 255), ("i2", 32767), ("u2", 65535), ("f4", 1), ("?", 1)]
)
def test_limits_of_a_type_are_those_that_it_can_hold(kind, highest):
    assert limits(np.array([3, 7], kind), Normalisation(per="type")) == (0.0, highest)


def test_few_bright_pixels_on_an_even_background_set_the_limits():
    pixels = np.full((100, 100), 10, np.uint16)
    pixels[0, :5] = 90
    assert limits(pixels) == (10.0, 90.0)


def test_limits_of_a_large_array_come_from_a_regular_sample():
    ramp = np.broadcast_to(np.arange(3000, dtype=np.uint16), (3000, 3000))
    low, high = limits(ramp, Normalisation(low=10, high=90))
    assert low == pytest.approx(300, abs=5)
    assert high == pytest.approx(2700, abs=5)


def test_limits_become_zero_and_one():
    assert normalise(np.array([5, 10, 15]), (5, 15)).tolist() == [0, 0.5, 1]


def test_values_are_clipped_to_zero_and_the_ceiling():
    assert normalise(np.array([-100, 100]), (0, 10), ceiling=2).tolist() == [0, 2]


def test_nan_and_infinities_get_finite_values():
    pixels = np.array([np.nan, np.inf, -np.inf, 1])
    assert normalise(pixels, (0, 2)).tolist() == [0, 4, 0, 0.5]


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_plane_becomes_zero(value):
    pixels = np.full((3, 3), value, np.uint16)
    assert normalise(pixels, limits(pixels)).tolist() == np.zeros((3, 3)).tolist()


def test_equal_bounds_give_zeros():
    assert normalise(np.array([1, 2]), (2, 2)).tolist() == [0, 0]


def test_extreme_integers_do_not_overflow():
    pixels = np.array([np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max])
    bounds = limits(pixels, Normalisation(low=0, high=100))
    assert normalise(pixels, bounds).tolist() == [0, 0.5, 1]


def test_faint_differences_on_a_large_offset_survive():
    pixels = np.array([2**30, 2**30 + 1, 2**30 + 2], np.uint32)
    assert normalise(pixels, (2**30, 2**30 + 2)).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("dtype", REAL_TYPES)
def test_every_real_type_and_byte_order_is_taken(dtype):
    pixels = np.array([[0, 1], [1, 0]]).astype(dtype)
    result = normalise(pixels, limits(pixels))
    assert result.dtype == np.float32
    assert result.tolist()[0][0] == 0
    assert result[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("dtype", ["c8", "O", "U1"])
def test_other_types_are_refused(dtype):
    pixels = np.zeros((2, 2)).astype(dtype)
    with pytest.raises(TypeError, match="Expected boolean, integer or float"):
        normalise(pixels, (0, 1))
    with pytest.raises(TypeError, match="Expected boolean, integer or float"):
        limits(pixels)


@example(np.array([8.98846567e307]))
@given(hnp.arrays(st.sampled_from(REAL_TYPES), hnp.array_shapes(max_dims=3, max_side=6)))
def test_any_image_ends_in_the_known_range(pixels):
    result = normalise(pixels, limits(pixels))
    assert result.shape == pixels.shape
    assert ((result >= 0) & (result <= 4)).all()


@pytest.mark.parametrize(
    "wrong", [{"low": 99.9}, {"high": 101}, {"low": float("nan")}, {"per": "row"}, {"ceiling": 0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        Normalisation(**wrong)


def test_grey_is_repeated_three_times():
    plane = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert to_rgb(plane).tolist() == [plane.tolist()] * 3


@pytest.mark.parametrize("n_samples", [3, 4])
def test_colours_come_first_without_alpha(n_samples):
    plane = np.arange(2 * 5 * n_samples, dtype=np.float32).reshape(2, 5, n_samples)
    result = to_rgb(plane)
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, plane[..., :3].transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(5,), (4, 5, 2), (2, 4, 5, 3)])
def test_what_is_no_plane_is_refused(shape):
    with pytest.raises(ValueError, match="Expected a plane"):
        to_rgb(np.zeros(shape, np.float32))


def test_alpha_is_dropped_only_from_colour_axes():
    pixels = np.zeros((2, 4, 4))
    assert drop_alpha(pixels, "YXS").shape == (2, 4, 3)
    assert drop_alpha(pixels, "ZYX").shape == (2, 4, 4)
