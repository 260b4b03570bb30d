"""In which OpenGL context napari frees what it drew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
from qtpy.QtOpenGLWidgets import QOpenGLWidget

PLUGIN = "napari-unet-nuclei"


@pytest.fixture
def elsewhere() -> Any:
    """Make another context the current one, as Qt does when it puts the window together."""
    surface, context = QOffscreenSurface(), QOpenGLContext()
    surface.create()
    assert context.create()
    return lambda: context.makeCurrent(surface)


@pytest.mark.parametrize("is_floating", [False, True])
def test_what_was_drawn_is_freed_in_the_context_of_the_canvas(
    make_napari_viewer: Callable[..., Any],
    qtbot: Any,
    elsewhere: Any,
    is_floating: bool,
) -> None:
    viewer = make_napari_viewer(show=True)
    canvas = viewer.window._qt_window.centralWidget().findChild(QOpenGLWidget)
    qtbot.waitUntil(canvas.isValid, timeout=30_000)
    dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.setFloating(is_floating)
    viewer.add_image(np.zeros((8, 8)))
    viewer.add_labels(np.zeros((8, 8), int))
    own, current = canvas.context(), []
    viewer.layers.events.removed.connect(lambda: current.append(QOpenGLContext.currentContext()))
    assert elsewhere()
    viewer.layers.clear()
    assert current == [own, own]
