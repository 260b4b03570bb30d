"""A robot that does what comes to its mind in the dock "Segment nuclei" never gets a traceback.

Short here; ``NAPARI_UNET_ROBOT=500 pytest tests/widgets/test_robot.py`` lets it take 500 turns.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as let_loose
from napari.layers import Image, Labels

PLUGIN = "napari-unet-nuclei"
TURNS = int(os.environ.get("NAPARI_UNET_ROBOT", "4"))
SHAPES = st.sampled_from([(40, 50), (3, 40, 50), (2, 3, 40, 50), (40, 50, 3), (1, 1), (0, 50)])


def picture(shape: tuple[int, ...]) -> np.ndarray:
    image = np.zeros(shape, np.uint8)
    image[..., 5:15, 5:15] = 200
    return image


class Robot(RuleBasedStateMachine):
    """Clicks, types, paints and removes; waits for the run at the end of each turn."""

    viewer: Any
    dock: Any
    qtbot: Any
    notes: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.viewer.layers.clear()

    def images(self) -> list[Image]:
        return [layer for layer in self.viewer.layers if isinstance(layer, Image)]

    def results(self) -> list[Labels]:
        return [layer for layer in self.viewer.layers if isinstance(layer, Labels)]

    @rule(shape=SHAPES)
    def open_an_image(self, shape: tuple[int, ...]) -> None:
        if len(self.viewer.layers) < 5 and 0 not in shape:
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

    @rule(data=st.data())
    def choose(self, data: st.DataObject) -> None:
        names = ("quality", "link", "region")
        box = getattr(self.dock, data.draw(st.sampled_from(names)))
        box.value = data.draw(st.sampled_from(list(box.choices)))

    @precondition(lambda self: self.viewer.layers)
    @rule(data=st.data())
    def remove_a_layer(self, data: st.DataObject) -> None:
        self.viewer.layers.pop(data.draw(st.integers(0, len(self.viewer.layers) - 1)))

    @precondition(lambda self: self.viewer.layers)
    @rule(data=st.data(), name=st.text("ab é🔬", max_size=4))
    def rename_and_activate_a_layer(self, data: st.DataObject, name: str) -> None:
        layer = self.viewer.layers[data.draw(st.integers(0, len(self.viewer.layers) - 1))]
        layer.name = name
        self.viewer.layers.selection.active = layer

    @precondition(lambda self: self.results())
    @rule(label=st.integers(0, 9))
    def paint_and_undo(self, label: int) -> None:
        layer = self.results()[-1]
        layer.data_setitem(tuple(np.array([n // 2]) for n in layer.data.shape), label)
        if label % 2:
            layer.undo()

    @rule(n_shown=st.sampled_from([2, 3]))
    def show_in_2d_or_3d(self, n_shown: int) -> None:
        self.viewer.dims.ndisplay = n_shown

    @rule()
    def wait_for_the_run(self) -> None:
        self.qtbot.waitUntil(lambda: self.dock.run.worker is None, timeout=60_000)

    @rule()
    def wait_a_moment(self) -> None:
        self.qtbot.wait(50)

    @invariant()
    def whatever_is_said_is_one_line(self) -> None:
        assert not [note for note in self.notes if "\n" in note or "Traceback" in note]

    def teardown(self) -> None:
        self.wait_for_the_run()


def test_whatever_a_robot_does_there_is_no_traceback(
    make_napari_viewer_proxy: Callable[..., Any],
    bright_model: Path,
    qtbot: Any,
    notes: list[str],
) -> None:
    viewer = make_napari_viewer_proxy()
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.models.files.append(str(bright_model))
    dock.model.reset_choices()
    dock.model.value, dock.device.value = str(bright_model), "cpu"

    class Own(Robot):
        pass

    Own.viewer, Own.dock, Own.qtbot, Own.notes = viewer, dock, qtbot, notes
    let_loose(
        Own,
        settings=settings(
            max_examples=TURNS,
            stateful_step_count=20,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
