from __future__ import annotations

from typing import Any

import pytest
from napari._app_model import get_app_model

from napari_unet.widgets.segment_dock import SegmentDock
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
    open_dock(viewer, "Segment nuclei")
    assert docks(viewer) == first
    assert len(first) == 1


def test_a_dock_that_is_not_open_is_opened(viewer: Any) -> None:
    open_dock(viewer, "Segment nuclei")
    (title,) = docks(viewer)
    assert isinstance(viewer.window.dock_widgets[title], SegmentDock)
