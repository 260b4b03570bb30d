"""Nuclei that a user painted in another size than the one that a result was made for."""

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_unet.learning.crops import Crop

MOST_TIMES = 3  # larger or smaller: models learn sizes of about half to twice their scale


def size_advice(crops: Sequence["Crop"]) -> str:
    """Return in one sentence that the diameter is wrong; empty if it may be right.

    Parameters
    ----------
    crops : sequence of Crop
        What was corrected on one result.
    """
    painted = painted_diameter(crops)
    if not crops or 1 / MOST_TIMES <= painted / crops[0].diameter <= MOST_TIMES or not painted:
        return ""
    return (
        f"The nuclei that you corrected are about {painted:.0f} px wide, and the result was made "
        f"for {crops[0].diameter:.0f} px; set Diameter to {painted:.0f} in Segment nuclei, segment "
        "again, and correct what is wrong then."
    )


def painted_diameter(crops: Sequence["Crop"]) -> float:
    """Return the typical diameter of the nuclei that are known, in pixels; 0 if there are none."""
    areas = [np.bincount(crop.labels[crop.known])[1:] for crop in crops]
    pooled = np.concatenate([each[each > 0] for each in areas]) if areas else np.zeros(0)
    return 2 * sqrt(float(np.median(pooled)) / np.pi) if pooled.size else 0.0
