"""The demo: its files, its times, its window."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest

from napari_unet.demo import STEPS, DemoResult, has_display, open_window, outline, run_demo
from napari_unet.images.files import read_labels
from napari_unet.network.card import Card
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet, UNetConfig


class Bright(Model):
    """A model that takes what is bright for a nucleus."""

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        on = (pixels[0] > 0.5).astype(np.float32)
        return np.stack([on, np.zeros_like(on), on])


def bright_model() -> Model:
    config = UNetConfig(filters=(4, 8), dropout=(0, 0, 0))
    return Bright(UNet(config).eval(), Card("bright", config, 18.0))


def run_small(folder: Path) -> DemoResult:
    return run_demo(folder, bright_model, shape=(96, 128), n=8)


def test_picture_labels_and_table_show_the_same_nuclei(tmp_path):
    result = run_small(tmp_path / "new")
    assert result.n_nuclei > 3
    assert [path.name for path in result.files] == ["overlay.png", "labels.tif", "nuclei.csv"]
    np.testing.assert_array_equal(read_labels(tmp_path / "new" / "labels.tif"), result.labels)
    assert len(pd.read_csv(tmp_path / "new" / "nuclei.csv")) == result.n_nuclei
    assert iio.imread(tmp_path / "new" / "overlay.png").shape == (192, 256, 3)


def test_every_step_is_timed_in_order(tmp_path):
    seconds = run_small(tmp_path).seconds
    others = ("spacing", "linking", "sides", "writing", "tracks")
    assert list(seconds) == [step for step in STEPS if step not in others]
    assert all(taken >= 0 for taken in seconds.values())


def test_a_second_demo_replaces_the_first(tmp_path):
    run_small(tmp_path)
    (tmp_path / "nuclei.csv").write_text("old")
    run_small(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "labels.tif",
        "nuclei.csv",
        "overlay.png",
    ]
    assert "old" not in (tmp_path / "nuclei.csv").read_text()


def test_outlines_are_drawn_inside_the_nuclei():
    labels = np.zeros((6, 8), np.int32)
    labels[1:5, 1:5] = 1
    picture = outline(np.zeros((6, 8)), labels, zoom=1)
    drawn = picture.any(axis=-1)
    ring = labels > 0
    ring[2:4, 2:4] = False
    np.testing.assert_array_equal(drawn, ring)


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, False),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_display_is_seen(monkeypatch, platform, environment, expected):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert has_display() is expected


def test_the_window_gets_image_and_labels(monkeypatch):
    shown = []
    window = ModuleType("napari_unet.widgets.window")
    window.show = lambda *things: shown.append(things)
    monkeypatch.setitem(sys.modules, window.__name__, window)
    image, labels = np.zeros((4, 4), np.uint16), np.zeros((4, 4), np.int32)
    open_window(DemoResult(image, labels, 0, {}, ()))
    ((seen_image, seen_labels, name),) = shown
    assert seen_image is image
    assert seen_labels is labels
    assert name == "sample"


def test_files_that_are_not_of_a_demo_are_not_replaced(tmp_path):
    (tmp_path / "labels.tif").write_text("mine")
    with pytest.raises(FileExistsError, match=r"labels\.tif of something else"):
        run_small(tmp_path)
    assert (tmp_path / "labels.tif").read_text() == "mine"
