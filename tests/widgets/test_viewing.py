"""What a network makes of the view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_unet.network.library import load_model
from napari_unet.segmentation import SegmentSettings, finish, segment
from napari_unet.widgets import viewing
from napari_unet.widgets.corrections import Edited
from napari_unet.widgets.messages import LearnRequest
from napari_unet.widgets.viewing import MOST_OF_THE_TIME, Viewing


def bright_squares() -> np.ndarray:
    pixels = np.zeros((64, 80), np.uint8)
    pixels[5:20, 5:20], pixels[30:45, 40:60] = 200, 200
    return pixels


@pytest.fixture
def view(bright_model: Any) -> Callable[..., Any]:
    """Label a place of an image in which the model sees bright squares."""
    model = load_model(bright_model, "cpu")

    def label(pixels: Any, axes: str, place: Any, **changes: Any) -> Any:
        shape = [n for n, axis in zip(pixels.shape, axes, strict=True) if axis not in "CS"]
        nothing = np.zeros(shape, np.int32)
        edited = Edited(nothing, nothing, (), 20.0)
        request = LearnRequest(pixels, axes, None, edited, "", "", "cpu", "", 1.0)
        seeing = Viewing(replace(request, **changes), model.card)
        return seeing.sight(model.network, place)

    return label


def test_a_whole_view_is_labelled_as_segmenting_does(view: Any, bright_model: Any) -> None:
    pixels = bright_squares()
    model = load_model(bright_model, "cpu")
    walk = segment(pixels, "YX", model.predict, SegmentSettings(diameter=20.0, model_diameter=20.0))
    sight = view(pixels, "YX", np.s_[0:64, 0:80])
    np.testing.assert_array_equal(sight.labels, finish(walk).labels)
    assert sight.labels.max() == 2


def test_a_dark_corner_stays_empty(view: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 20, (64, 80), np.uint8)
    pixels = np.maximum(bright_squares(), noise)
    assert view(pixels, "YX", np.s_[46:64, 0:40]).labels.max() == 0


@pytest.mark.parametrize(
    ("axes", "place", "channel"),
    [
        ("ZYX", np.s_[1:2, 0:30, 0:30], None),
        ("ZCYX", np.s_[1:2, 0:1, 0:30, 0:30], 1),
        ("CZYX", np.s_[1:2, 0:30, 0:30], 1),
        ("YXS", np.s_[0:30, 0:30], None),
    ],
)
def test_the_shown_plane_and_the_segmented_channel_are_labelled(
    view: Any, axes: str, place: Any, channel: int | None
) -> None:
    shape = {"Z": 3, "C": 2, "S": 3, "Y": 64, "X": 80}
    pixels = np.zeros([shape[axis] for axis in axes], np.uint8)
    index = {"Z": 1, "C": 1, "S": slice(None)}
    pixels[tuple(index.get(axis, slice(5, 20)) for axis in axes)] = 200
    sight = view(pixels, axes, place, channel=channel)
    assert np.argwhere(sight.labels).min(axis=0).tolist() == [5, 5]
    assert sight.labels.shape == (30, 30)
    assert sight.place == place


def test_of_a_large_view_the_middle_is_labelled(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "LARGEST_SIDE", 20)
    sight = view(bright_squares(), "YX", np.s_[0:64, 0:10])
    assert sight.place == np.s_[22:42, 0:10]
    assert sight.labels.shape == (20, 10)


def test_a_view_is_due_after_four_seconds_or_one_when_it_was_moved(bright_model: Any) -> None:
    now = 0.0
    model, nothing = load_model(bright_model, "cpu"), np.zeros((64, 80), np.int32)
    edited = Edited(nothing, nothing, (), 20.0)
    request = LearnRequest(bright_squares(), "YX", None, edited, "", "", "cpu", "", 1.0)
    seeing = Viewing(request, model.card, clock=lambda: now)

    def is_due(at: float) -> bool:
        nonlocal now
        now = at
        return len(list(seeing.due(model.network))) == 1

    assert not is_due(0)
    request.view.place = np.s_[0:64, 0:80]
    assert [at for at in (1.0, 2.0, 4.5, 5.0, 6.0) if is_due(at)] == [1.0, 5.0]
    request.view.place = np.s_[0:30, 0:80]
    assert [at for at in (6.0, 6.5, 7.5) if is_due(at)] == [6.0]
    request.view.place = None
    assert not is_due(20.0)


def test_views_that_take_long_are_due_less_often(bright_model: Any) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0  # a view takes a second: from when it is begun to when it is there
        return now

    model, nothing = load_model(bright_model, "cpu"), np.zeros((64, 80), np.int32)
    edited = Edited(nothing, nothing, (), 20.0)
    request = LearnRequest(bright_squares(), "YX", None, edited, "", "", "cpu", "", 1.0)
    request.view.place = np.s_[0:64, 0:80]
    seeing = Viewing(request, model.card, clock=clock)
    assert len(list(seeing.due(model.network))) == 1
    now += 1 / MOST_OF_THE_TIME - 2
    assert not list(seeing.due(model.network))
    assert len(list(seeing.due(model.network))) == 1
