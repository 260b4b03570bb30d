"""``napari-unet models``: what can be chosen by name, and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from napari_unet.cli import model_files
from napari_unet.cli.failures import FILES, complain, refused
from napari_unet.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_unet.network.history import Branch, Version


SHOWN = ("ap50", "ap75", "mean_ap", "negative_loss")
HEADER = ("name", "parent", "date", "corrections", "scores")
Known = Annotated[str, typer.Argument(help="Model, by name or file.")]

models = typer.Typer(rich_markup_mode=None)


@models.callback(invoke_without_command=True)
def list_all(context: typer.Context, as_json: Json = False) -> None:
    """List, show, compare, rename, delete models.

    Without a command, the models that can be chosen by name are listed, those that were tuned
    below the ones that they were tuned from.

    Example: napari-unet models --json
    """
    if context.invoked_subcommand is not None:
        return
    from napari_unet.network.history import list_versions

    found = list_versions()
    versions = [version for version in found if not version.problem]
    for version in found:
        if version.problem:
            complain(version.problem)
    if as_json:
        print_json(versions)
    else:
        print_tree(versions)
    if len(versions) < len(found):
        raise typer.Exit(FILES)


@models.command()
def show(model: Known, as_json: Json = False) -> None:
    """Show all that is known of a model.

    Example: napari-unet models show "nuclei v1"
    """
    version = known(model)
    if as_json:
        print_json([version])
        return
    from napari_unet.cli.tables import print_table
    from napari_unet.network.history import describe, list_versions

    facts = describe(version, list_versions())
    rows = [(name, text) for name, text in facts.items() if text]
    print_table(("", version.name), rows, left=(0, 1))


@models.command()
def compare(first: Known, second: Known, as_json: Json = False) -> None:
    """Show what is known of two models side by side.

    Example: napari-unet models compare nuclei "nuclei v1"
    """
    one, other = known(first), known(second)
    if as_json:
        print_json([one, other])
        return
    from napari_unet.cli.tables import print_table
    from napari_unet.network import history

    rows = history.compare(one, other, history.list_versions())
    print_table(("", one.name, other.name), rows, left=(0, 1, 2))


for command in model_files.COMMANDS:
    models.command(command.__name__.rstrip("_").replace("_", "-"))(command)


def known(model: str) -> Version:
    """Return what a model's file says; a name that none has is wrong usage, a bad file is not."""
    from napari_unet.network.history import read_version
    from napari_unet.network.library import find_model

    with refused():
        file = find_model(model)
    version = read_version(file)
    if version.problem:
        complain(version.problem)
        raise typer.Exit(FILES)
    return version


def print_json(versions: Sequence[Version]) -> None:
    """Print all that is known of models."""
    import json

    from napari_unet.network.history import as_json, list_versions

    every = list_versions()
    print(json.dumps([as_json(version, every) for version in versions], indent=2))


def print_tree(versions: Sequence[Version]) -> None:
    """Print a table of models, each below its parent, and where the user's own are."""
    from napari_unet.cli.tables import print_table
    from napari_unet.network.history import ancestry, walk
    from napari_unet.network.library import models_folder

    rows = [as_cells(depth, branch, versions) for depth, branch in walk(ancestry(versions))]
    print_table(HEADER, rows, left=(0, 1, 2, 4))
    print(f"\nYour own models are in {models_folder()}")


def as_cells(depth: int, branch: Branch, versions: Sequence[Version]) -> tuple[str, ...]:
    """Return one row of the table."""
    from napari_unet.network.history import parent_text

    version = branch.version
    if version is None:
        return (f"{'  ' * depth}{branch.name} (gone)", "", "", "", "")
    learned = version.learned
    return (
        "  " * depth + version.name,
        parent_text(version, versions),
        learned.when,
        "" if learned.n_nuclei is None else f"{learned.n_nuclei} nuclei",
        scores_text(version),
    )


def scores_text(version: Version) -> str:
    """Return what a fine-tune brought, or the scores on validation images of all kinds."""
    from napari_unet.network.provenance import known_scores

    if change := version.learned.change("corrected"):
        return f"overlap {change}"
    scores = known_scores(version.card) if version.card else {}
    shown = {name: scores[name] for name in SHOWN if name in scores}
    return ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
