"""Planes of a run as they are finished."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_unet.filling import (
    PlaneFound,
    alone_in_planes,
    finished_part,
    finished_ranges,
    segment_from,
)
from napari_unet.images.synthetic import nuclei_movie
from napari_unet.segmentation import Progress, SegmentSettings, finish, segment

COUNTS = {"ZYX": (5,), "TYX": (5,), "TZYX": (3, 2), "ZTYX": (3, 2), "ZCYX": (5,)}
SHAPES = {"ZYX": (5, 40, 50), "TYX": (5, 40, 50), "TZYX": (3, 2, 40, 50), "ZTYX": (2, 3, 40, 50)}
SHAPES["ZCYX"] = (5, 2, 40, 50)


def bright(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """A network that sees nuclei where it is bright, sure of every core."""
    nucleus = (pixels.max(axis=0) > 0.5).astype(np.float32)
    return np.stack([nucleus, np.zeros_like(nucleus), nucleus])


def moving_squares(axes: str) -> NDArray[np.uint8]:
    """Two bright squares in every plane and channel, and one that is in every second plane."""
    image = np.zeros(SHAPES[axes], np.uint8)
    image[..., 5:15, 5:15] = 200
    image[..., 20:32, 30:42] = 150
    image[::2, ..., 30:38, 5:13] = 150
    return image


def settings_of(link: str, **more: Any) -> SegmentSettings:
    return SegmentSettings(
        diameter=12.0,
        model_diameter=12.0,
        anisotropy=1.0,
        tile=64,
        overlap=16,
        link=link,
        **more,
    )


def order_of(steps: list[Progress]) -> list[tuple[int, ...]]:
    return [step.place for step in steps if isinstance(step, PlaneFound)]


@pytest.mark.parametrize("axes", COUNTS)
@pytest.mark.parametrize("link", ["none", "overlap", "volume"])
def test_labels_are_those_of_the_plain_walk_whatever_comes_first(axes: str, link: str) -> None:
    image, settings = moving_squares(axes), settings_of(link)
    expected = finish(segment(image, axes, bright, settings))
    first = tuple(n - 1 for n in COUNTS[axes])
    steps: list[Progress] = []
    found = finish(segment_from(first, image, axes, bright, settings), steps.append)
    assert expected.labels.max() > 1
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.maps, expected.maps)
    assert order_of(steps)[0] == first
    assert sorted(order_of(steps)) == list(np.ndindex(COUNTS[axes]))


def test_the_nearest_planes_and_frames_come_next() -> None:
    steps: list[Progress] = []
    walk = segment_from((3,), moving_squares("ZYX"), "ZYX", bright, settings_of("overlap"))
    finish(walk, steps.append)
    assert order_of(steps) == [(3,), (2,), (4,), (1,), (0,)]
    steps.clear()
    walk = segment_from((1, 1), moving_squares("ZTYX"), "ZTYX", bright, settings_of("auto"))
    finish(walk, steps.append)
    assert order_of(steps) == [(1, 1), (1, 0), (0, 1), (0, 0), (2, 1), (2, 0)]


def test_a_plane_comes_as_soon_as_the_network_has_seen_it() -> None:
    seen = 0

    def counting(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal seen
        seen += 1
        return bright(pixels)

    image = moving_squares("ZYX")
    counts = []
    for step in segment_from((2,), image, "ZYX", counting, settings_of("volume")):
        if isinstance(step, PlaneFound):
            counts.append(seen)
            assert step.labels.max() == 2 + (step.place[0] % 2 == 0)
    assert counts == [1, 2, 3, 4, 5]


def test_views_from_the_sides_change_the_planes_that_were_shown_before() -> None:
    image = nuclei_movie((16, 40, 50), n=4, seed=1)[0]
    settings = settings_of("none", views="three")
    expected = finish(segment(image, "ZYX", bright, settings)).labels
    found = finish(segment_from((8,), image, "ZYX", bright, settings)).labels
    np.testing.assert_array_equal(found, expected)


def until_planes(steps: Generator[Progress, None, object], n: int) -> list[PlaneFound]:
    """Stop a walk after some planes, and return these."""
    planes: list[PlaneFound] = []
    while len(planes) < n:
        step = next(steps)
        if isinstance(step, PlaneFound):
            planes.append(step)
    return planes


@pytest.mark.parametrize("link", ["overlap", "auto"])
def test_what_is_finished_is_what_a_run_of_that_part_alone_makes(link: str) -> None:
    image, settings = moving_squares("ZCYX"), settings_of(link)
    planes = until_planes(segment_from((3,), image, "ZCYX", bright, settings), 3)
    part = finished_part(planes, "ZCYX", (5,))
    assert part.ranges == {"Z": range(2, 5)}
    alone = alone_in_planes(settings, "ZCYX")
    expected = finish(segment(image[2:5], "ZCYX", bright, alone))
    assert expected.labels.max() == 8
    np.testing.assert_array_equal(part.labels, expected.labels)
    np.testing.assert_array_equal(part.maps, expected.maps)


def test_the_axes_of_what_is_finished_are_those_of_the_image() -> None:
    image = moving_squares("ZTYX")
    planes = until_planes(segment_from((1, 0), image, "ZTYX", bright, settings_of("none")), 5)
    part = finished_part(planes, "ZTYX", (3, 2))
    assert part.ranges == {"T": range(2), "Z": range(2)}
    assert part.labels.shape == (2, 2, 40, 50)
    expected = finish(segment(image[:, :2], "ZTYX", bright, settings_of("none")))
    np.testing.assert_array_equal(part.labels > 0, expected.labels > 0)
    assert part.labels.max() == expected.labels.max()


@pytest.mark.parametrize(("axes", "diameter"), [("YX", 12.0), ("ZYX", 12.0), ("ZYX", 15.0)])
def test_a_plane_is_found_row_by_row(axes: str, diameter: float) -> None:
    image = nuclei_movie((1, 230, 90), n=40, seed=2)[0].reshape((1, 230, 90)[-len(axes) :])
    settings = replace(settings_of("none"), diameter=diameter)
    expected = finish(segment(image, axes, bright, settings))
    steps: list[Progress] = []
    found = finish(
        segment_from((0,) * (len(axes) - 2), image, axes, bright, settings), steps.append
    )
    assert expected.labels.max() > 10
    np.testing.assert_array_equal(found.labels, expected.labels)
    rows = [step for step in steps if isinstance(step, PlaneFound)]
    assert len(rows) > 3
    assert len(rows[-1].labels) == 230
    for earlier, later in pairwise(rows):
        assert len(earlier.labels) < len(later.labels)
        # What is found stays, and what is new lies where it is said.
        unchanged = slice(0, later.new.start)
        np.testing.assert_array_equal(earlier.labels[unchanged], later.labels[unchanged])


def test_the_finished_rows_of_a_plane_are_what_a_run_of_them_alone_makes() -> None:
    image = moving_squares("ZYX")[:1].repeat(4, axis=1)[:, :150]
    (rows,) = until_planes(segment_from((0,), image, "ZYX", bright, settings_of("none")), 1)
    part = finished_part([rows], "ZYX", (1,))
    n_rows = len(part.ranges["Y"])
    assert part.ranges == {"Y": range(n_rows)}
    assert 20 < n_rows < 100
    alone = finish(segment(image[:, :n_rows], "ZYX", bright, settings_of("none")))
    assert alone.labels[0, -1].any()  # one is cut
    np.testing.assert_array_equal(part.labels, alone.labels)
    assert part.maps.shape == (3, 1, n_rows, 50)


def test_before_a_frame_is_whole_its_planes_are_finished() -> None:
    assert finished_ranges([(1, 2), (1, 1)], (3, 4)) == (range(1, 2), range(1, 3))
