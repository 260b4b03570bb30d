"""Between layers and the table of nuclei: which images, where in the world, whose columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_unet.images.axes import guess_axes, parse_axes
from napari_unet.nuclei.measure import symbol
from napari_unet.nuclei.measuring import INDEX_NAMES, Task
from napari_unet.widgets.certainty import INDEX
from napari_unet.widgets.corrections import facts_of, is_result, labels_axes
from napari_unet.widgets.layers import full_resolution, layer_axes
from napari_unet.widgets.own_columns import COLUMNS, by_nucleus

COLOURS = ("red", "green", "blue")
LABEL = "label"  # what a table calls the number of a nucleus


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of an image, as an array of the labels' axes that is read part by part.

    Parameters
    ----------
    pixels : array-like
        The image.
    axis : int
        Where its channels are.
    index : int
        Which one.
    is_kept : bool
        Whether the labels have that axis too, with one entry.
    """

    pixels: Any
    axis: int
    index: int
    is_kept: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the labels that fit."""
        before, after = self.pixels.shape[: self.axis], self.pixels.shape[self.axis + 1 :]
        return (*before, *((1,) if self.is_kept else ()), *after)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the type of the pixels."""
        dtype: np.dtype[Any] = self.pixels.dtype
        return dtype

    def __getitem__(self, place: tuple[int | slice, ...]) -> NDArray[Any]:
        """Read a part; along the axis of the channels it is a whole entry."""
        before, after = place[: self.axis], place[self.axis + self.is_kept :]
        return np.asarray(self.pixels[(*before, self.index, *after)])


@dataclass(frozen=True, eq=False)
class Source:
    """Something whose intensity can be measured: an image, or a channel of one."""

    name: str
    pixels: Any


def likely_axes(layer: Labels) -> str:
    """Return the most likely axes of a labels layer; empty where there are too many to guess."""
    shape = tuple(full_resolution(layer).shape)
    if is_result(layer):
        return labels_axes(facts_of(layer)["axes"])
    named = not all(name.lstrip("-").isdigit() for name in layer.axis_labels)
    try:
        axes = guess_axes(shape, axis_labels=layer.axis_labels if named else ())
    except ValueError:
        return ""
    # Labels have no channels and no colours: what looks like them is depth.
    return axes if named else _without_channels(axes, len(shape))


def _without_channels(axes: str, ndim: int) -> str:
    plain = {2: "YX", 3: "ZYX", 4: "TZYX"}
    return plain.get(ndim, axes) if set("CS") & set(axes) else axes


def each_plane_likely(layer: Labels) -> bool:
    """Tell whether the planes of a result were segmented as images of their own."""
    return is_result(layer) and facts_of(layer)["settings"]["link"] == "none"


def checked_axes(layer: Labels, text: str) -> str:
    """Return the axes that a user has typed for a labels layer.

    Raises
    ------
    ValueError
        If they do not fit the layer's shape, or have colours.
    """
    shape = tuple(full_resolution(layer).shape)
    axes = parse_axes(text, shape)
    if "S" in axes or ("C" in axes and shape[axes.index("C")] > 1):
        raise ValueError(
            f"Expected axes of labels, out of T, Z, Y and X, got {axes!r}; use Z for planes and T "
            "for frames."
        )
    return axes


def sources(layers: Sequence[Any], labels: Labels, axes: str) -> list[Source]:
    """Return what has the shape of a labels layer, image by image and channel by channel."""
    images = [layer for layer in layers if isinstance(layer, Image)]
    return [source for image in images for source in _sources_of(image, labels, axes)]


def _sources_of(image: Image, labels: Labels, axes: str) -> list[Source]:
    pixels, shape = full_resolution(image), tuple(full_resolution(labels).shape)
    if not image.rgb and tuple(pixels.shape) == shape:
        return [Source(image.name, pixels)]
    axis = pixels.ndim - 1 if image.rgb else _channel_axis(image, labels)
    if axis < 0:
        return []
    names = COLOURS if image.rgb else range(pixels.shape[axis])
    channels = [Channel(pixels, axis, index, "C" in axes) for index in range(len(names))]
    return [
        Source(f"{image.name} {name}", channel)
        for name, channel in zip(names, channels, strict=True)
        if channel.shape == shape
    ]


def _channel_axis(image: Image, labels: Labels) -> int:
    """Return which axis of an image its channels are, -1 if it has none."""
    if is_result(labels) and facts_of(labels)["image_id"] == str(image.unique_id):
        return int(facts_of(labels)["axes"].find("C"))
    try:
        return layer_axes(image).find("C")
    except ValueError:
        return -1


def task_of(layer: Labels, axes: str, chosen: Sequence[Source], *, each_plane: bool) -> Task:
    """Return what is to be measured, in the world's units.

    Parameters
    ----------
    layer : Labels
        The nuclei.
    axes : str
        One letter for each of its axes.
    chosen : sequence of Source
        What ends the names of the columns is the source's name, if there are more than one.
    each_plane : bool
        Measure each plane along Z for itself.

    Raises
    ------
    ValueError
        If the axes have units that cannot be compared.
    """
    transform, unit = _in_one_unit(layer, axes, world_transform(layer))
    images = {source.name if len(chosen) > 1 else "": source.pixels for source in chosen}
    return Task(full_resolution(layer), axes, images, transform, unit, each_plane)


def world_transform(layer: Any) -> NDArray[np.float64]:
    """Return what takes a place in the layer's array to one in the world, (axes, axes + 1).

    Scale, translation, rotation, shear and affine transform, all in one.
    """
    origin = np.array(layer.data_to_world(np.zeros(layer.ndim)), float)
    ends = [layer.data_to_world(unit) for unit in np.eye(layer.ndim)]
    return np.column_stack([*(np.array(end, float) - origin for end in ends), origin])


def _in_one_unit(
    layer: Labels, axes: str, transform: NDArray[np.float64]
) -> tuple[NDArray[np.float64], str]:
    """Return the transform with all places in the unit of x, and that unit."""
    own = layer.units[-1]
    factors = np.ones(len(axes))
    for axis, (letter, unit) in enumerate(zip(axes, layer.units, strict=True)):
        if letter not in "ZYX" or unit == own:
            continue
        if not unit.is_compatible_with(own):
            raise ValueError(
                f"Expected one kind of unit along y, x and planes, got {unit} and {own}; give the "
                "layer's axes the same unit."
            )
        factors[axis] = (1 * unit).to(own).magnitude
    if str(own) != "pixel":
        return factors[:, None] * transform, symbol([], str(own))
    has_scale = not np.allclose(np.linalg.norm(transform[:, :-1], axis=0), 1)
    return transform, symbol([], None) if has_scale else symbol(None, None)


def with_features(layer: Labels, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of nuclei with what others wrote into the layer's features.

    What is in both is taken from the table, and what an earlier table brought goes. A nucleus is
    found as `by_nucleus` does; in a movie by its frame as well, if the features have one.
    """
    new = table.rename(columns={LABEL: INDEX})
    new = new[[INDEX, *(name for name in new.columns if name != INDEX)]]
    others = by_nucleus(layer)
    keys = [INDEX, *(name for name in INDEX_NAMES.values() if name in new and name in others)]
    earlier = {*new.columns, *layer.metadata.get(COLUMNS, ())}.difference(keys)
    others = others.drop(columns=[name for name in others.columns if name in earlier])
    if len(others.columns) == len(keys):
        return new
    return new.merge(others.drop_duplicates(keys), how="left", on=keys)


def write_features(layer: Labels, table: pd.DataFrame) -> None:
    """Write a table of nuclei into the layer's features; columns that others wrote stay."""
    layer.features = with_features(layer, table)
    names = [name for name in table.columns if name != LABEL]
    layer.metadata[COLUMNS] = names


def for_file(features: pd.DataFrame) -> pd.DataFrame:
    """Return features as they go into a file: frame and nucleus first, which is called label.

    If somebody else's column is called that already, the nucleus stays under ``index``.
    """
    table = features if LABEL in features else features.rename(columns={INDEX: LABEL})
    first = [name for name in (*INDEX_NAMES.values(), INDEX, LABEL) if name in table]
    return table[[*first, *(name for name in table.columns if name not in first)]]
