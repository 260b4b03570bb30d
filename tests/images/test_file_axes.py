from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_unet.images.file_axes import file_axes, holds_image
from napari_unet.images.files import read_image

SHAPE = (5, 20, 30)


@pytest.mark.parametrize("name", ["movie.ome.tif", "movie.tif"])
def test_named_axes_are_found_in_ome_and_imagej_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    is_imagej = not name.endswith(".ome.tif")
    tifffile.imwrite(path, np.zeros(SHAPE, np.uint8), imagej=is_imagej, metadata={"axes": "TYX"})
    assert file_axes(path, SHAPE) == "TYX"


def test_a_file_of_another_shape_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, np.zeros(SHAPE, np.uint8), metadata={"axes": "TYX"})
    assert file_axes(path, (4, 20, 30)) == ""


def test_pages_without_names_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, np.zeros(SHAPE, np.uint8), photometric="minisblack", metadata=None)
    assert file_axes(path, SHAPE) == ""


@pytest.mark.parametrize("name", [None, "gone.tif", "picture.png", "broken.tif"])
def test_what_is_no_tiff_says_nothing(tmp_path: Path, name: str | None) -> None:
    (tmp_path / "broken.tif").write_bytes(b"broken")
    assert file_axes(name and tmp_path / name, SHAPE) == ""


@pytest.mark.parametrize("name", ["cells.tif", "cells.png", "cells.ome.tif"])
def test_a_file_holds_an_image_of_its_own_shape_alone(tmp_path: Path, name: str) -> None:
    path, pixels = tmp_path / name, np.zeros((20, 30), np.uint8)
    iio.imwrite(path, pixels) if name.endswith("png") else tifffile.imwrite(path, pixels)
    assert holds_image(path, read_image(path).data.shape)
    assert not holds_image(path, (30, 20))


def test_colours_that_are_read_as_the_last_axis_are_no_first_one(tmp_path: Path) -> None:
    path = tmp_path / "planar.tif"
    tifffile.imwrite(
        path, np.zeros((3, 20, 30), np.uint8), photometric="rgb", planarconfig="separate"
    )
    assert read_image(path).data.shape == (20, 30, 3)
    assert not holds_image(path, (3, 20, 30))


@pytest.mark.parametrize("name", [None, "gone.tif", "gone.png", "broken.tif", "x.zarr"])
def test_what_cannot_be_read_holds_no_image(tmp_path: Path, name: str | None) -> None:
    (tmp_path / "broken.tif").write_bytes(b"broken")
    assert not holds_image(name and tmp_path / name, SHAPE)
