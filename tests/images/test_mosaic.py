"""Maps of a plane piece by piece."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.images.axes import Plane
from napari_unet.images.intensity import Normalisation
from napari_unet.images.mosaic import Mosaic, ResizedMosaic
from napari_unet.images.planes import plane_reader, read_plane, resized
from napari_unet.images.tiling import Stitch, tiles

WHOLE_PLANE = Plane((slice(None), slice(None)), (slice(None), slice(None)), ())


@pytest.mark.parametrize("tile", [8, 13, 24, 60])
@pytest.mark.parametrize("overlap", [0, 3, 7])
def test_pieces_together_are_the_stitched_plane(tile, overlap):
    rng = np.random.default_rng(0)
    parts = tiles((50, 37), tile, overlap)
    stitch, mosaic = Stitch((50, 37), 2, overlap), Mosaic((50, 37), parts, overlap)
    found = np.full((2, 50, 37), np.nan, np.float32)
    for part in parts:
        sides = [span.stop - span.start for span in part.read]
        maps = rng.random((2, *sides)).astype(np.float32)
        stitch.add(part, maps)
        for place, piece in mosaic.add(part, maps):
            assert np.isnan(found[:, *place]).all()
            found[:, *place] = piece
    np.testing.assert_array_equal(found, stitch.result())


@pytest.mark.parametrize("size", [(60, 40), (23, 19), (131, 77), (60, 41), (1, 1)])
@pytest.mark.parametrize("side", [1, 7, 60])
def test_resized_pieces_together_are_the_resized_plane(size, side):
    pixels = np.random.default_rng(0).random((3, 60, 40)).astype(np.float32)
    resizing = ResizedMosaic((60, 40), size)
    found = np.full((3, *size), np.nan, np.float32)
    for y in range(0, 60, side):
        for x in range(0, 40, 25):
            place = slice(y, min(y + side, 60)), slice(x, min(x + 25, 40))
            for where, ready in resizing.add(place, pixels[:, *place]):
                found[:, *where] = ready
    np.testing.assert_allclose(found, resized(pixels, size), atol=1e-6)


def test_parts_of_a_plane_have_the_limits_of_the_whole_plane():
    image = np.random.default_rng(0).integers(0, 4000, (30, 20)).astype(np.uint16)
    image[:4] = 0
    part = plane_reader(image, WHOLE_PLANE, Normalisation())(slice(2, 9), slice(0, 11))
    whole = read_plane(image, WHOLE_PLANE, Normalisation())
    np.testing.assert_array_equal(part, whole[:, 2:9, :11])


@pytest.mark.parametrize("shape", [(2, 30, 20), (2, 30, 20, 4)], ids=["grey", "with alpha"])
def test_of_a_huge_plane_no_more_is_read_than_asked_for(shape, monkeypatch):
    image = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    rest = (slice(None),) * (len(shape) - 1)
    second, how, asked = Plane((1, *rest), (1, *rest[:2]), ()), Normalisation(), []

    class Watched:
        shape = image.shape

        def __getitem__(self, index):
            asked.append(image[index].size)
            return image[index]

    whole = plane_reader(Watched(), second, how)(slice(2, 9), slice(0, 11))
    assert asked == [image[1].size]
    monkeypatch.setattr("napari_unet.images.planes.LARGEST_WHOLE", 30 * 20 - 1)
    read = plane_reader(Watched(), second, how)
    asked.clear()
    np.testing.assert_array_equal(read(slice(2, 9), slice(0, 11)), whole)
    assert asked == [image[1, 2:9, :11].size]
    # Of one that comes in large pieces each would be read for every part.
    monkeypatch.setattr("napari_unet.images.planes.LARGEST_PIECE", 19)
    for side, n_read in ((20, image[1].size), (19, image[1, 2:9, :11].size)):
        monkeypatch.setattr(Watched, "chunks", (1, side, side, 1)[: len(shape)], raising=False)
        found = plane_reader(Watched(), second, how)(slice(2, 9), slice(0, 11))
        np.testing.assert_array_equal(found, whole)
        assert asked[-1] == n_read
