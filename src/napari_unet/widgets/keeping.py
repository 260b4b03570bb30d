"""Tuned models that the user keeps: their names, their files, and who hears of them."""

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.events import EventEmitter

from napari_unet.network import SUFFIX
from napari_unet.network.library import BUILT_IN, models_folder

if TYPE_CHECKING:
    from napari_unet.network.card import Card
    from napari_unet.network.model import Model

LINE = "line"
UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # in the names of files, on one system or another
VERSION = re.compile(r"(.*?)(?: v(\d+))?", re.DOTALL)

model_kept = EventEmitter(type_name="model_kept")
"""Called with ``model=name`` when a model has been kept, so that docks can offer it at once."""


def line_of(card: "Card") -> str:
    """Return the name of the model that a line of fine-tuned ones began with."""
    return str(card.training.get(LINE) or card.name)


def free_name(parent: str, taken: Collection[str]) -> str:
    """Return a parent's name with the next version that no model has.

    Examples
    --------
    >>> free_name("nuclei", ["nuclei"])
    'nuclei v1'
    >>> free_name("nuclei v1", ["nuclei", "nuclei v1", "nuclei v4"])
    'nuclei v5'
    """
    stem, version = _parts(parent)
    versions = [number for name, number in map(_parts, taken) if name.lower() == stem.lower()]
    return f"{stem} v{max([version, *versions]) + 1}"


def file_for(name: str, folder: Path) -> Path:
    """Return the new file of a model in a folder.

    Raises
    ------
    ValueError
        If the name cannot be that of a file, or is taken.
    """
    stem = name.strip().removesuffix(SUFFIX)
    if not stem or stem.startswith(".") or stem.endswith(".") or UNFIT.search(stem):
        raise ValueError(
            f"Expected a name of letters, digits, spaces and hyphens, got {name!r}; choose another."
        )
    path = folder / f"{stem}{SUFFIX}"
    if stem.lower() == BUILT_IN or ".checkpoint" in path.suffixes or path.exists():
        raise ValueError(f"Expected a new name, got {stem!r}, which is taken; choose another.")
    return path


def keep(model: "Model", name: str, line: str) -> Path:
    """Save a tuned model among the user's own, and return its file.

    Parameters
    ----------
    model : Model
        Stays as it is.
    name : str
        Of the new model and its file.
    line : str
        What its line began with, see `line_of`.

    Raises
    ------
    ValueError
        If the name is not one, or taken.
    OSError
        If the file cannot be written.
    """
    folder = models_folder()
    path = file_for(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    card = replace(model.card, name=path.stem, training={**model.card.training, LINE: line})
    return replace(model, card=card).save(path)


def _parts(name: str) -> tuple[str, int]:
    """Return a name without its version, and that; 0 where there is none."""
    match = VERSION.fullmatch(name)
    return (match[1], int(match[2] or 0)) if match else (name, 0)
