"""The first click of a newcomer, in a window: sample, dock, Segment nuclei; fail without nuclei.

    tools/display python tools/first_click.py PyQt6

The name is that of the binding of Qt that has to be in use.
"""

import sys
import time
from pathlib import Path

import napari
import qtpy
from napari.layers import Labels
from npe2 import PluginManager
from qtpy.QtTest import QTest

import napari_unet

PLUGIN = "napari-unet-nuclei"
LONGEST = 300  # seconds


def click(viewer: napari.Viewer) -> int:
    """Open the sample and the dock, click, and return the number of nuclei that are found."""
    viewer.open_sample(PLUGIN, "field")
    there = [*viewer.layers]  # with the true nuclei of the sample
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    start = dock.button.text
    dock.button.native.click()
    end = time.monotonic() + LONGEST
    # The button says Cancel while the dock is at work.
    while dock.button.text != start and time.monotonic() < end:
        QTest.qWait(100)
    new = [layer for layer in viewer.layers if layer not in there and isinstance(layer, Labels)]
    return max((int(layer.data.max()) for layer in new), default=0)


def main() -> None:
    package = Path(napari_unet.__file__).resolve()
    if not package.is_relative_to(Path(sys.prefix).resolve()):
        sys.exit(f"Expected the installed package, got {package}.")
    manifests = PluginManager.instance()
    manifests.discover()
    if PLUGIN not in manifests:
        sys.exit(f"npe2 does not find {PLUGIN}.")
    print(f"npe2 found {PLUGIN} {manifests.get_manifest(PLUGIN).package_version}")
    if sys.argv[1:] != [qtpy.API_NAME]:
        sys.exit(f"Expected Qt by {sys.argv[1:]}, got {qtpy.API_NAME}.")
    viewer = napari.Viewer()
    n_nuclei = click(viewer)
    viewer.close()
    if not n_nuclei:
        sys.exit("The dock found no nuclei in the sample.")
    print(f"with {qtpy.API_NAME} the dock found {n_nuclei} nuclei")


if __name__ == "__main__":
    main()
