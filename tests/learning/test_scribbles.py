from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_unet.learning.corrections import from_scribbles


def plane(*rows: str) -> NDArray[np.int32]:
    """Return labels drawn with one digit per pixel, a dot for background."""
    return np.array([[int(c) for c in row.replace(".", "0")] for row in rows], np.int32)


def test_scribbles_are_known_where_they_are_painted_alone() -> None:
    found = from_scribbles(plane("3.3.1", ".3..1", "3...1", "..4.."), background=1)
    assert found.labels.tolist() == plane("1.1..", ".1...", "1....", "..2..").tolist()
    assert found.known.tolist() == (plane("1.1.1", ".1..1", "1...1", "..1..") > 0).tolist()
    assert found.changed.tolist() == [1, 2]
    assert found.summary() == "2 nuclei added"


def test_pieces_of_one_value_are_several_nuclei_unless_they_touch() -> None:
    stack = np.stack([plane("33.3"), plane("...."), plane("3..4")])
    found = from_scribbles(stack, background=9)
    assert found.labels[:, 0].tolist() == [[1, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]]
    assert found.summary() == "4 nuclei added on 2 planes"


def test_scribbles_of_nothing_are_empty() -> None:
    found = from_scribbles(plane("...."), background=1)
    assert not found
    assert found.summary() == "nothing corrected yet"


def test_scribbled_background_alone_is_known() -> None:
    found = from_scribbles(plane(".11."), background=1)
    assert found
    assert found.known.tolist() == [[False, True, True, False]]
    assert not found.labels.any()


def test_unpainted_cannot_stand_for_background() -> None:
    with pytest.raises(ValueError, match="got 0, which is where nothing is painted"):
        from_scribbles(plane("1."), background=0)
