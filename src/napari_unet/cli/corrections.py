"""``napari-unet corrections``: what is remembered for a model, shared or forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_unet.cli.failures import refused
from napari_unet.cli.options import Json, Overwrite

if TYPE_CHECKING:
    from napari_unet.learning.store import Store

ModelName = Annotated[str, typer.Argument(help="Model, by name or file; its line is meant.")]
Archive = Annotated[Path, typer.Argument(help="A .zip file.")]

corrections = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@corrections.callback()
def describe() -> None:
    """Show, export, import and forget remembered corrections.

    The dock "Fine-tune on corrections" remembers what is corrected, and learns from it again for
    every model of the same line: the one that it began with, and all that were tuned from it.

    Example: napari-unet corrections show nuclei
    """


@corrections.command()
def show(model: ModelName, as_json: Json = False) -> None:
    """Show how much is remembered for a model, and where.

    Example: napari-unet corrections show nuclei --json
    """
    store = store_of(model)
    size = store.size()
    if as_json:
        import json

        facts = {"nuclei": size.n_nuclei, "crops": size.n_crops, "bytes": size.n_bytes}
        print(json.dumps({**facts, "folder": str(store.folder)}, indent=2))
    else:
        print(f"{size.n_nuclei} nuclei, {size.n_bytes / 1e6:.1f} MB in {store.folder}")


@corrections.command()
def export(model: ModelName, archive: Archive, overwrite: Overwrite = False) -> None:
    """Write all that is remembered for a model into one file, for a colleague.

    Example: napari-unet corrections export nuclei corrections.zip
    """
    from napari_unet.network.files import check_new

    check_new(archive, overwrite=overwrite)
    with refused():
        n_crops = store_of(model).export(archive)
    print(f"{archive}: {n_crops} crops")


@corrections.command("import")
def import_(model: ModelName, archive: Archive) -> None:
    """Take in what a colleague exported; every crop is checked first.

    Example: napari-unet corrections import nuclei corrections.zip
    """
    print(f"{store_of(model).import_(archive)} crops taken in")


@corrections.command()
def forget(
    model: ModelName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget all that is remembered for a model; labels and models stay.

    Example: napari-unet corrections forget nuclei --yes
    """
    store = store_of(model)
    if not yes:
        typer.confirm(f"Forget {store.size().n_nuclei} corrected nuclei?", abort=True)
    print(f"{store.empty()} crops forgotten")


def store_of(model: str) -> Store:
    """Return what is remembered for a model and its line; a name that none has is wrong usage."""
    from napari_unet.learning.store import Store
    from napari_unet.network.files import read_card
    from napari_unet.network.library import find_model, models_folder

    with refused():
        file = find_model(model)
    return Store.of_line(models_folder().parent, read_card(file.path).line)
