"""Axes: parsing, guessing and the walk over planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.images.axes import guess_axes, label_axes, label_shape, parse_axes, planes


@pytest.mark.parametrize("text", ["ZYX", "zyx", " z, y, x "])
def test_case_spaces_and_commas_do_not_matter(text):
    assert parse_axes(text, (5, 8, 8)) == "ZYX"


@pytest.mark.parametrize(
    ("text", "shape", "sentence"),
    [
        ("YX", (5, 8, 8), "3 dimensions"),
        ("QYX", (5, 8, 8), "'Q'"),
        ("YYX", (5, 8, 8), "more than once"),
        ("ZX", (8, 8), "Y and X"),
        ("XY", (8, 8), "Y before X"),
        ("", (), "Y and X"),
        ("SYX", (3, 8, 8), "last place"),
        ("YXS", (8, 8, 2), "got 2"),
    ],
)
def test_axes_that_do_not_fit_are_refused_in_one_sentence(text, shape, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        parse_axes(text, shape)
    assert str(refusal.value).startswith("Expected")
    assert str(refusal.value).count(". ") == 0


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((64, 64), "YX"),
        ((3, 3), "YX"),
        ((24, 64, 64), "ZYX"),
        ((3, 64, 64), "CYX"),
        ((1, 64, 64), "ZYX"),
        ((3, 5, 5), "ZYX"),
        ((3, 24, 64), "CYX"),
        ((3, 23, 64), "ZYX"),
        ((3, 64, 23), "ZYX"),
        ((4, 64, 64), "CYX"),
        ((5, 64, 64), "ZYX"),
        ((64, 64, 3), "YXS"),
        ((64, 64, 4), "YXS"),
        ((64, 64, 5), "ZYX"),
        ((24, 64, 3), "YXS"),
        ((23, 64, 3), "ZYX"),
        ((64, 23, 3), "ZYX"),
        ((10, 24, 64, 64), "TZYX"),
        ((24, 2, 64, 64), "ZCYX"),
        ((2, 24, 64, 64), "CZYX"),
        ((2, 2, 64, 64), "TZYX"),
        ((9, 64, 64, 3), "ZYXS"),
        ((10, 24, 2, 64, 64), "TZCYX"),
        ((10, 2, 24, 64, 64), "TCZYX"),
    ],
)
def test_shape_alone_gives_the_usual_axes(shape, axes):
    assert guess_axes(shape) == axes


def test_rgb_makes_the_last_axis_colour_even_of_a_tiny_image():
    assert guess_axes((5, 5, 3), rgb=True) == "YXS"


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("t", "y", "x"), "TYX"),
        (("Time", "Row", "Column"), "TYX"),
        (("channel", "y", "x"), "CYX"),
        (("-3", "-2", "-1"), "ZYX"),
        (("sample position", "y", "x"), "ZYX"),
        (("t", "x", "y"), "ZYX"),
        (("y", "x"), "ZYX"),
        ((), "ZYX"),
    ],
)
def test_known_names_win_over_the_shape(names, axes):
    assert guess_axes((12, 64, 64), axis_labels=names) == axes


def test_names_of_a_colour_image_may_leave_colour_out():
    assert guess_axes((9, 64, 64, 3), rgb=True, axis_labels=("t", "y", "x")) == "TYXS"


def test_names_that_deny_rgb_lose():
    assert guess_axes((64, 64, 3), rgb=True, axis_labels=("z", "y", "x")) == "YXS"


@pytest.mark.parametrize("shape", [(5,), (2, 2, 2, 2, 2, 2)])
def test_too_few_or_too_many_axes_are_refused(shape):
    with pytest.raises(ValueError, match="2 to 5 axes"):
        guess_axes(shape)


def test_planes_walk_time_and_depth_in_their_own_order():
    positions = [plane.position for plane in planes("ZTYX", (2, 2, 4, 4))]
    assert positions == [
        (("Z", 0), ("T", 0)),
        (("Z", 0), ("T", 1)),
        (("Z", 1), ("T", 0)),
        (("Z", 1), ("T", 1)),
    ]


def test_a_single_plane_is_the_whole_image():
    (plane,) = planes("YX", (4, 5))
    assert np.zeros((4, 5))[plane.read].shape == (4, 5)
    assert plane.position == ()


@pytest.mark.parametrize(("channel", "expected"), [(None, 0), (0, 0), (2, 2)])
def test_the_chosen_channel_is_read(channel, expected):
    image = np.arange(3)[:, None, None] * np.ones((3, 4, 5), int)
    (plane,) = planes("CYX", image.shape, channel)
    assert np.unique(image[plane.read]) == [expected]


@pytest.mark.parametrize("channel", [3, -1])
def test_a_channel_that_does_not_exist_is_refused_at_once(channel):
    with pytest.raises(ValueError, match="from 0 to 2"):
        planes("CYX", (3, 4, 5), channel)


def test_a_channel_without_channel_axis_is_refused():
    with pytest.raises(ValueError, match="no channel"):
        planes("ZYX", (3, 4, 5), 0)


def test_an_axis_without_entries_has_no_planes():
    assert list(planes("ZYX", (0, 4, 5))) == []


def test_label_axes_and_shape_leave_out_channel_and_colour():
    assert label_axes("TCYXS") == "TYX"
    assert label_shape("TCYXS", (7, 2, 4, 5, 3)) == (7, 4, 5)


@given(st.permutations("TZC"), st.booleans(), st.lists(st.integers(1, 3), min_size=3, max_size=3))
def test_every_pixel_of_the_labels_is_written_once(outer, colour, lengths):
    axes = "".join(outer) + ("YXS" if colour else "YX")
    image = np.zeros((*lengths, 4, 5, 3) if colour else (*lengths, 4, 5))
    written = np.zeros(label_shape(axes, image.shape), int)
    for plane in planes(axes, image.shape):
        assert image[plane.read].shape[:2] == written[plane.write].shape == (4, 5)
        written[plane.write] += 1
    assert (written == 1).all()
