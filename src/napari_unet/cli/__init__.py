"""The command line: ``napari-unet``, one file per command."""

from napari_unet.cli.commands import app, main

__all__ = ["app", "main"]
