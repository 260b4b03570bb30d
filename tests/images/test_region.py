from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_unet.images.region import Region

IMAGE = np.arange(4 * 5 * 6).reshape(4, 5, 6)
PLACE = (slice(1, 4), slice(None), slice(2, 5))


@pytest.mark.parametrize(
    "index",
    [
        (0, slice(None), slice(None)),
        (2, slice(1, 3), slice(0, 2)),
        (slice(None), 4, -1),
        (slice(1, None), slice(0, 0), slice(None)),
        (slice(None, None, 2), slice(1, None, 3), slice(None, None, 1)),
    ],
)
def test_a_region_reads_what_a_slice_of_the_array_holds(index: tuple[int | slice, ...]) -> None:
    np.testing.assert_array_equal(Region(IMAGE, PLACE)[index], IMAGE[PLACE][index])


def test_nothing_is_read_before_it_is_asked_for() -> None:
    asked: list[Any] = []

    class Watched:
        shape = IMAGE.shape

        def __getitem__(self, index: Any) -> Any:
            asked.append(index)
            return IMAGE[index]

    region = Region(Watched(), PLACE)
    assert region.shape == (3, 5, 3)
    assert asked == []
    region[0, slice(None), slice(None)]
    assert asked == [(1, slice(0, 5), slice(2, 5))]


def test_an_index_outside_the_region_is_refused() -> None:
    with pytest.raises(IndexError):
        Region(IMAGE, PLACE)[3, slice(None), slice(None)]
