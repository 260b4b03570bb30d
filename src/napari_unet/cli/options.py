"""The options that several commands share, and what they become."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet.cli.failures import FILES, USAGE, refused, stop
from napari_unet.network import PRECISIONS, SUFFIX

if TYPE_CHECKING:
    from napari_unet.network.model import Model
    from napari_unet.network.onnx_model import AnyModel
    from napari_unet.segmentation import SegmentSettings


ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="A name that 'napari-unet models' lists, or a .safetensors file; the built-in one "
        "if not given.",
        show_default=False,
    ),
]
Device = Annotated[
    str, typer.Option(help="cuda, mps (Apple) or cpu; auto takes the fastest that works.")
]
Precision = Annotated[
    str,
    typer.Option(
        help=f"What the network computes in: {', '.join(PRECISIONS[1:])}; auto takes what the "
        "device is fast at."
    ),
]
Axes = Annotated[
    str | None,
    typer.Option(
        help="One letter per axis, such as ZYX or TCYX, if the files do not say or are wrong: "
        "T time, Z depth, C channel, Y, X, S colour.",
        show_default=False,
    ),
]
Channel = Annotated[
    int | None,
    typer.Option(min=0, help="Which channel shows the nuclei, from 0.", show_default=False),
]
NamedChannel = Annotated[
    str | None,
    typer.Option(
        "--channel",
        help="Which channel shows the nuclei: its number from 0, or its name in the files.",
        show_default=False,
    ),
]
Diameter = Annotated[
    float | None,
    typer.Option(help="Of a typical nucleus, in pixels; estimated if not given."),
]
Link = Annotated[
    str | None,
    typer.Option(
        help="How planes along Z become nuclei: auto, volume (in 3-D), overlap (plane by plane, "
        "then linked) or none.",
        show_default=False,
    ),
]
Quality = Annotated[
    str | None,
    typer.Option(
        help="fast, or best: the mean over eight flips and turns of the image, 8 times slower.",
        show_default=False,
    ),
]
Views = Annotated[
    str | None,
    typer.Option(
        help="What the network sees of a stack: planes, or three: from two sides as well, which is "
        "better where planes are up to two pixels apart, and slower.",
        show_default=False,
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(
        help="Side of the squares, in pixels, in which the network sees an image; smaller ones "
        "need less memory.",
        show_default=False,
    ),
]
Anisotropy = Annotated[
    float | None,
    typer.Option(
        help="Distance between planes along Z in pixels; if not given, as each file says; if that "
        "says nothing, estimated.",
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


def given(**options: Any) -> dict[str, Any]:
    """Leave out the options that the user did not give, so that defaults stay the engine's."""
    return {name: value for name, value in options.items() if value is not None}


def number_and_name(channel: str | None) -> tuple[int | None, str | None]:
    """Return a channel that was given by number or name as both, of which one is None.

    Examples
    --------
    >>> number_and_name("1"), number_and_name("DAPI"), number_and_name(None)
    ((1, None), (None, 'DAPI'), (None, None))
    """
    if channel is None:
        return None, None
    try:
        number = int(channel)
    except ValueError:
        return None, channel
    if number < 0:
        stop(
            f"Expected a --channel of 0 and above, or a name, got {channel}; 0 is the first.", USAGE
        )
    return number, None


def check_axes(axes: str | None) -> None:
    """Refuse axes that no image can have, before any file is opened."""
    from napari_unet.images.axes import parse_axes

    letters = (axes or "YX").replace(",", "").replace(" ", "")
    with refused():
        parse_axes(letters, (4,) * len(letters))


def check_model_output(output: Path, *, may_exist: bool, ways: str = "--overwrite") -> None:
    """Refuse a file that could not be written after a long run, and make its folder."""
    if output.suffix != SUFFIX:
        stop(f"Expected a {SUFFIX} file for the model, got {output}; change the ending.", USAGE)
    if output.exists() and not may_exist:
        stop(
            f"Expected a new file, got the existing {output}; choose another name, or give {ways}.",
            FILES,
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(output.parent, os.W_OK):
        stop(f"The folder {output.parent} cannot be written; choose another one.", FILES)


def open_model(name: str | None, device: str, chosen: str = PRECISIONS[0]) -> AnyModel:
    """Load a model; no such device, precision or name is wrong usage, a bad file is not."""
    from napari_unet.network.device import choose_device, precision
    from napari_unet.network.library import BUILT_IN, load_model

    with refused():
        precision(choose_device(device), chosen)
    name = name or BUILT_IN
    try:
        return load_model(name, device, chosen)
    except ValueError as error:
        stop(error, FILES if Path(name).suffix == SUFFIX else USAGE)


def open_unet(name: str | None, device: str) -> Model:
    """Load a model that can learn; one of another program is the wrong one to choose."""
    from napari_unet.network.library import load_unet

    model = open_model(name, device)
    with refused():
        return load_unet(model)


def settings_for(model: AnyModel, **choices: Any) -> SegmentSettings:
    """Return the settings that suit a model, with the options that were given."""
    from napari_unet.api import model_settings

    with refused():
        return model_settings(model, **given(**choices))
