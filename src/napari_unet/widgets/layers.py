"""Between napari's layers and arrays: pixels, axes and places in the world."""

from itertools import product
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_unet.images.axes import guess_axes, parse_axes
from napari_unet.images.file_axes import file_axes
from napari_unet.images.spacing import anisotropy, scale_by_axis

SPATIAL = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def full_resolution(layer: Image) -> Any:
    """Return the layer's array; the finest level of a multiscale image."""
    return layer.data[0] if layer.multiscale else layer.data


def layer_axes(layer: Image) -> str:
    """Return the most likely axes of an image layer, "S" last for RGB.

    Names that the layer has win, then what its file says, then its shape.

    Raises
    ------
    ValueError
        If the layer has more axes than can be named.
    """
    shape = tuple(full_resolution(layer).shape)
    if all(label.lstrip("-").isdigit() for label in layer.axis_labels):
        axes = file_axes(layer.source.path, shape) or guess_axes(shape, rgb=layer.rgb)
    else:
        axes = guess_axes(shape, rgb=layer.rgb, axis_labels=layer.axis_labels)
    # napari shows colours that it was not told of as an axis with a slider, like channels.
    return axes if layer.rgb or "C" in axes else axes.replace("S", "C")


def checked_axes(layer: Image, text: str) -> str:
    """Return the axes that a user has typed for a layer.

    Raises
    ------
    ValueError
        If they do not fit the layer's shape, or "S" is missing for colours or stands for an
        axis that napari does not show as colour.
    """
    axes = parse_axes(text, tuple(full_resolution(layer).shape))
    if axes.endswith("S") != layer.rgb:
        needed = "ending in S, for an RGB layer" if layer.rgb else "without S, C for channels"
        raise ValueError(f"Expected axes {needed}, got {axes!r}; correct the axes.")
    return axes


def spatial_fields(layer: Image, axes: str) -> dict[str, Any]:
    """Return where labels of this image lie: keyword arguments of `napari.layers.Labels`.

    Labels have no channels. napari aligns layers from their last axis, so a leading channel
    axis is left out, and another one stays as a single entry that spans all channels.

    Parameters
    ----------
    layer : Image
        The image.
    axes : str
        One letter per axis of its array.
    """
    fields = {name: getattr(layer, name) for name in SPATIAL}
    fields["affine"] = layer.affine.affine_matrix
    dims = axes.removesuffix("S")
    if "C" not in dims:
        return fields
    if dims.startswith("C"):
        return _without_first_axis(fields, len(dims))
    return _spanning(fields, dims.index("C"), full_resolution(layer).shape[dims.index("C")])


def _without_first_axis(fields: dict[str, Any], ndim: int) -> dict[str, Any]:
    """Return the spatial fields of all axes but the first."""
    shorter = {name: fields[name][1:] for name in ("scale", "translate", "units", "axis_labels")}
    shorter |= {name: np.asarray(fields[name])[1:, 1:] for name in ("rotate", "affine")}
    # The upper triangle of a shear matrix, row by row: the first row is the first axis's.
    return shorter | {"shear": np.asarray(fields["shear"])[ndim - 1 :]}


def _spanning(fields: dict[str, Any], axis: int, length: int) -> dict[str, Any]:
    """Return the spatial fields with one entry of an axis as wide as all of its ``length``."""
    scale, translate = (np.array(fields[name], float) for name in ("scale", "translate"))
    translate[axis] += scale[axis] * (length - 1) / 2
    scale[axis] *= length
    return fields | {"scale": scale, "translate": translate}


def as_layer_data(labels: NDArray[np.int32], axes: str) -> NDArray[np.int32]:
    """Return labels with the axes that `spatial_fields` describes."""
    dims = axes.removesuffix("S")
    return np.expand_dims(labels, dims.index("C")) if dims.find("C") > 0 else labels


def visible_region(layer: Image, axes: str, viewer: Any, region: str) -> tuple[slice, ...]:
    """Return the part of an image's array that is on the screen.

    Parameters
    ----------
    layer : Image
        The image.
    axes : str
        One letter per axis of its array.
    viewer : napari.Viewer
        Shows it.
    region : {"everything", "this plane", "this view"}
        All; the shown frame and plane; or the part of these that the canvas shows.

    Raises
    ------
    ValueError
        If the canvas shows something else than a plane of y and x, or nothing of the image.
    """
    place = [slice(None)] * len(axes)
    if region == "everything":
        return tuple(place)
    shown = {axis - viewer.dims.ndim + layer.ndim for axis in viewer.dims.displayed}
    if shown != {axes.index("Y"), axes.index("X")}:
        raise ValueError(
            f"Expected a canvas that shows y and x for {region!r}, got another view; "
            "go back to the 2-D view of planes, or choose everything."
        )
    corners, shape = _corners_of_view(layer, viewer), full_resolution(layer).shape
    for axis, letter in enumerate(axes.removesuffix("S")):
        if axis not in shown and letter in "TZ":
            index = shown_index(layer, viewer, axis)
            place[axis] = slice(index, index + 1)
        elif axis in shown and region == "this view":
            first, last = (int(corner) for corner in corners[:, axis])
            if first >= last and shape[axis] > 1:
                raise ValueError(
                    f"Expected a part of {layer.name!r} on the canvas, got none; move the view "
                    "or choose another region."
                )
            place[axis] = slice(first, last + 1)
    return tuple(place)


def _corners_of_view(layer: Image, viewer: Any) -> NDArray[np.intp]:
    """Return the first and last pixel, (2, axes), of the finest level that the canvas shows."""
    corners = np.asarray(layer.corner_pixels)
    if not layer.multiscale:
        return corners
    factors = layer.downsample_factors[layer.data_level]
    loaded = np.stack([corners[0] * factors, (corners[1] + 1) * factors - 1]).astype(np.intp)
    # Of several levels these are the pixels that napari has loaded, which may be many more.
    shown = _box_of_camera(layer, viewer)
    return np.stack([np.maximum(loaded[0], shown[0]), np.minimum(loaded[1], shown[1])])


def _box_of_camera(layer: Image, viewer: Any) -> NDArray[np.intp]:
    """Return the first and last pixel, (2, axes), of a box around all that the camera sees.

    A layer that is turned fills the canvas by a turned part of it: the box holds its corners.
    """
    displayed = list(viewer.dims.displayed)
    half = np.array(viewer.canvas.size) / 2 / viewer.scene.camera.zoom
    corners = []
    for signs in product((-1, 1), repeat=2):
        world = np.array(viewer.dims.point, float)
        world[displayed] = np.array(viewer.scene.camera.center[-2:]) + signs * half
        corners.append(layer.world_to_data(world[-layer.ndim :]))
    return np.stack([np.floor(np.min(corners, 0)), np.ceil(np.max(corners, 0))]).astype(np.intp)


def shown_plane(layer: Layer, names: str, viewer: Any) -> tuple[int, ...] | None:
    """Return the frame and the plane that the canvas shows of a layer; None in another view.

    Parameters
    ----------
    layer : Layer
        An image or labels.
    names : str
        One letter per axis that the layer has in the viewer.
    viewer : napari.Viewer
        Shows it.
    """
    shown = [axis - viewer.dims.ndim + layer.ndim for axis in viewer.dims.displayed]
    if {names[axis] for axis in shown if axis >= 0} != {"Y", "X"}:
        return None
    return tuple(shown_index(layer, viewer, names.index(it)) for it in "TZ" if it in names)


def shown_index(layer: Image, viewer: Any, axis: int) -> int:
    """Return the index along an axis of the layer's array that the viewer's slider is at."""
    point = layer.world_to_data(viewer.dims.point[-layer.ndim :])
    return int(np.clip(round(point[axis]), 0, full_resolution(layer).shape[axis] - 1))


def pixel_size(layer: Image) -> tuple[float, str]:
    """Return the size of a pixel along x and its unit, "pixel" where the layer has none."""
    if not _has_unit(layer):
        return float(layer.scale[-1]), "pixel"
    # From pint 0.26 on micro is Greek's mu.
    return float(layer.scale[-1]), f"{layer.units[-1]:~P}".replace("\N{GREEK SMALL LETTER MU}", "µ")


def _has_unit(layer: Image) -> bool:
    """Tell whether the layer's x axis is measured in a length."""
    return str(layer.units[-1]) != "pixel"


def plane_distance(layer: Image, axes: str) -> float | None:
    """Return the distance between planes along Z in pixels, None where it is not known.

    napari gives layers a scale of 1 along all axes where it knows none.
    """
    if not _has_unit(layer) and np.all(np.abs(layer.scale) == 1):
        return None
    dims = axes.removesuffix("S")
    units = {letter: str(unit) for letter, unit in zip(dims, layer.units, strict=True)}
    # A mirrored layer has negative sizes.
    return anisotropy(scale_by_axis(tuple(np.abs(layer.scale)), dims), units)


def add_on_top(viewer: Any, layer: Layer) -> None:
    """Add a layer on top; what was selected, and is painted on, stays so."""
    selection = viewer.layers.selection
    selected, active = set(selection), selection.active
    viewer.add_layer(layer)
    selection.select_only(active) if active is not None else selection.clear()
    selection.update(selected)
