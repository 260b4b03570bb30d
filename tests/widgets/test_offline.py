"""Nothing leaves the machine from the docks either: all is done with every connection refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_unet.images.synthetic import nuclei_field
from napari_unet.network.library import load_model
from napari_unet.widgets import finetune_form
from napari_unet.widgets.window import PLUGIN

pytestmark = pytest.mark.usefixtures("no_network")


def wait_for(qtbot: Any, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=120_000)


def test_nuclei_are_segmented_with_the_built_in_model(viewer: Any, qtbot: Any) -> None:
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.device.value = "cpu"
    viewer.add_image(nuclei_field((64, 72), n=4, diameter=18, seed=1)[0], name="cells")
    dock.button.native.click()
    wait_for(qtbot, lambda: dock.run.worker is None)
    assert viewer.layers["cells nuclei"].data.max() > 0


@pytest.mark.usefixtures("quick")
def test_corrections_are_learned_and_the_model_is_kept(
    viewer: Any,
    add_squares: Callable[..., Labels],
    verdict: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    verdict("")
    monkeypatch.setattr(finetune_form, "TIMES", [("short", 0.5)])
    monkeypatch.setattr(finetune_form, "USUAL_TIME", 0.5)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Fine-tune on corrections")
    layer = add_squares(viewer)
    layer.data_setitem(np.nonzero(np.pad(np.ones((12, 15), bool), ((48, 4), (10, 55)))), 7)
    wait_for(qtbot, lambda: dock.learn.enabled)
    dock.learn.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    dock.keep.native.click()
    assert load_model("bright v1", "cpu").card.training["image_names"] == ["cells"]
