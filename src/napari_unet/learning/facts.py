"""What a tuned model's card says of how it came about, however the fine-tune was started."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import PureWindowsPath
from typing import Any

import numpy as np

from napari_unet.learning.crops import Crop
from napari_unet.learning.gate import Marks
from napari_unet.network.card import LINE
from napari_unet.network.model import Model

OWN_ID = re.compile(r" [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")  # of the layer, in a source


def tuning_facts(
    parent: Model,
    crops: Sequence[Crop],
    before: Marks,
    after: Marks,
    *,
    steps: int,
    seconds: float,
) -> dict[str, Any]:
    """Return the facts by which a history of models is told; `network.provenance` reads them.

    Parameters
    ----------
    parent : Model
        The model that was tuned.
    crops : sequence of Crop
        What was corrected.
    before, after : Marks
        Of the parent and of the tuned model.
    steps : int
        Of the run.
    seconds : float
        Its duration.
    """
    return {
        LINE: parent.card.line,
        "parent_name": parent.name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "image_names": sorted({image_name(crop.source) for crop in crops}),
        "n_nuclei": count_nuclei(crops),
        "steps": steps,
        "seconds": round(seconds, 1),
        "held_out": after.held_out,
        "before": _scores(before),
        "after": _scores(after),
    }


def image_name(source: str) -> str:
    """Return the name of a crop's image: folders stay on the computer where it was corrected.

    Examples
    --------
    >>> image_name("/home/ada/plate 7.tif 123e4567-e89b-12d3-a456-426614174000")
    'plate 7.tif'
    """
    name = OWN_ID.sub("", source)
    # It knows the separators of all systems.
    return PureWindowsPath(name).name or name or "image"


def count_nuclei(crops: Iterable[Crop]) -> int:
    """Return how many nuclei crops vouch for; one that several show counts once."""
    return len(
        {
            (crop.source, int(label))
            for crop in crops
            for label in np.setdiff1d(crop.labels[crop.known], [0])
        }
    )


def _scores(marks: Marks) -> dict[str, float]:
    return {
        "corrected": marks.corrected,
        "kept": marks.kept,
        "rehearsed": marks.rehearsed,
    }
