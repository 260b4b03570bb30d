from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari._app_model import get_app_model

from napari_unet.widgets.segment_dock import SegmentDock, segment_active_layer
from napari_unet.widgets.window import PLUGIN, open_dock


def docks(viewer: Any) -> list[str]:
    return [title for title in viewer.window.dock_widgets if title.startswith("Segment nuclei")]


def open_by_menu(viewer: Any) -> None:
    get_app_model().commands.execute_command(f"{PLUGIN}.segment_dock").result()


def open_by_name(viewer: Any) -> None:
    viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")


@pytest.mark.parametrize("opens", [open_by_menu, open_by_name])
def test_a_dock_that_is_open_is_not_opened_twice(viewer: Any, opens: Any) -> None:
    opens(viewer)
    first = docks(viewer)
    dock = open_dock(viewer, "Segment nuclei")
    assert docks(viewer) == first
    assert len(first) == 1
    assert dock == viewer.window.dock_widgets[first[0]]


def test_a_dock_that_is_not_open_is_opened(viewer: Any) -> None:
    dock = open_dock(viewer, "Segment nuclei")
    (title,) = docks(viewer)
    assert isinstance(dock, SegmentDock)
    assert dock == viewer.window.dock_widgets[title]


def test_the_command_and_a_chosen_model_go_to_the_dock_that_is_open(
    viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_by_menu(viewer)
    (title,) = docks(viewer)
    dock = viewer.window.dock_widgets[title]
    started: list[SegmentDock] = []
    monkeypatch.setattr(SegmentDock, "start", lambda self: started.append(self))
    viewer.add_image(np.zeros((8, 8), np.uint8))
    segment_active_layer(viewer)
    assert started == [dock]
    models = open_dock(viewer, "Models")
    qtbot.waitUntil(lambda: not models._worker, timeout=60_000)
    models.select(["nuclei-fast"])
    models.use.native.click()
    assert dock.model.value == "nuclei-fast"
    assert docks(viewer) == [title]
