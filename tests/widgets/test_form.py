"""What docks share: choices, and what one leaves behind when it is closed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox
from napari.layers import Image

from napari_unet.widgets.form import choose_again
from napari_unet.widgets.window import PLUGIN


def connected(viewer: Any) -> list[tuple[Any, ...]]:
    """Return all that hears of a viewer's layers and sliders."""
    groups = (viewer.layers.events, viewer.layers.selection.events, viewer.dims.events)
    return [tuple(emitter.callbacks) for group in groups for emitter in group.emitters.values()]


def test_a_dock_that_is_closed_hears_of_nothing_and_is_gone(
    make_napari_viewer: Callable[..., Any], qtbot: Any, dock_name: str
) -> None:
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((8, 8)))
    before = connected(viewer)
    widget, dock = viewer.window.add_plugin_dock_widget(PLUGIN, dock_name)
    assert connected(viewer) != before
    gone = weakref.ref(dock)
    viewer.window.remove_dock_widget(widget)
    assert connected(viewer) == before
    del widget, dock
    qtbot.waitUntil(lambda: gc.collect() >= 0 and gone() is None, timeout=30_000)


def test_a_layer_that_is_no_choice_now_is_not_chosen_again(qtbot: Any) -> None:
    one, other = Image(np.zeros((4, 5)), name="one"), Image(np.zeros((4, 5)), name="other")
    choice = ComboBox(choices=[one, other], nullable=True)
    qtbot.addWidget(choice.native)
    assert choose_again(choice, other)
    assert choice.value is other
    choice.choices = [one]
    assert not choose_again(choice, other)
    assert not choose_again(choice, None)
