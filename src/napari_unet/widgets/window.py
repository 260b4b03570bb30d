"""napari's own window, opened for a result, and the docks in it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QDockWidget

from napari_unet import methods

PLUGIN = methods.PLUGIN  # the name in the manifest
DISPLAY_NAME = "U-Net nuclei"  # there, too


def show(image: NDArray[Any], labels: NDArray[np.int32], name: str) -> None:
    """Open napari on an image and its labels, with the segment dock; return when it is closed."""
    import napari

    viewer = napari.Viewer(title=DISPLAY_NAME)
    viewer.add_image(image, name=name)
    viewer.add_labels(labels, name=f"{name} nuclei")
    viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    napari.run()


def open_dock(viewer: Any, name: str) -> None:
    """Bring one of the docks to the front, beside those that are open."""
    # napari's menus name the plugin otherwise, and the window does not find their docks by ours.
    opened = viewer.window.dock_widgets.get(f"{name} ({DISPLAY_NAME})")
    if opened is None:
        dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    else:
        dock = _dock_around(opened.native)
    dock.show()
    dock.raise_()


def _dock_around(widget: Any) -> Any:
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
