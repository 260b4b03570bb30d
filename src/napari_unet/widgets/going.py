"""How a place of a layer gets into the middle of the canvas."""

from typing import Any

import numpy as np
from napari.layers import Layer
from numpy.typing import ArrayLike

SMALLEST, LARGEST = 40, 300  # px on the screen of what is gone to


def bring_into_view(
    viewer: Any, layer: Layer, point: ArrayLike, low: ArrayLike, high: ArrayLike
) -> None:
    """Bring a place into the middle of the canvas, on its plane, neither tiny nor too large.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows the layer.
    layer : Layer
        Has the place.
    point : (axes,) float
        What comes into the middle, in pixels of the layer.
    low, high : (axes,) float
        Corners of a box around what is to be seen.
    """
    shift = viewer.dims.ndim - layer.ndim
    centre = layer.data_to_world(point)
    for axis in viewer.dims.not_displayed:
        if axis >= shift:
            viewer.dims.set_point(axis, centre[axis - shift])
    shown = [axis - shift for axis in viewer.dims.displayed]
    if min(shown) < 0:
        return
    camera = viewer.scene.camera
    camera.center = tuple(centre[axis] for axis in shown)
    ends = [np.asarray(layer.data_to_world(end))[shown] for end in (low, high)]
    size = float(np.abs(ends[1] - ends[0]).max())
    camera.zoom = float(np.clip(camera.zoom, SMALLEST / size, LARGEST / size))
