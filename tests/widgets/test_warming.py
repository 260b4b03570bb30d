"""What the first click needs is loaded while the dock is open, once, and in silence."""

from __future__ import annotations

import subprocess
import sys

from napari_unet.widgets import warming

FIRST_DOCK = """
import sys, napari
from qtpy.QtTest import QTest
viewer = napari.Viewer(show=False)
assert "torch" not in sys.modules
viewer.window.add_plugin_dock_widget("napari-unet-nuclei", "Segment nuclei")
for _ in range(6000):
    if "napari_unet.network.model" in sys.modules:
        break
    QTest.qWait(20)
print("torch" in sys.modules)
viewer.close()
"""


def test_the_first_dock_loads_torch_before_anybody_clicks():
    done = subprocess.run(
        [sys.executable, "-c", FIRST_DOCK], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"]


def test_nothing_is_loaded_twice(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", sys)
    monkeypatch.setattr(warming, "QTimer", None)
    warming.warm_up("nuclei", "auto", "auto")


def test_what_fails_is_left_to_the_click():
    warming._load_and_run("no such model", "no such device", "auto")
