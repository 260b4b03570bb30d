"""What is painted while a model learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.learning.store import Store
from napari_unet.network.library import load_model
from napari_unet.widgets import live
from napari_unet.widgets.corrections import Edited
from napari_unet.widgets.live import Follower
from napari_unet.widgets.messages import Glance, LearnRequest
from napari_unet.widgets.running import Failed
from napari_unet.widgets.tuning import learn

pytestmark = pytest.mark.usefixtures("quick")

NOTHING = np.zeros((64, 80), np.int32)


def painted(*places: Any) -> Edited:
    labels = NOTHING.copy()
    for number, place in enumerate(places, start=1):
        labels[place] = number
    return Edited(NOTHING, labels, (), 20.0)


@pytest.fixture
def request_live(bright_model: Path, tmp_path: Path) -> LearnRequest:
    return LearnRequest(
        np.zeros((64, 80), np.uint8), "YX", None, painted(), "cells", str(bright_model), "cpu",
        "bright", 60.0, tmp_path, live=True,
    )  # fmt: skip


class Run:
    """Stands for a fine-tune."""

    def __init__(self) -> None:
        self.learned: list[int] = []

    def renew(self, crops: list[Any]) -> None:
        self.learned.append(sum(crop.n_nuclei for crop in crops))

    def mark(self) -> float:
        return 0.5


@pytest.fixture
def follower(request_live: LearnRequest) -> Callable[[list[float]], Follower]:
    def make(now: list[float]) -> Follower:
        model = load_model(request_live.model, "cpu")
        return Follower(request_live, model, clock=lambda: now[0])

    return make


def test_strokes_join_every_two_seconds_and_only_the_newest(
    request_live: LearnRequest, follower: Callable[..., Follower]
) -> None:
    now, run = [0.0], Run()
    follow = follower(now)
    request_live.strokes.append(painted(np.s_[3:9, 3:9]))
    begin = follow.begin()
    assert [next(begin), next(begin)] == [Glance("wait")] * 2
    with pytest.raises(StopIteration) as end:
        next(begin)
    assert end.value.value is True
    request_live.strokes.append(painted(np.s_[3:9, 3:9], np.s_[30:39, 3:9]))
    request_live.strokes.append(painted(np.s_[3:9, 3:9], np.s_[30:39, 3:9], np.s_[30:39, 40:49]))
    follow.follow(run)
    assert run.learned == []
    now[0] = 2.5
    follow.follow(run)
    assert run.learned == [3]
    now[0] = 9.0
    follow.follow(run)
    assert run.learned == [3]
    request_live.strokes.append(painted(np.s_[3:9, 3:9]))
    follow.follow(run)
    request_live.strokes.append(painted(np.s_[3:9, 3:9], np.s_[30:39, 3:9]))
    follow.follow(run, at_once=True)
    assert run.learned == [3, 1, 2]


def test_what_is_painted_is_remembered_as_it_comes_and_forgotten_when_undone(
    request_live: LearnRequest, follower: Callable[..., Follower], tmp_path: Path
) -> None:
    store = Store.of_line(tmp_path, "bright")
    follow, run = follower([0.0]), Run()
    request_live.strokes.append(painted(np.s_[3:9, 3:9]))
    list(follow.begin())
    assert store.size().n_nuclei == 1
    request_live.strokes.append(painted(np.s_[3:9, 3:9], np.s_[30:39, 3:9]))
    follow.follow(run, at_once=True)
    assert store.size().n_nuclei == 2
    request_live.strokes.append(painted())
    follow.follow(run, at_once=True)
    assert store.size().n_nuclei == 0
    assert run.learned == [2]
    waiting = follow.wait()
    assert next(waiting).phase == "wait"
    request_live.strokes.append(painted(np.s_[3:9, 3:9]))
    assert list(waiting) == []


def test_marks_are_taken_now_and_then(
    request_live: LearnRequest, follower: Callable[..., Follower]
) -> None:
    now = [0.0]
    follow = follower(now)
    request_live.strokes.append(painted(np.s_[3:9, 3:9]))
    list(follow.begin())
    marks = []
    for now[0] in range(0, 40, 5):
        marks.append(follow.mark(Run()))
    assert [at for at, mark in zip(range(0, 40, 5), marks, strict=True) if mark] == [15, 30]


def test_labels_are_copied_before_they_are_looked_at(
    request_live: LearnRequest, follower: Callable[..., Follower]
) -> None:
    follow = follower([0.0])
    state = painted(np.s_[3:9, 3:9])
    request_live.strokes.append(state)
    list(follow.begin())
    state.labels[:] = 5
    assert follow.crops[0].labels.max() == 1


def test_live_learning_that_is_stopped_before_it_began_has_no_outcome(
    request_live: LearnRequest,
) -> None:
    request_live.stop.set()
    steps = learn(request_live)
    assert [next(steps).phase, next(steps).phase] == ["read", "wait"]
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value is None


def test_a_live_run_learns_until_it_is_stopped(
    request_live: LearnRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SECONDS_BETWEEN_LOOKS", 0.0)
    request_live.strokes.append(painted(np.s_[3:9, 3:9]))
    steps = learn(request_live)
    for glance in steps:
        if glance.phase == "learn" and glance.loss is not None:
            break
    more = [np.s_[3:9, 3:9], np.s_[30:39, 3:9], np.s_[30:39, 40:49], np.s_[50:60, 60:70]]
    request_live.strokes.append(painted(*more))
    request_live.stop.set()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            outcome = end.value
            break
    assert not isinstance(outcome, Failed)
    assert outcome.tuned.before.held_out == 0
    assert outcome.tuned.model.card.training["settings"]["live"] is True
