"""The commands together."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from napari_unet.cli.convert import convert
from napari_unet.cli.corrections import corrections
from napari_unet.cli.demo import demo
from napari_unet.cli.evaluate import evaluate
from napari_unet.cli.export import export
from napari_unet.cli.failures import FailingGroup
from napari_unet.cli.finetune import finetune
from napari_unet.cli.measure import measure
from napari_unet.cli.models import models
from napari_unet.cli.segment import segment
from napari_unet.cli.train import train

app = typer.Typer(
    name="napari-unet",
    cls=FailingGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (demo, segment, evaluate, train, finetune, measure, export, convert):
    app.command()(command)
app.add_typer(models, name="models")
app.add_typer(corrections, name="corrections")


def print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        from napari_unet import __version__

        print(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Segment cell nuclei in microscopy images with a U-Net.

    Example: napari-unet segment plate7/ -o labels/
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command line."""
    # A terminal or a file in an old encoding must not stop a run for the name of an image.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
