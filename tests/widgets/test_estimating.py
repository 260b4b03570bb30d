from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.estimate import Pace
from napari_unet.widgets import estimating
from napari_unet.widgets.segment_dock import SegmentDock

PLUGIN = "napari-unet-nuclei"
PACE = Pace(network=1e-6, plane=1e-7, volume=2e-7, n_bytes=400)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Let no test know what another one has timed."""
    estimating._paces.clear()
    yield
    estimating._paces.clear()


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads in which a tile was timed."""
    threads: list[threading.Thread] = []

    def pace_of(model: str, device: str, precision: str) -> Pace:
        threads.append(threading.current_thread())
        return PACE

    monkeypatch.setattr(estimating, "pace_of", pace_of)
    return threads


@pytest.fixture
def dock(viewer: Any) -> SegmentDock:
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    return dock


def test_a_long_run_is_foreseen_and_a_tile_is_timed_once_in_a_thread(
    viewer: Any, dock: SegmentDock, qtbot: Any, timed: list[threading.Thread]
) -> None:
    viewer.add_image(np.zeros((50, 1000, 1000), np.uint8))
    dock.axes.value = "ZYX"
    dock.diameter.value = 22
    qtbot.waitUntil(lambda: bool(dock.status.value), timeout=60_000)
    assert dock.status.value == "About 60 s, 1.5 GB."
    dock.link.value = "none"
    qtbot.waitUntil(lambda: dock.status.value == "About 60 s, 1.2 GB.", timeout=60_000)
    dock.region.value = "this plane"
    qtbot.waitUntil(lambda: not dock.status.value, timeout=60_000)
    assert len(timed) == 1
    assert threading.main_thread() not in timed


def test_where_the_diameter_is_not_known_the_models_is_taken_and_told(
    viewer: Any, dock: SegmentDock, qtbot: Any, timed: list[threading.Thread]
) -> None:
    viewer.add_image(np.zeros((4000, 4000), np.uint8))
    qtbot.waitUntil(lambda: bool(dock.status.value), timeout=60_000)
    assert dock.status.value.endswith(", if nuclei are about 22 px wide.")


def test_a_short_run_is_not_foreseen(
    viewer: Any, dock: SegmentDock, qtbot: Any, timed: list[threading.Thread]
) -> None:
    viewer.add_image(np.zeros((512, 512), np.uint8))
    qtbot.wait(2 * estimating.MILLISECONDS_OF_REST)
    assert dock.status.value == ""
    assert timed == []


def test_a_tile_is_timed_with_the_network(bright_model: Path) -> None:
    pace = estimating.pace_of(str(bright_model), "cpu", "auto")
    assert 0 < pace.network < 1e-3
    assert 0 < pace.plane < 1e-3
    assert 0 < pace.volume < 1e-3
    assert pace.n_bytes == pytest.approx(estimating.ACTIVATIONS * 4 * 3)
