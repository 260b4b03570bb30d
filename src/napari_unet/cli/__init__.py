"""The command line: ``napari-unet``, one file per command."""

from napari_unet.cli.app import app, main

__all__ = ["app", "main"]
