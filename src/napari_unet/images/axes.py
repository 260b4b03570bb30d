"""Which axis of an array is which, and the walk over its planes.

Axes are written as a string with one upper-case letter per axis: T time, Z depth, C channel,
Y rows, X columns, and S for the colour samples of an RGB or RGBA image (always last).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

LETTERS = "TZCYXS"

WORDS = {
    "t": "T", "time": "T", "frame": "T", "frames": "T",
    "z": "Z", "depth": "Z", "slice": "Z", "plane": "Z",
    "c": "C", "ch": "C", "channel": "C", "channels": "C",
    "y": "Y", "row": "Y", "rows": "Y", "height": "Y",
    "x": "X", "column": "X", "columns": "X", "col": "X", "width": "X",
    "s": "S", "sample": "S", "samples": "S", "rgb": "S", "rgba": "S",
}  # fmt: skip

MOST_CHANNELS_GUESSED = 4
FAR_LARGER = 8


@dataclass(frozen=True)
class Plane:
    """Where one two-dimensional plane is read from an image and written to its labels.

    Attributes
    ----------
    read : tuple of int or slice
        ``image[plane.read]`` has the shape (y, x), or (y, x, s) for colour images.
    write : tuple of int or slice
        ``labels[plane.write]`` has the shape (y, x).
    position : tuple of (str, int)
        Letter and index of each walked axis, such as ``(("T", 0), ("Z", 3))``.
    """

    read: tuple[int | slice, ...]
    write: tuple[int | slice, ...]
    position: tuple[tuple[str, int], ...]

    @property
    def frame(self) -> tuple[tuple[str, int], ...]:
        """The position but for Z: planes that share it are of one stack."""
        return tuple(at for at in self.position if at[0] != "Z")


def parse_axes(text: str, shape: tuple[int, ...]) -> str:
    """Return the axes in upper case, checked against the shape they name.

    Parameters
    ----------
    text : str
        One letter per axis; lower case, spaces and commas are accepted.
    shape : tuple of int
        Shape of the array that the axes name.

    Raises
    ------
    ValueError
        When the letters do not fit the shape or each other.

    Examples
    --------
    >>> parse_axes("z, y, x", (24, 128, 128))
    'ZYX'
    """
    axes = axis_letters(text)
    _check_letters(axes)
    if len(axes) != len(shape):
        raise ValueError(
            f"Expected one axis letter for each of the {len(shape)} dimensions of the shape "
            f"{tuple(shape)}, got {text!r}; name every axis once, such as "
            f"{_example(len(shape))!r}."
        )
    if axes.endswith("S") and shape[-1] not in (3, 4):
        raise ValueError(
            f"Expected 3 (RGB) or 4 (RGBA) colour samples along the axis S, got {shape[-1]}; "
            "use C for an axis of channels."
        )
    return axes


def axis_letters(text: str) -> str:
    """Return axes as a user types them in upper case, without spaces and commas."""
    return text.upper().replace(",", "").replace(" ", "")


def guess_axes(
    shape: tuple[int, ...], *, rgb: bool = False, axis_labels: Sequence[str] = ()
) -> str:
    """Return the most likely axes of an array.

    The first rule that fits wins:

    1. *Names*: every one of `axis_labels` is a known letter or word ("y", "Time", "channel") and
       together they are valid axes. napari's unnamed "-3", "-2", "-1" are not names. The colour
       axis may be left unnamed when `rgb` is true, as napari does.
    2. *Colour*: `rgb`, or a last axis of 3 or 4 while the two before it are at least 8 times as
       long: the axes end in YXS.
    3. *Shape*: 2-D is YX; 3-D is CYX when the first axis is *short*, else ZYX; 4-D is ZCYX
       (ImageJ's order) when only the second axis is short, CZYX when only the first is, else
       TZYX; 5-D is TCZYX when only the second axis is short, else TZCYX.

    An axis is *short* when it has 2 to 4 entries and y and x are both at least 8 times as long.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    rgb : bool
        Whether the last axis holds colour samples.
    axis_labels : sequence of str
        Names of the axes, where the viewer or the file knows them.

    Raises
    ------
    ValueError
        When the array has fewer than two axes, or more than can be named.

    Examples
    --------
    >>> guess_axes((24, 128, 128)), guess_axes((3, 512, 512)), guess_axes((512, 512, 3))
    ('ZYX', 'CYX', 'YXS')
    >>> guess_axes((12, 160, 160), axis_labels=("time", "y", "x"))
    'TYX'
    """
    named = _axes_from_names(shape, rgb, axis_labels)
    if named:
        return named
    colour = rgb or _ends_in_colour(shape)
    spatial = shape[:-1] if colour else shape
    if not 2 <= len(spatial) <= 5:
        raise ValueError(
            f"Expected an image of 2 to 5 axes besides colour, got the shape {tuple(shape)}; "
            "take one part of the image, such as one position."
        )
    return _axes_from_shape(spatial) + ("S" if colour else "")


def planes(axes: str, shape: tuple[int, ...], channel: int | None = None) -> Iterator[Plane]:
    """Return an iterator over the planes of an image, in the order of its own T and Z axes.

    Parameters
    ----------
    axes : str
        Axes of the image, such as "TZCYX".
    shape : tuple of int
        Shape of the image.
    channel : int, optional
        Index along C; the first channel when it is left out.

    Raises
    ------
    ValueError
        When the axes do not fit the shape, or there is no such channel.

    Examples
    --------
    >>> [plane.position for plane in planes("ZYX", (2, 64, 64))]
    [(('Z', 0),), (('Z', 1),)]
    """
    axes = parse_axes(axes, shape)
    chosen = _checked_channel(axes, shape, channel)
    walked = [letter for letter in axes if letter in "TZ"]
    counts = [shape[axes.index(letter)] for letter in walked]
    return (
        _plane(axes, tuple(zip(walked, indices, strict=True)), chosen)
        for indices in np.ndindex(*counts)
    )


def label_axes(axes: str) -> str:
    """Return the axes of the labels of an image: its own without channel and colour.

    Examples
    --------
    >>> label_axes("TZCYX"), label_axes("YXS")
    ('TZYX', 'YX')
    """
    return axes.replace("C", "").replace("S", "")


def label_shape(axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the labels of an image: its own without channel and colour.

    Examples
    --------
    >>> label_shape("CYX", (3, 512, 256))
    (512, 256)
    """
    return tuple(n for letter, n in zip(axes, shape, strict=True) if letter not in "CS")


def _check_letters(axes: str) -> None:
    unknown = sorted(set(axes) - set(LETTERS))
    repeated = sorted({letter for letter in axes if axes.count(letter) > 1})
    if unknown:
        raise ValueError(
            f"Expected axes out of the letters {', '.join(LETTERS)}, got {unknown[0]!r} in "
            f"{axes!r}; use Z for depth, T for time, C for channels and S for colour."
        )
    if repeated:
        raise ValueError(
            f"Expected every axis once, got {repeated[0]!r} more than once in {axes!r}; "
            "give each axis its own letter."
        )
    if "Y" not in axes or axes.find("X") < axes.find("Y"):
        raise ValueError(
            f"Expected the axes Y and X, Y before X, got {axes!r}; name the rows Y and the "
            "columns X, or transpose the image."
        )
    if "S" in axes[:-1]:
        raise ValueError(
            f"Expected the colour axis S in last place, got {axes!r}; use C for an axis of "
            "channels, or move the colours last."
        )


def _example(n_axes: int) -> str:
    return {3: "ZYX", 4: "TZYX", 5: "TZCYX", 6: "TZCYXS"}.get(n_axes, "YX")


def _axes_from_names(shape: tuple[int, ...], rgb: bool, names: Sequence[str]) -> str:
    letters = [WORDS.get(str(name).strip().lower(), "") for name in names]
    if rgb and len(letters) == len(shape) - 1:
        letters.append("S")
    if not letters or not all(letters) or (rgb and letters[-1] != "S"):
        return ""
    try:
        return parse_axes("".join(letters), shape)
    except ValueError:
        return ""


def _ends_in_colour(shape: tuple[int, ...]) -> bool:
    return len(shape) >= 3 and shape[-1] in (3, 4) and min(shape[-3:-1]) >= FAR_LARGER * shape[-1]


def _axes_from_shape(shape: tuple[int, ...]) -> str:
    short = [
        2 <= n <= MOST_CHANNELS_GUESSED and min(shape[-2:]) >= FAR_LARGER * n for n in shape[:-2]
    ]
    match short:
        case []:
            return "YX"
        case [first]:
            return "CYX" if first else "ZYX"
        case [False, True]:
            return "ZCYX"
        case [True, False]:
            return "CZYX"
        case [_, _]:
            return "TZYX"
        case [_, True, False]:
            return "TCZYX"
        case _:
            return "TZCYX"


def _checked_channel(axes: str, shape: tuple[int, ...], channel: int | None) -> int:
    if "C" not in axes:
        if channel is None:
            return 0
        raise ValueError(
            f"Expected no channel for an image with the axes {axes!r}, got channel {channel}; "
            "leave the channel out, or name the channel axis C."
        )
    n_channels = shape[axes.index("C")]
    if not 0 <= (channel or 0) < n_channels:
        raise ValueError(
            f"Expected a channel from 0 to {n_channels - 1}, got {channel or 0} for an image "
            f"with {n_channels} channels; choose one that exists."
        )
    return channel or 0


def _plane(axes: str, position: tuple[tuple[str, int], ...], channel: int) -> Plane:
    index = {**dict(position), "C": channel}
    read = tuple(index.get(letter, slice(None)) for letter in axes)
    write = tuple(index.get(letter, slice(None)) for letter in label_axes(axes))
    return Plane(read, write, position)
