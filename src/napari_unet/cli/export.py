"""``napari-unet export``: a model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_unet.cli.failures import USAGE, refused, stop
from napari_unet.cli.options import Overwrite, open_unet


def export(
    model: Annotated[str, typer.Argument(help="Model, by name or file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="New file: .pt, .onnx or .zip (bioimageio).")
    ],
    format: Annotated[
        str | None,
        typer.Option(
            help="torchscript, onnx or bioimageio; as the file's ending says if not given.",
            show_default=False,
        ),
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(help="Of the model, for bioimageio; may be given several times."),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--license",
            help="SPDX name of what the model is given away under, for bioimageio.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a model for other programs.

    TorchScript and ONNX take normalised pixels and give the maps. A package of the BioImage Model
    Zoo (bioimage.io) holds all that is needed to run the model elsewhere, with a test image, and
    the model as it is: 'models import' takes it in again. 'models export' copies the model alone.

    Example: napari-unet export nuclei -o nuclei.onnx
    """
    from napari_unet.network.exporting import export_for_others, format_of

    with refused():
        chosen = format_of(output, format)
    if chosen != "bioimageio" and (author or licence):
        stop("--author and --license are for --format bioimageio; leave them out.", USAGE)
    export_for_others(
        open_unet(model, "cpu"),
        output,
        format=format,
        authors=author or (),
        licence=licence,
        overwrite=overwrite,
    )
    print(output)
