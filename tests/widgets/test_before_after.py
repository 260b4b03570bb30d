"""The view before and after a fine-tune."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_unet.widgets import before_after
from napari_unet.widgets.before_after import BeforeAfter
from napari_unet.widgets.messages import Compared, Sight, View

FIRST, SECOND = np.s_[0:4, 0:4], np.s_[4:8, 0:4]


def compared(place: Any) -> Compared:
    before, after = (np.full((4, 4), label, np.int32) for label in (1, 2))
    return Compared(Sight(before, place), Sight(after, place))


class Outlines:
    """Stands for the preview: says what the canvas shows, and keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[Any, int]] = []
        self.at: Any = FIRST
        self.was_removed = False

    def place(self) -> Any:
        return self.at

    def show(self, sight: Sight) -> None:
        self.shown.append((sight.place, int(sight.labels.max())))

    def clear(self) -> None:
        self.was_removed = False


@pytest.fixture
def outlines() -> Outlines:
    return Outlines()


@pytest.fixture
def switch(
    outlines: Outlines, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BeforeAfter]:
    monkeypatch.setattr(before_after, "MILLISECONDS_BETWEEN_LOOKS", 20)
    monkeypatch.setattr(before_after, "compare", lambda *request_and_models: compared(SECOND))
    request: Any = SimpleNamespace(view=View(FIRST))
    learned: Any = SimpleNamespace(
        view=compared(FIRST), parent=None, tuned=SimpleNamespace(model=None)
    )
    made = BeforeAfter(outlines, request, learned)  # type: ignore[arg-type]
    yield made
    made.leave()
    qtbot.waitUntil(lambda: made._worker is None, timeout=60_000)


def test_the_new_model_is_shown_first_and_each_side_once(
    outlines: Outlines, switch: BeforeAfter
) -> None:
    for side in ("after", "before", "before", "after"):
        switch.switch(side)
    assert outlines.shown == [(FIRST, 2), (FIRST, 1), (FIRST, 2)]


def test_a_view_that_was_moved_and_rests_is_drawn_anew_once(
    outlines: Outlines, switch: BeforeAfter, qtbot: Any
) -> None:
    switch.switch("before")
    outlines.at = SECOND
    qtbot.waitUntil(lambda: len(outlines.shown) == 3, timeout=60_000)
    qtbot.wait(100)
    assert outlines.shown == [(FIRST, 2), (FIRST, 1), (SECOND, 1)]


def test_nothing_is_drawn_for_a_layer_that_was_taken_away_or_a_view_of_nothing(
    outlines: Outlines, switch: BeforeAfter, qtbot: Any
) -> None:
    outlines.at, outlines.was_removed = SECOND, True
    qtbot.wait(100)
    outlines.at, outlines.was_removed = None, False
    qtbot.wait(100)
    assert outlines.shown == [(FIRST, 2)]


def test_an_image_that_is_gone_is_told_in_one_sentence(
    outlines: Outlines,
    switch: BeforeAfter,
    notes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    def fail(*request_and_models: Any) -> None:
        raise OSError("no such file")

    monkeypatch.setattr(before_after, "compare", fail)
    outlines.at = SECOND
    qtbot.waitUntil(lambda: bool(notes), timeout=60_000)
    assert notes == [
        "This view could not be compared (OSError: no such file); check that the image's file is "
        "still there."
    ]
