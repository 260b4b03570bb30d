"""What all docks have in common, as a newcomer sees them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QWidget,
)

from napari_unet.network.keeping import keep
from napari_unet.network.library import BUILT_INS, load_model
from napari_unet.network.model import Model
from napari_unet.widgets.window import PLUGIN

LARGE = 20  # pt, of a font
NARROW, LOW = 320, 240  # px
CONTROLS = (QAbstractButton, QComboBox, QAbstractSpinBox, QAbstractSlider, QLineEdit)


def opened(viewer: Any, name: str) -> Any:
    """Open a dock of the plugin."""
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    return dock


def is_explained(control: QWidget | None) -> bool:
    """Tell whether a control, or what it is a part of, has a tooltip."""
    return control is not None and (bool(control.toolTip()) or is_explained(control.parentWidget()))


def test_every_control_has_a_tooltip(
    make_napari_viewer_proxy: Callable[..., Any], dock_name: str
) -> None:
    dock = opened(make_napari_viewer_proxy(), dock_name)
    controls = [
        control
        for kind in CONTROLS
        for control in dock.native.findChildren(kind)
        if not isinstance(control, QScrollBar)
        # The corner of a table, which is Qt's own.
        and not isinstance(control.parentWidget(), QAbstractItemView)
    ]
    assert controls
    silent = [control for control in controls if not is_explained(control)]
    assert [(type(it).__name__, getattr(it, "text", str)()) for it in silent] == []


def test_a_low_window_scrolls_and_cuts_nothing_off(
    make_napari_viewer_proxy: Callable[..., Any], dock_name: str, qtbot: Any
) -> None:
    dock = opened(make_napari_viewer_proxy(show=True), dock_name)
    area = dock.native.findChild(QScrollArea)
    assert area.minimumSizeHint().height() <= 200
    content = area.widget()
    # Once the layout is at rest.
    qtbot.waitUntil(
        lambda: dock.native.width() >= content.minimumSizeHint().width(), timeout=60_000
    )


def test_a_low_window_scrolls_to_the_question_whether_to_keep_what_was_learned(
    make_napari_viewer_proxy: Callable[..., Any], qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    dock = opened(viewer, "Fine-tune on corrections")
    area = dock.native.findChild(QScrollArea)
    area.setFixedHeight(LOW)
    dock.show_plot(plot := QWidget())
    plot.setFixedHeight(LOW)
    dock.show_outcome("Overlap with the corrected nuclei: 0.40 before.", "v2", doubtful=False)
    keep_button = dock.keep.native
    qtbot.waitUntil(lambda: keep_button.visibleRegion().boundingRect().height() > 0, timeout=60_000)
    assert keep_button.visibleRegion().boundingRect().height() == keep_button.height()


def test_a_tuned_model_needs_no_scrolling_sideways(
    make_napari_viewer_proxy: Callable[..., Any], qtbot: Any
) -> None:
    parent = load_model("nuclei", "cpu")
    marks = {"before": {"corrected": 0.41}, "after": {"corrected": 0.72}}
    facts = {"date": "2026-11-24", "n_nuclei": 7, **marks}
    card = replace(parent.card, parent=parent.sha256, training=facts)
    keep(Model(parent.network, card), "nuclei v1")
    viewer = make_napari_viewer_proxy(show=True)
    place, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Models")
    tree = dock.tree
    qtbot.waitUntil(lambda: tree.topLevelItemCount() == len(BUILT_INS), timeout=60_000)
    place.window().resizeDocks([place], [NARROW], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: dock.native.width() == NARROW, timeout=60_000)
    header = tree.header()
    needed = sum(max(tree.sizeHintForColumn(i), header.sectionSizeHint(i)) for i in range(4))
    qtbot.waitUntil(lambda: header.length() == needed, timeout=60_000)
    # Nothing, but for a font that is much wider than that of CI.
    scrolled = max(0, needed - tree.viewport().width())
    assert tree.horizontalScrollBar().maximum() == scrolled


def test_first_steps_are_shown_until_an_image_is_open(
    make_napari_viewer_proxy: Callable[..., Any],
) -> None:
    viewer = make_napari_viewer_proxy()
    dock = opened(viewer, "Segment nuclei")
    assert not dock.first_steps.native.isHidden()
    assert not dock.button.enabled
    viewer.add_image(np.zeros((20, 20)))
    assert dock.first_steps.native.isHidden()
    assert dock.button.enabled


def test_large_fonts_are_in_every_field_and_cut_off_no_line(
    make_napari_viewer_proxy: Callable[..., Any], qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    get_settings().appearance.font_size = LARGE
    labels = np.zeros((20, 20), np.int32)
    labels[2:9, 2:9] = 1
    for name in ("truth", "found"):
        viewer.add_labels(labels, name=name)
    compare = opened(viewer, "Compare with truth")
    compare.button.native.click()
    qtbot.waitUntil(lambda: compare._worker is None, timeout=60_000)
    lines = compare.table.verticalHeader().defaultSectionSize()
    assert lines > compare.table.fontMetrics().height() > LARGE
    fields = [
        opened(viewer, "Segment nuclei").axes,
        opened(viewer, "Measure nuclei").axes,
        opened(viewer, "Fine-tune on corrections").model_name,
    ]
    assert [field.native.font().pointSize() for field in fields] == [LARGE] * 3
