from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.draw import disk, ellipse

from napari_unet.nuclei.splitting import parts_of


def pixels(mask: np.ndarray) -> np.ndarray:
    return np.stack(np.nonzero(mask))


def drawn(mask: np.ndarray, anisotropy: float = 1.0) -> np.ndarray:
    """Return the parts as an image."""
    parts = np.zeros(mask.shape, int)
    parts[mask] = parts_of(pixels(mask), anisotropy)
    return parts


def discs(*circles: tuple[tuple[int, int], int]) -> np.ndarray:
    mask = np.zeros((60, 90), bool)
    for centre, radius in circles:
        mask[disk(centre, radius)] = True
    return mask


def test_two_discs_that_touch_are_cut_between_them() -> None:
    parts = drawn(discs(((30, 25), 15), ((30, 52), 14)))
    assert (parts[:, :36].max(), parts.max()) == (1, 2)
    assert (parts[30, 37], parts[30, 42]) == (1, 2)
    assert (parts[:, 46:][parts[:, 46:] > 0] == 2).all()


def test_the_largest_part_is_the_first() -> None:
    parts = drawn(discs(((30, 20), 10), ((30, 45), 17)))
    assert parts[30, 20] == 2
    assert parts[30, 45] == 1


def test_three_in_a_row_are_three() -> None:
    parts = drawn(discs(((30, 15), 12), ((30, 37), 12), ((30, 59), 12)))
    assert sorted(parts[30, [15, 37, 59]]) == [1, 2, 3]


def test_without_a_neck_it_is_cut_across_its_long_axis() -> None:
    mask = np.zeros((60, 60), bool)
    mask[ellipse(30, 30, 10, 20, rotation=0.6)] = True
    parts = drawn(mask)
    assert parts.max() == 2
    np.testing.assert_allclose(np.bincount(parts[mask])[1:], mask.sum() / 2, rtol=0.05)
    middles = np.array(ndimage.center_of_mass(mask, parts, [1, 2]))
    along = middles[1] - middles[0]
    assert abs(np.arctan2(along[0], along[1])) % np.pi == pytest.approx(
        abs(np.arctan2(np.sin(0.6), np.cos(0.6))), abs=0.1
    )


@pytest.mark.parametrize("step", [1, -1])
def test_every_part_is_one_piece(step: int) -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:12] = mask[5:11, 5:30] = mask[30:35, 5:30] = True
    parts = drawn(mask[:, ::step])
    assert parts.max() > 1
    for part in range(1, parts.max() + 1):
        assert ndimage.label(parts == part)[1] == 1


@pytest.mark.parametrize(
    "mask", [discs(((30, 30), 12)), np.ones((1, 1), bool), np.ones((3, 3), bool)]
)
def test_a_round_or_tiny_nucleus_cannot_be_split(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Expected a nucleus with a neck or a long axis"):
        parts_of(pixels(mask))


def test_a_bump_is_no_part() -> None:
    mask = discs(((30, 30), 15))
    mask[28:33, 45:48] = True
    with pytest.raises(ValueError, match="neck"):
        parts_of(pixels(mask))


def test_balls_above_each_other_are_cut_in_depth() -> None:
    z, y, x = np.ogrid[:13, :30, :30]
    # Planes twice as far apart as pixels.
    balls = [4 * (z - at) ** 2 + (y - 15) ** 2 + (x - 15) ** 2 < 49 for at in (3, 9)]
    parts = drawn(balls[0] | balls[1], anisotropy=2.0)
    assert parts.max() == 2
    assert np.unique(parts[3]).tolist() != np.unique(parts[9]).tolist()
    assert len(np.unique(parts[3])) == len(np.unique(parts[9])) == 2


def test_one_plane_of_a_volume_is_cut_as_a_plane_is() -> None:
    mask = discs(((30, 25), 15), ((30, 52), 14))
    flat = pixels(mask)
    within = np.stack([np.full(flat.shape[1], 7), *flat])
    assert parts_of(within, anisotropy=3.0).tolist() == parts_of(flat).tolist()
