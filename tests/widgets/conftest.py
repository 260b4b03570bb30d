from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from napari import settings
from napari.layers import Image, Labels
from napari.utils import resize_dask_cache
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest

import napari_unet
from napari_unet.images.axes import label_shape
from napari_unet.network.files import known_hash
from napari_unet.network.library import use_home
from napari_unet.segmentation import SegmentSettings
from napari_unet.widgets.results import add_result, draw
from napari_unet.widgets.segment_dock import SegmentDock
from napari_unet.widgets.segmenting import Finished
from napari_unet.widgets.window import PLUGIN

MANIFEST = PluginManifest.from_file(Path(napari_unet.__file__).with_name("napari.yaml"))
DOCKS = [widget.display_name for widget in MANIFEST.contributions.widgets or ()]
AddResult = Callable[..., Labels]


@pytest.fixture(params=DOCKS)
def dock_name(request: pytest.FixtureRequest) -> str:
    """Each dock of the plugin, one after the other."""
    return str(request.param)


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    """napari's window, without being shown."""
    return make_napari_viewer_proxy()


@pytest.fixture(autouse=True)
def _own_preferences(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Keep the Preferences of whoever runs the tests out of them, and the tests' out of theirs.

    As napari's fixture `plugin_settings` does, which knows no plugin that is installed.
    """
    path = str(tmp_path_factory.mktemp("config") / "settings.yaml")
    monkeypatch.setattr(settings, "_CFG_PATH", path)
    monkeypatch.setenv("NAPARI_CONFIG", path)  # for the programs that a test starts
    settings._clear_plugin_settings_cache()
    yield
    settings._clear_plugin_settings_cache()
    use_home(None)


@pytest.fixture
def unserved() -> Iterator[None]:
    """Let whoever asks for a block of dask's compute it, in its own thread."""
    size = resize_dask_cache().cache.available_bytes
    # While napari slices, every thread is served from its cache, and then no gate is reached.
    resize_dask_cache(0)
    with dask.config.set(scheduler="synchronous"):
        yield
    resize_dask_cache(size)


@pytest.fixture
def killed_once_painted() -> Callable[[str], AbstractContextManager[None]]:
    """Run a program until it has painted, then the block, then kill it as ``kill -9`` does."""

    @contextmanager
    def run(code: str) -> Iterator[None]:
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
        ) as program:
            try:
                assert program.stdout is not None
                assert program.stdout.readline() == "painted\n"
                yield
            finally:
                program.send_signal(signal.SIGKILL)
        assert program.returncode == -signal.SIGKILL

    return run


@pytest.fixture
def notes() -> Iterator[list[str]]:
    """What the notification area is told."""
    messages: list[str] = []

    def keep(notification: Any) -> None:
        messages.append(str(notification.message))

    notification_manager.notification_ready.connect(keep)
    yield messages
    notification_manager.notification_ready.disconnect(keep)


@pytest.fixture
def open_segment(bright_model: Path) -> Callable[[Any], SegmentDock]:
    """Open the dock that segments in a viewer, on the CPU with a model that is quick."""

    def open_in(viewer: Any) -> SegmentDock:
        _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
        dock.models.files.append(str(bright_model))
        dock.model.reset_choices()
        dock.model.value = str(bright_model)
        dock.device.value = "cpu"
        return dock

    return open_in


@pytest.fixture
def add_squares(bright_model: Path) -> AddResult:
    """Add an image of two bright squares, and a result in which the model saw both."""

    def add(viewer: Any, axes: str = "YX", n: int = 3, colours: int = 3) -> Labels:
        sizes = {"Y": 64, "X": 80, "Z": n, "T": n, "C": 2, "S": colours}
        shape = tuple(sizes[axis] for axis in axes)
        labels = np.zeros(label_shape(axes, shape), np.int32)
        labels[..., 5:20, 5:20], labels[..., 30:45, 40:60] = 1, 2
        pixels = np.zeros(shape, np.uint8)
        if axes.endswith("YX"):
            pixels[..., 5:20, 5:20], pixels[..., 30:45, 40:60] = 200, 200
        image = viewer.add_layer(Image(pixels, name="cells", rgb="S" in axes))
        place = (slice(None),) * labels.ndim
        facts = {
            "model": "bright",
            "model_file": str(bright_model),
            "model_sha256": known_hash(bright_model),
            "line": "bright",
            "device_choice": "cpu",
            "axes": axes,
            "settings": asdict(SegmentSettings(diameter=20.0)),
        }
        outcome = Finished(labels, place, labels.shape, 20.0, 0.1, facts)
        return add_result(viewer, image, outcome, draw(outcome))

    return add


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fine-tune rehearse two small fields instead of many."""
    from napari_unet.images.planes import network_input
    from napari_unet.images.synthetic import nuclei_field
    from napari_unet.learning.runs import Scene

    def small(card: Any) -> Any:
        fields = [nuclei_field((64, 64), n=4, diameter=16, seed=seed) for seed in range(2)]
        return [Scene(network_input(image, card.normalisation), it) for image, it in fields]

    for module in ("finetune", "lessons"):
        monkeypatch.setattr(f"napari_unet.learning.{module}.rehearsal", small)


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the gate say this, whatever was learned: an empty sentence is no objection."""

    def say(sentence: str) -> None:
        monkeypatch.setattr("napari_unet.learning.finetune.objection", lambda *_: sentence)

    return say
