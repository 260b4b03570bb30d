"""``napari-unet models``: what can be chosen by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from napari_unet.cli.failures import FILES, complain
from napari_unet.cli.options import Json

if TYPE_CHECKING:
    from napari_unet.network.library import ModelFile


SHOWN = ("ap50", "ap75", "mean_ap", "negative_loss")


def models(as_json: Json = False) -> None:
    """List the models that can be chosen by name.

    Example: napari-unet models --json
    """
    from napari_unet.network.library import list_models

    files = list_models()
    rows = [facts for file in files if (facts := model_facts(file))]
    if as_json:
        import json

        print(json.dumps(rows, indent=2))
    elif rows:
        from napari_unet.cli.tables import print_table

        header = ("name", "diameter", "scores", "file")
        print_table(header, map(as_cells, rows), left=(0, 2, 3))
    if len(rows) < len(files):
        raise typer.Exit(FILES)


def model_facts(file: ModelFile) -> dict[str, Any]:
    """Return what a model says of itself; nothing, but a sentence on stderr, if it is damaged."""
    from napari_unet.network.model import load_model_file

    try:
        model = load_model_file(file.path, "cpu")
    except (ValueError, OSError) as error:
        complain(error)
        return {}
    return {
        "name": file.name,
        "built_in": file.built_in,
        "diameter": model.card.diameter,
        "scores": model.card.scores,
        "path": str(file.path),
        "sha256": model.sha256,
    }


def as_cells(facts: dict[str, Any]) -> tuple[str, ...]:
    """Return one row of the table."""
    # A model with scores of many kinds of images shows those of all.
    shown = {name: facts["scores"][name] for name in SHOWN if name in facts["scores"]}
    scores = ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
    return facts["name"], f"{facts['diameter']:.1f} px", scores or "none", facts["path"]
