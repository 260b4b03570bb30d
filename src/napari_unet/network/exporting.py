"""Models for other programs: which formats there are, and one of them written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet.network.files import check_new

if TYPE_CHECKING:
    from napari_unet.network.model import Model

ENDINGS = {"torchscript": ".pt", "onnx": ".onnx", "bioimageio": ".zip"}
"""Of the files of each format."""


def format_of(path: Path, name: str | None = None) -> str:
    """Return the format that a file is to have: the one that is named, or that of its ending.

    Raises
    ------
    ValueError
        If there is no such format, or the file has another ending.

    Examples
    --------
    >>> format_of(Path("nuclei.onnx"))
    'onnx'
    """
    known = ", ".join(f"{ending} ({name})" for name, ending in ENDINGS.items())
    if name is not None and name not in ENDINGS:
        raise ValueError(
            f"Expected one of {', '.join(ENDINGS)} as the format, got {name!r}; choose one."
        )
    chosen = [key for key, ending in ENDINGS.items() if path.suffix.lower() == ending]
    if not chosen or name not in (None, *chosen):
        wanted = known if name is None else ENDINGS[name]
        raise ValueError(
            f"Expected a file that ends in {wanted}, got {path.name!r}; change the ending."
        )
    return chosen[0]


def export_for_others(
    model: Model,
    path: Path,
    *,
    format: str | None = None,
    authors: Sequence[str] = (),
    licence: str | None = None,
    overwrite: bool = False,
) -> str:
    """Write a model to a file that other programs run, and return its format.

    Parameters
    ----------
    model : Model
        Is moved to the CPU.
    path : Path
        The file.
    format : str, optional
        One of `ENDINGS`; that of the file's ending if not given.
    authors : sequence of str
        Names of who made the model, for a package of the zoo.
    licence : str, optional
        SPDX identifier of what the model is given away under, for a package of the zoo.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ValueError
        If there is no such format, or the file has another ending.
    FileExistsError
        If the file is there and `overwrite` is not set.
    ImportError
        If the libraries for the format are not installed.
    OSError
        If the file cannot be written.
    """
    chosen = format_of(path, format)
    check_new(path, overwrite=overwrite)
    if chosen == "bioimageio":
        from napari_unet.network.zoo import write_package

        write_package(model, path, authors, licence)
    else:
        from napari_unet.network import exchange

        writers = {"torchscript": exchange.write_torchscript, "onnx": exchange.write_onnx}
        writers[chosen](model, path)
    return chosen
