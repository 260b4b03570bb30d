from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unet.images.file_axes import file_axes

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
