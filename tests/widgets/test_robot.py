"""A robot that does what comes to its mind in our docks never gets a traceback.

Short here; ``NAPARI_UNET_ROBOT=500 pytest -o faulthandler_timeout=0 tests/widgets/test_robot.py``
lets it take 500 turns, and ``NAPARI_UNET_ROBOT_SEED=7`` others than those that it always takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as let_loose
from napari.layers import Image, Labels
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_unet.widgets import finetune_form

PLUGIN = "napari-unet-nuclei"
TURNS = int(os.environ.get("NAPARI_UNET_ROBOT", "3"))
SEED = int(os.environ.get("NAPARI_UNET_ROBOT_SEED", "0"))
SHAPES = st.sampled_from([(40, 50), (3, 40, 50), (2, 3, 40, 50), (40, 50, 3), (1, 1)])
DOCKS = ("Segment nuclei", "Fine-tune on corrections", "Measure nuclei", "Compare with truth")
DOCKS += ("Models",)
FIELDS = (QAbstractButton, QAbstractSlider, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox)
# Not what there is to choose from: that hangs on how far a run is, and a turn has to be repeatable.
ANY = st.integers(0, 999)
TEXTS = ("", "YX", "ZYX", "CYX", "Q", "é🔬", "a/b", "..", "-1", "1e400")


def picture(shape: tuple[int, ...]) -> np.ndarray:
    image = np.zeros(shape, np.uint8)
    image[..., 5:15, 5:15] = 200
    return image


def fields_of(dock: QWidget) -> list[QWidget]:
    """Return what a user can click or type into now."""
    return [
        field
        for field in dock.findChildren(QWidget)
        if isinstance(field, FIELDS) and field.isEnabled() and field.isVisibleTo(dock)
    ]


def use(field: QWidget, n: int) -> None:
    """Click, choose or type something; which is up to the number."""
    match field:
        case QAbstractButton() if (menu := getattr(field, "menu", lambda: None)()) is not None:
            menu.aboutToShow.emit()
            actions = menu.actions()
            actions[n % len(actions)].trigger()
        case QAbstractButton():
            field.click()
        case QComboBox() if field.count():
            field.setCurrentIndex(n % field.count())
        case QAbstractSlider() | QSpinBox() | QDoubleSpinBox() if np.isscalar(field.value()):
            low, high = field.minimum(), field.maximum()
            field.setValue(type(low)(low + (high - low) * (n % 11) / 10))
        case QLineEdit() if not field.isReadOnly():
            field.setText(TEXTS[n % len(TEXTS)])
            field.editingFinished.emit()


class Robot(RuleBasedStateMachine):
    """Clicks, types, paints and removes; waits for the runs at the end of each turn."""

    viewer: Any
    dock: Any
    qtbot: Any
    notes: list[str]
    errors: list[Any]

    def __init__(self) -> None:
        super().__init__()
        self.viewer.layers.clear()
        self.docks = {DOCKS[0]: self.dock}
        self.widgets: dict[str, Any] = {}

    def layers(self, kind: type) -> list[Any]:
        return [layer for layer in self.viewer.layers if isinstance(layer, kind)]

    @initialize(shape=SHAPES, name=st.sampled_from(DOCKS), axes=st.sampled_from(["", "TYX", "ZYX"]))
    def begin_with_a_result(self, shape: tuple[int, ...], name: str, axes: str) -> None:
        """Begin where there is something to use: left to chance, few turns get as far as that."""
        self.open_an_image(shape)
        self.dock.axes.value = axes if len(axes) == len(shape) else self.dock.axes.value
        self.dock.diameter.value, self.dock.region.value = 20, self.dock.region.choices[0]
        self.start_a_dock_and_wait(DOCKS[0])
        self.open_a_dock(name)

    @rule(shape=SHAPES)
    def open_an_image(self, shape: tuple[int, ...]) -> None:
        if len(self.viewer.layers) < 5:
            self.viewer.add_image(picture(shape))

    @rule()
    def click_the_button(self) -> None:
        self.dock.button.native.click()

    @rule(axes=st.sampled_from(["YX", "ZYX", "TZYX", "YXS", "CYX", "", "Q"]))
    def type_axes(self, axes: str) -> None:
        self.dock.axes.value = axes

    @rule(diameter=st.sampled_from([0, 5, 20, 300]))
    def type_a_diameter(self, diameter: float) -> None:
        self.dock.diameter.value = diameter

    @rule(names=st.sampled_from(["quality", "link", "region", "views"]), n=ANY)
    def choose(self, names: str, n: int) -> None:
        box = getattr(self.dock, names)
        box.value = box.choices[n % len(box.choices)]

    @rule(which=ANY, steps=st.lists(st.tuples(ANY, ANY), min_size=1, max_size=4))
    def use_fields_of_a_dock(self, which: int, steps: list[tuple[int, int]]) -> None:
        name = sorted(self.docks)[which % len(self.docks)]
        for place, n in steps:
            if fields := fields_of(self.docks[name].native):
                use(fields[place % len(fields)], n)

    @rule(name=st.sampled_from(DOCKS[1:]))
    def open_a_dock(self, name: str) -> None:
        if name not in self.docks:
            added = self.viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
            self.widgets[name], self.docks[name] = added

    @rule(name=st.sampled_from(DOCKS[:4]))
    def start_a_dock_and_wait(self, name: str) -> None:
        self.open_a_dock(name)
        dock = self.docks[name]
        if name == DOCKS[1]:
            dock.live.value = False  # that goes on until it is told to end
        dock.start()
        self.qtbot.waitUntil(
            lambda: (dock.run.worker if name == DOCKS[0] else dock._worker) is None, timeout=120_000
        )

    @rule(which=ANY, place=ANY, n=ANY)
    def click_a_button_of_a_dock(self, which: int, place: int, n: int) -> None:
        name = sorted(self.docks)[which % len(self.docks)]
        fields = fields_of(self.docks[name].native)
        if buttons := [field for field in fields if isinstance(field, QPushButton)]:
            use(buttons[place % len(buttons)], n)

    @rule(name=st.sampled_from(DOCKS[1:]))
    def close_a_dock(self, name: str) -> None:
        if name in self.docks:
            del self.docks[name]
            self.viewer.window.remove_dock_widget(self.widgets.pop(name))

    @rule(n=ANY)
    def remove_a_layer(self, n: int) -> None:
        if len(self.viewer.layers):
            self.viewer.layers.pop(n % len(self.viewer.layers))

    @rule(n=ANY, name=st.text("ab é🔬", max_size=4))
    def rename_and_activate_a_layer(self, n: int, name: str) -> None:
        if len(self.viewer.layers):
            layer = self.viewer.layers[n % len(self.viewer.layers)]
            layer.name = name
            self.viewer.layers.selection.active = layer

    @rule(label=st.integers(0, 9), is_undone=st.booleans())
    def paint_and_undo(self, label: int, is_undone: bool) -> None:
        # napari 0.9 itself fails where a plane is painted on that is shown in 3-D.
        n_shown = self.viewer.dims.ndisplay
        if results := [layer for layer in self.layers(Labels) if layer.ndim >= n_shown]:
            layer = results[-1]
            layer.data_setitem(tuple(np.array([n // 2]) for n in layer.data.shape), label)
            if is_undone:
                layer.undo()

    @rule(n=ANY)
    def put_other_pixels_into_a_layer(self, n: int) -> None:
        if images := self.layers(Image):
            layer = images[n % len(images)]
            layer.data = np.roll(np.asarray(layer.data), n % 7, axis=0)

    @rule(n_shown=st.sampled_from([2, 3]))
    def show_in_2d_or_3d(self, n_shown: int) -> None:
        self.viewer.dims.ndisplay = n_shown

    @rule(n=ANY)
    def go_to_a_plane(self, n: int) -> None:
        self.viewer.dims.set_current_step(0, n % 4)

    @rule(key=st.sampled_from("NVD"))
    def press_a_key(self, key: str) -> None:
        for bound, action in list(self.viewer.keymap.items()):
            if str(bound) == key:
                action(self.viewer)

    @rule()
    def wait_for_the_run(self) -> None:
        self.qtbot.waitUntil(lambda: self.dock.run.worker is None, timeout=120_000)

    @rule()
    def wait_a_moment(self) -> None:
        self.qtbot.wait(50)

    @invariant()
    def whatever_is_said_is_one_line(self) -> None:
        assert not [note for note in self.notes if "\n" in note or "Traceback" in note]

    @invariant()
    def nothing_is_raised(self) -> None:
        assert not self.errors

    def teardown(self) -> None:
        for name in list(self.widgets):
            self.close_a_dock(name)
        self.dock.cancel()
        self.wait_for_the_run()
        self.nothing_is_raised()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Answer every question: no file, one that is there, one that is new, one that cannot be."""
    (tmp_path / "there.zip").write_bytes(b"no archive")
    names = ("", "there.zip", "new.csv", "missing/new.zip", "there.zip", "new.safetensors")

    def turns() -> Iterator[str]:
        while True:
            yield from names

    said, buttons = turns(), QMessageBox.StandardButton
    for dialog in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(
            QFileDialog, dialog, lambda *_: ((name := next(said)) and str(tmp_path / name), "")
        )
    monkeypatch.setattr(
        QMessageBox, "question", lambda *_: buttons.Yes if next(said) else buttons.No
    )
    monkeypatch.setattr(finetune_form, "TIMES", [("a moment", 1.0)])
    monkeypatch.setattr(finetune_form, "USUAL_TIME", 1.0)


def test_whatever_a_robot_does_there_is_no_traceback(
    make_napari_viewer_proxy: Callable[..., Any],
    open_segment: Callable[[Any], Any],
    quick: None,
    answers: None,
    qtbot: Any,
    notes: list[str],
) -> None:
    viewer = make_napari_viewer_proxy()

    class Own(Robot):
        pass

    Own.viewer, Own.dock, Own.qtbot, Own.notes = viewer, open_segment(viewer), qtbot, notes
    with qtbot.captureExceptions() as Own.errors:
        let_loose(
            seed(SEED)(Own),
            settings=settings(
                max_examples=TURNS,
                stateful_step_count=20,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
