"""The distance between planes by the shape of nuclei."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_unet.nuclei.flatness import distance_of_planes


def boxes(height: int, width: int, n: int = 9) -> NDArray[np.int32]:
    """Return a stack with nuclei of one size, side by side."""
    labels = np.zeros((height + 4, 4 * (width + 2), 4 * (width + 2)), np.int32)
    for at in range(n):
        row, column = (width + 2) * (at // 4) + 1, (width + 2) * (at % 4) + 1
        labels[2 : 2 + height, row : row + width, column : column + width] = at + 1
    return labels


@pytest.mark.parametrize(("height", "width"), [(2, 8), (5, 5), (8, 4)])
def test_it_is_the_width_over_the_number_of_planes(height, width):
    expected = 2 * width / np.sqrt(np.pi) / height
    assert distance_of_planes(boxes(height, width)) == pytest.approx(expected)


def test_fragments_hardly_count():
    labels = boxes(4, 12)
    labels[0, 1::3, 1::3] = np.arange(100, 100 + labels[0, 1::3, 1::3].size).reshape(19, 19)
    assert distance_of_planes(np.pad(labels, 1)) == pytest.approx(distance_of_planes(boxes(4, 12)))


def test_cut_nuclei_and_few_ones_say_nothing():
    assert distance_of_planes(boxes(4, 6, n=4)) is None
    assert distance_of_planes(boxes(4, 6)[3:]) is None
    assert distance_of_planes(boxes(4, 6, n=8)[:, 2:]) is None
    assert distance_of_planes(boxes(4, 6, n=9)[:, 2:]) is not None
    assert distance_of_planes(np.zeros((3, 4, 4), np.int32)) is None
