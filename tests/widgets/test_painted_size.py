"""The size of what was painted, beside the size that a result was made for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_unet.learning.crops import Crop
from napari_unet.widgets.painted_size import painted_diameter, size_advice


def crop(*sides: int, diameter: float = 20.0) -> Crop:
    """Squares of these sides, each known with its row, and one that is not known."""
    labels, known = np.zeros((100, 200), np.int32), np.zeros((100, 200), bool)
    labels[90:, 150:] = 99
    for number, side in enumerate(sides, start=1):
        corner = 40 * (number - 1)
        labels[:side, corner : corner + side] = number
        known[:, corner : corner + 40] = True
    known[80:] = False
    pixels = np.zeros((100, 200), np.uint8)
    return Crop(pixels, labels, known, diameter, (0.0, 1.0), "cells", "a")


def test_the_typical_diameter_is_that_of_a_disc_of_the_median_area() -> None:
    crops = [crop(10, 30), crop(20)]
    assert painted_diameter(crops) == pytest.approx(2 * math.sqrt(400 / math.pi))
    assert painted_diameter([]) == painted_diameter([crop()]) == 0.0


@pytest.mark.parametrize("side", [7, 18, 39])
def test_nothing_is_said_of_nuclei_of_about_the_right_size(side: int) -> None:
    assert size_advice([crop(side)]) == ""


def test_nothing_is_said_where_no_nucleus_is_painted() -> None:
    assert size_advice([crop()]) == size_advice([]) == ""


@pytest.mark.parametrize(("side", "wide"), [(5, 6), (39, 44)])
def test_much_smaller_or_larger_nuclei_need_another_diameter(side: int, wide: int) -> None:
    diameter = 20.0 if side == 5 else 14.0
    assert size_advice([crop(side, diameter=diameter)]) == (
        f"The nuclei that you corrected are about {wide} px wide, and the result was made for "
        f"{diameter:.0f} px; set Diameter to {wide} in Segment nuclei, segment again, and correct "
        "what is wrong then."
    )
