"""``napari-unet convert``."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_unet.images.files import read_image, read_labels, write_labels

UM = {"Y": "um", "X": "um"}


@pytest.fixture
def labels(tmp_path):
    data = np.zeros((20, 30), np.int32)
    data[2:9, 3:11] = 2
    data[4:6, 5:7] = 0
    data[12:16, 20:28] = 7
    write_labels(tmp_path / "a_labels.tif", data, "YX", {"Y": 0.5, "X": 0.5}, UM)
    return data


@pytest.mark.parametrize("ending", ["zip", "geojson", "json"])
def test_labels_go_out_and_come_back_with_the_size_of_their_image(run, labels, ending, tmp_path):
    outside, back = tmp_path / f"a.{ending}", tmp_path / "new" / "back.tif"
    result = run("convert", tmp_path / "a_labels.tif", "-o", outside)
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'a_labels.tif'} -> {outside}\n")
    options = ("--image", tmp_path / "a_labels.tif", "-o", back)
    assert run("convert", outside, *options).exit_code == 0
    np.testing.assert_array_equal(read_labels(back), labels)
    assert read_image(back).scale == {"Y": 0.5, "X": 0.5}


def test_without_an_image_the_labels_are_as_small_as_can_be(run, labels, tmp_path):
    run("convert", tmp_path / "a_labels.tif", "-o", tmp_path / "a.zip")
    assert run("convert", tmp_path / "a.zip", "-o", tmp_path / "b.png").exit_code == 0
    np.testing.assert_array_equal(read_labels(tmp_path / "b.png"), labels[:16, :28])


def test_outlines_lie_on_an_image_with_channels(run, labels, tmp_path):
    run("convert", tmp_path / "a_labels.tif", "-o", tmp_path / "a.geojson")
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((2, 20, 30), np.uint8), metadata={"axes": "CYX"})
    options = ("--image", tmp_path / "c.tif", "--axes", "CYX", "-o", tmp_path / "b.tif")
    result = run("convert", tmp_path / "a.geojson", *options)
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(read_labels(tmp_path / "b.tif"), labels)


def test_what_cannot_be_done_is_refused(run, assert_refused, labels, tmp_path):
    known, there = tmp_path / "a_labels.tif", tmp_path / "there.zip"
    there.write_bytes(b"precious")
    assert_refused(run("convert", known, "-o", tmp_path / "a.svg"), 2, "ends in .zip (ImageJ)")
    assert_refused(run("convert", tmp_path / "no.zip", "-o", known), 1, "check the path")
    assert_refused(run("convert", there, "-o", tmp_path / "b.tif"), 1, "Expected outlines")
    assert_refused(run("convert", known, "-o", there), 1, "existing")
    assert there.read_bytes() == b"precious"
    assert run("convert", known, "-o", there, "--overwrite").exit_code == 0


def test_the_help_has_an_example(run):
    assert "Example: napari-unet convert" in run("convert", "--help").stdout
