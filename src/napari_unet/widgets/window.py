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


def open_dock(viewer: Any, name: str, *, tabify: bool = True) -> Any:
    """Bring one of the docks to the front, and return the widget in it.

    One that is not open is opened, as a tab beside those that are or else below them.
    """
    # napari's menus name the plugin otherwise, and the window does not find their docks by ours.
    widget = viewer.window.dock_widgets.get(f"{name} ({DISPLAY_NAME})")
    if widget is None:
        dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=tabify)
    else:
        dock = _dock_around(widget.native)
    dock.show()
    dock.raise_()
    return widget


def _dock_around(widget: Any) -> Any:
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
