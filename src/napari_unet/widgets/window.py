"""napari's own window, opened for a result, and the docks in it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet import methods

PLUGIN = methods.PLUGIN  # the name in the manifest


def show(image: NDArray[Any], labels: NDArray[np.int32], name: str) -> None:
    """Open napari on an image and its labels, with the segment dock; return when it is closed."""
    import napari

    viewer = napari.Viewer(title="U-Net nuclei")
    viewer.add_image(image, name=name)
    viewer.add_labels(labels, name=f"{name} nuclei")
    viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    napari.run()


def open_dock(viewer: Any, name: str) -> None:
    """Bring one of the docks to the front, beside those that are open."""
    dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    dock.show()
    dock.raise_()
