"""Images that are opened without being read."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr

from napari_unet.images.files import read_image
from napari_unet.images.lazy import open_image
from napari_unet.images.planes import resized, resized_part


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": {"axes": "ZYX"}},
        {"metadata": {"axes": "ZYX"}, "compression": "zlib", "tile": (16, 16)},
        {"imagej": True, "resolution": (2, 2), "metadata": {"axes": "ZYX", "unit": "um"}},
        {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.5}},
    ],
    ids=["plain", "compressed", "ImageJ", "OME"],
)
def test_a_tiff_file_is_opened_as_it_is_read(tmp_path, options):
    stack = np.arange(3 * 40 * 50, dtype=np.uint16).reshape(3, 40, 50)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", **options)
    opened, read = open_image(tmp_path / "a.tif"), read_image(tmp_path / "a.tif")
    assert type(opened.data) is not np.ndarray
    np.testing.assert_array_equal(opened.data[1, 5:20, ::7], read.data[1, 5:20, ::7])
    for fact in ("axes", "scale", "units", "channels"):
        assert getattr(opened, fact) == getattr(read, fact)


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "rgb", "planarconfig": "separate"},
        {"photometric": "minisblack", "metadata": None},
        {"photometric": "minisblack", "metadata": {"axes": "QYX"}},
    ],
    ids=["colours plane by plane", "no axes", "axes of another field"],
)
def test_axes_that_have_to_be_sorted_out_are_those_of_reading(tmp_path, options):
    pixels = np.arange(3 * 40 * 50, dtype=np.uint16).reshape(3, 40, 50)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    opened, read = open_image(tmp_path / "a.tif"), read_image(tmp_path / "a.tif")
    assert opened.axes == read.axes
    np.testing.assert_array_equal(opened.data, read.data)


def test_colours_plane_by_plane_of_a_stack_are_those_of_reading(tmp_path):
    stack = np.arange(2 * 3 * 40 * 50, dtype=np.uint16).reshape(2, 3, 40, 50)
    options = {"photometric": "rgb", "planarconfig": "separate", "metadata": {"axes": "ZSYX"}}
    tifffile.imwrite(tmp_path / "a.tif", stack, **options)
    opened, read = open_image(tmp_path / "a.tif"), read_image(tmp_path / "a.tif")
    assert opened.axes == read.axes == "ZYXS"
    np.testing.assert_array_equal(opened.data, read.data)


@pytest.mark.parametrize("name", ["a.lsm", "a.svs", "a"])
def test_what_reading_refuses_by_its_name_is_not_opened_either(tmp_path, name):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 50), np.uint8))
    (tmp_path / "a.tif").rename(tmp_path / name)
    with pytest.raises(ValueError, match="convert it to TIFF first"):
        open_image(tmp_path / name)


def test_the_users_axes_win(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros((3, 40, 50), np.uint8))
    assert open_image(tmp_path / "a.zarr").axes == "CYX"
    assert open_image(tmp_path / "a.zarr", "tyx").axes == "TYX"
    with pytest.raises(ValueError, match="one axis letter for each"):
        open_image(tmp_path / "a.zarr", "YX")


def test_a_missing_file_and_a_folder_are_told_of(tmp_path):
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(ValueError, match="got the folder"):
        open_image(tmp_path / "folder.tif")
    with pytest.raises(FileNotFoundError, match="check the path"):
        open_image(tmp_path / "none.tif")


def test_a_broken_file_is_told_of(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0 no image")
    with pytest.raises(ValueError, match="can be read"):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize("size", [(20, 33), (101, 160), (60, 90)])
def test_a_part_is_resampled_as_the_whole_is(size):
    pixels = np.random.default_rng(0).random((2, 60, 90)).astype(np.float32)
    read: list[int] = []

    def part(rows: slice, columns: slice) -> np.ndarray:
        read.append(pixels[:, rows, columns].size)
        return pixels[:, rows, columns]

    place = slice(0, size[0] // 3), slice(size[1] // 2, size[1] // 2 + 5)
    found = resized_part(part, (60, 90), size, place)
    np.testing.assert_allclose(found, resized(pixels, size)[:, *place], atol=1e-6)
    assert read[0] < pixels.size / 2


def test_the_last_pixels_alone_are_resampled_as_the_whole_is():
    pixels = np.random.default_rng(0).random((1, 43, 31)).astype(np.float32)
    place = slice(83, 84), slice(106, 107)
    found = resized_part(lambda rows, columns: pixels[:, rows, columns], (43, 31), (84, 107), place)
    np.testing.assert_allclose(found, resized(pixels, (84, 107))[:, *place], atol=1e-6)
