"""``napari-unet segment`` block by block: larger than memory, stopped, on a cluster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

import napari_unet
from napari_unet.images.files import read_image, read_labels
from napari_unet.images.ome_zarr import open_ome_zarr
from napari_unet.images.synthetic import nuclei_field, nuclei_stack


@pytest.fixture
def pixels() -> np.ndarray:
    return nuclei_field((300, 260), n=90, diameter=20.0, seed=4)[0]


def write_image(path: Path, image: np.ndarray, axes: str, version: int) -> Path:
    """Write an OME-Zarr image of 0.5 µm pixels."""
    named = [{"name": letter.lower(), "type": "space", "unit": "micrometer"} for letter in axes]
    scale = [{"type": "scale", "scale": [0.5] * len(axes)}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    scales = {"multiscales": [{"axes": named, "datasets": datasets}]}
    nested = {"ome": scales | {"version": "0.5"}}
    group = zarr.create_group(
        path, zarr_format=version, attributes=nested if version == 3 else scales
    )
    group.create_array("0", data=image, chunks=(64,) * image.ndim)
    return path


def labels_at(path: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(path / "0", mode="r"))


@pytest.mark.parametrize("version", [2, 3])
def test_labels_of_an_ome_zarr_image_are_put_into_it(run, tmp_path, pixels, bright_model, version):
    image = write_image(tmp_path / "a.ome.zarr", pixels, "YX", version)
    done = run("segment", image, "-m", bright_model, "--blocks", 100)
    assert done.exit_code == 0, done.output
    expected = napari_unet.segment(pixels, "YX", model=bright_model)
    inside = image / "labels" / "nuclei"
    np.testing.assert_array_equal(labels_at(inside), expected)
    found = open_ome_zarr(inside)
    assert (found.axes, found.scale["X"], found.units["X"]) == ("YX", 0.5, "um")
    attributes = dict(zarr.open_group(image / "labels", mode="r").attrs)
    assert attributes.get("ome", attributes)["labels"] == ["nuclei"]
    assert sorted(path.name for path in (image / "labels").iterdir() if path.is_dir()) == ["nuclei"]


def test_a_pyramid_halves_the_labels(run, tmp_path, bright_model):
    pixels = nuclei_field((700, 1100), n=200, diameter=20.0, seed=4)[0]
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    out = tmp_path / "out.ome.zarr"
    options = ("-m", bright_model, "--diameter", 20)
    assert run("segment", tmp_path / "a.tif", "-o", out, *options).exit_code == 0
    levels = [np.asarray(zarr.open_array(out / str(n), mode="r")) for n in range(3)]
    assert [level.shape for level in levels] == [(700, 1100), (350, 550), (175, 275)]
    np.testing.assert_array_equal(levels[2], levels[0][::4, ::4])


@pytest.mark.parametrize("name", ["out.tif", "out.ome.tif"])
def test_a_tiff_file_of_blocks_is_that_of_memory(run, tmp_path, bright_model, name):
    stack = nuclei_stack((3, 130, 150), n=30, diameter=20.0, seed=1)[0]
    details = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(1, 1), metadata=details)
    options = ("-m", bright_model, "--diameter", 20)
    assert run("segment", tmp_path / "a.tif", *options).exit_code == 0
    blocks = ("--blocks", 64, "-o", tmp_path / name)
    assert run("segment", tmp_path / "a.tif", *options, *blocks).exit_code == 0
    expected = read_labels(tmp_path / "a_labels.tif")
    assert expected.max() > 5
    np.testing.assert_array_equal(read_labels(tmp_path / name), expected)
    found = read_image(tmp_path / name)
    assert (found.axes, found.scale["Z"], found.units["Z"]) == ("ZYX", 2.0, "um")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["a.tif", "a_labels.tif", name, bright_model.name]
    )


def test_one_label_file_for_two_images_is_wrong_usage(run, assert_refused, tmp_path, bright_model):
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    result = run("segment", *paths, "-o", tmp_path / "out.zarr", "-m", bright_model)
    assert_refused(result, 2, "Expected one image for the label file")


def test_an_empty_zarr_folder_is_told(run, assert_refused, tmp_path, bright_model):
    (tmp_path / "a.zarr").mkdir()
    assert_refused(run("segment", tmp_path / "a.zarr", "-m", bright_model), 1, "OME-Zarr image")
