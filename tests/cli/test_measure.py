"""``napari-unet measure``."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_unet.cli.measure import calibration
from napari_unet.images.files import ImageFile, write_labels
from napari_unet.images.ome_zarr import create_labels, write_labels_at


def table_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_nuclei_are_measured_in_the_units_of_the_file(run, assert_refused, tmp_path):
    labels = np.zeros((20, 30), np.int32)
    labels[2:6, 2:8] = 1
    labels[10:12, 10:12] = 5
    um = {"Y": "um", "X": "um"}
    write_labels(tmp_path / "a_labels.tif", labels, "YX", {"Y": 0.5, "X": 0.5}, um)
    iio.imwrite(tmp_path / "a.png", (labels * 10).astype(np.uint8))
    table = tmp_path / "new" / "a.csv"
    result = run("measure", tmp_path / "a_labels.tif", "--image", tmp_path / "a.png", "-o", table)
    assert result.exit_code == 0, result.output
    rows = table_rows(table)
    assert [(row["label"], float(row["area_um2"])) for row in rows] == [("1", 6.0), ("5", 1.0)]
    assert [float(row["intensity_mean"]) for row in rows] == [10.0, 50.0]
    assert_refused(run("measure", tmp_path / "a_labels.tif", "-o", table), 1, "a.csv")
    assert run("measure", tmp_path / "a_labels.tif", "-o", table, "--overwrite").exit_code == 0
    assert "intensity_mean" not in table_rows(table)[0]


def test_nuclei_with_pixels_that_are_no_numbers_are_counted(run, tmp_path):
    labels = np.zeros((2, 20, 30), np.int32)
    labels[:, 2:6, 2:8] = 1
    image = labels.astype(np.float32)
    image[1, 2, 2] = np.nan
    write_labels(tmp_path / "a_labels.tif", labels, "TYX")
    tifffile.imwrite(tmp_path / "a.tif", image, metadata={"axes": "TYX"})
    table = tmp_path / "a.csv"
    result = run("measure", tmp_path / "a_labels.tif", "--image", tmp_path / "a.tif", "-o", table)
    assert result.exit_code == 0, result.output
    assert "1 nucleus has pixels that are NaN or infinite" in " ".join(result.stderr.split())
    assert [row["intensity_mean"] for row in table_rows(table)] == ["1.0", "1.0"]
    assert [row["intensity_sum"] for row in table_rows(table)] == ["24.0", "23.0"]


@pytest.mark.parametrize("size", [None, 0.5])
def test_labels_and_image_may_be_ome_zarr(run, tmp_path, size):
    labels = np.zeros((20, 30), np.int32)
    labels[2:6, 2:8] = 1
    labels[10:12, 10:12] = 5
    scale, units = ({"Y": size, "X": size}, {"Y": "um", "X": "um"}) if size else ({}, {})
    write_labels(tmp_path / "a.tif", labels, "YX", scale, units)
    for name, pixels in (("a.ome.zarr", labels), ("image.ome.zarr", labels * 10)):
        create_labels(tmp_path / name, pixels.shape, "YX", 20, scale, units)
        write_labels_at(tmp_path / name, (slice(0, 20), slice(0, 30)), pixels)
    outputs = []
    for source in ("a.tif", "a.ome.zarr"):
        table, outlines = tmp_path / f"{source}.csv", tmp_path / f"{source}.geojson"
        image = "--image", tmp_path / "image.ome.zarr"
        result = run("measure", tmp_path / source, *image, "-o", table)
        assert result.exit_code == 0, result.output
        assert run("convert", tmp_path / source, "-o", outlines).exit_code == 0
        outputs.append((table.read_text(), outlines.read_text()))
    assert outputs[0] == outputs[1]
    assert [row["intensity_mean"] for row in table_rows(table)] == ["10.0", "50.0"]


def test_a_damaged_chunk_of_labels_is_refused(run, assert_refused, tmp_path):
    create_labels(tmp_path / "a.ome.zarr", (20, 30), "YX", 20, {}, {})
    write_labels_at(
        tmp_path / "a.ome.zarr", (slice(0, 20), slice(0, 30)), np.ones((20, 30), np.int32)
    )
    chunk = max(
        (it for it in (tmp_path / "a.ome.zarr" / "0").rglob("*") if it.is_file()),
        key=lambda it: it.name[0].isdigit(),
    )
    chunk.write_bytes(b"no chunk")
    result = run("measure", tmp_path / "a.ome.zarr", "-o", tmp_path / "a.csv")
    assert_refused(result, 1, "Expected an OME-Zarr image that can be read")
    assert not (tmp_path / "a.csv").exists()


def test_an_image_is_not_overwritten_by_a_table(run, assert_refused, tmp_path):
    write_labels(tmp_path / "a.tif", np.ones((8, 8), np.int32), "YX")
    before = (tmp_path / "a.tif").read_bytes()
    again = run("measure", tmp_path / "a.tif", "-o", tmp_path / "a.tif", "--overwrite")
    assert_refused(again, 2, "ends in .csv")
    assert (tmp_path / "a.tif").read_bytes() == before


def test_the_table_is_parquet_if_its_name_says_so(run, assert_refused, tmp_path, monkeypatch):
    write_labels(tmp_path / "a.tif", np.ones((8, 8), np.int32), "YX")
    table = tmp_path / "a.parquet"
    assert run("measure", tmp_path / "a.tif", "-o", table).exit_code == 0
    assert pd.read_parquet(table)["area_px"].tolist() == [64.0]
    monkeypatch.setattr("napari_unet.nuclei.table_files.find_spec", lambda name: None)
    again = run("measure", tmp_path / "a.tif", "-o", tmp_path / "b.parquet")
    assert_refused(again, 1, 'pip install "napari-unet-nuclei[parquet]"')
    assert not (tmp_path / "b.parquet").exists()


def test_the_axes_of_the_labels_are_the_images_too(run, tmp_path):
    stack = np.ones((3, 40, 50), np.uint8)
    for name in ("labels.tif", "image.tif"):
        tifffile.imwrite(tmp_path / name, stack, photometric="minisblack", metadata=None)
    options = ("--axes", "ZYX", "--image", tmp_path / "image.tif", "-o", tmp_path / "t.csv")
    result = run("measure", tmp_path / "labels.tif", *options)
    assert result.exit_code == 0, result.output
    assert table_rows(tmp_path / "t.csv")[0]["volume_px"] == "6000.0"


def test_a_channel_that_is_not_there_is_refused(run, assert_refused, tmp_path):
    write_labels(tmp_path / "a.tif", np.ones((8, 8), np.int32), "YX")
    options = ("--image", tmp_path / "a.tif", "--channel", 5, "-o", tmp_path / "t.csv")
    assert_refused(run("measure", tmp_path / "a.tif", *options), 1, "channel")


def test_a_movie_is_measured_frame_by_frame(run, tmp_path):
    movie = np.zeros((2, 20, 30), np.int32)
    movie[:, 2:6, 2:8] = 1
    movie[1, 10:12, 10:12] = 2
    write_labels(tmp_path / "m.tif", movie, "TYX")
    write_labels(tmp_path / "i.tif", np.arange(2).reshape(2, 1, 1) + 0 * movie, "TYX")
    table = tmp_path / "m.csv"
    result = run("measure", tmp_path / "m.tif", "--image", tmp_path / "i.tif", "-o", table)
    assert result.exit_code == 0, result.output
    seen = [(r["frame"], r["label"], r["area_px"], r["intensity_mean"]) for r in table_rows(table)]
    assert seen == [("0", "1", "24.0", "0.0"), ("1", "1", "24.0", "1.0"), ("1", "2", "4.0", "1.0")]


def test_every_channel_is_measured_or_the_chosen_one(run, assert_refused, tmp_path):
    labels = np.ones((20, 30), np.int32)
    write_labels(tmp_path / "l.tif", labels, "YX")
    channels = np.stack([labels * 3, labels * 7]).astype(np.uint8)
    iio.imwrite(tmp_path / "i.tif", channels, plugin="tifffile", metadata={"axes": "CYX"})
    command = ("measure", tmp_path / "l.tif", "--image", tmp_path / "i.tif", "-o")
    assert run(*command, tmp_path / "both.csv").exit_code == 0
    (row,) = table_rows(tmp_path / "both.csv")
    assert (row["intensity_mean_0"], row["intensity_mean_1"]) == ("3.0", "7.0")
    assert run(*command, tmp_path / "one.csv", "--channel", 1).exit_code == 0
    assert table_rows(tmp_path / "one.csv")[0]["intensity_mean"] == "7.0"
    assert_refused(run(*command, tmp_path / "no.csv", "--channel", 2), 1, "from 0 to 1")


def test_an_image_of_another_shape_is_refused(run, assert_refused, tmp_path):
    write_labels(tmp_path / "l.tif", np.ones((20, 30), np.int32), "YX")
    iio.imwrite(tmp_path / "i.png", np.ones((20, 31), np.uint8))
    result = run(
        "measure", tmp_path / "l.tif", "--image", tmp_path / "i.png", "-o", tmp_path / "t.csv"
    )
    assert_refused(result, 1, "(20, 31)")
    assert not (tmp_path / "t.csv").exists()


def test_images_given_together_have_their_names_at_the_end_of_the_columns(run, tmp_path):
    labels = np.ones((20, 30), np.int32)
    write_labels(tmp_path / "l.tif", labels, "YX")
    for name, value in (("DAPI", 3), ("GFP", 7)):
        iio.imwrite(tmp_path / f"{name}.png", (labels * value).astype(np.uint8))
    images = ("--image", tmp_path / "DAPI.png", "--image", tmp_path / "GFP.png")
    result = run("measure", tmp_path / "l.tif", *images, "-o", tmp_path / "t.csv")
    assert result.exit_code == 0, result.output
    (row,) = table_rows(tmp_path / "t.csv")
    assert (row["intensity_mean_DAPI"], row["intensity_mean_GFP"]) == ("3.0", "7.0")


def test_images_of_one_name_are_told_apart_by_their_folders(run, assert_refused, tmp_path):
    labels = np.ones((20, 30), np.int32)
    write_labels(tmp_path / "l.tif", labels, "YX")
    images: list[object] = []
    for name, value in (("DAPI", 3), ("GFP", 7)):
        (tmp_path / name).mkdir()
        iio.imwrite(tmp_path / name / "a.png", (labels * value).astype(np.uint8))
        images += ["--image", tmp_path / name / "a.png"]
    result = run("measure", tmp_path / "l.tif", *images, "-o", tmp_path / "t.csv")
    assert result.exit_code == 0, result.output
    (row,) = table_rows(tmp_path / "t.csv")
    assert (row["intensity_mean_DAPI_a"], row["intensity_mean_GFP_a"]) == ("3.0", "7.0")
    result = run("measure", tmp_path / "l.tif", *images, *images[:2], "-o", tmp_path / "u.csv")
    assert_refused(result, 2, "got DAPI_a, GFP_a, DAPI_a; give each once")


def test_the_planes_of_a_stack_can_be_measured_for_themselves(run, tmp_path):
    stack = np.zeros((5, 40, 50), np.int32)
    stack[1:4, 10:20, 10:20] = 3
    um = dict.fromkeys("ZYX", "um")
    write_labels(tmp_path / "l.tif", stack, "ZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5}, um)
    command = ("measure", tmp_path / "l.tif", "-o")
    assert run(*command, tmp_path / "whole.csv").exit_code == 0
    assert [row["volume_um3"] for row in table_rows(tmp_path / "whole.csv")] == ["150.0"]
    result = run(*command, tmp_path / "planes.csv", "--each-plane")
    assert "3 nuclei in 5 planes, median area 25 µm²" in result.output
    rows = table_rows(tmp_path / "planes.csv")
    assert [(row["plane"], row["area_um2"], row["centroid_z_um"]) for row in rows] == [
        ("1", "25.0", "2.0"),
        ("2", "25.0", "4.0"),
        ("3", "25.0", "6.0"),
    ]


def test_axes_of_different_units_are_measured_in_pixels(capsys):
    scale, units = {"Z": 2.0, "Y": 0.5, "X": 0.5}, {"Z": "mm", "Y": "um", "X": "um"}
    labels = ImageFile(np.zeros((2, 8, 8), np.int32), "ZYX", scale, units)
    assert calibration(labels, "ZYX") == {}
    assert "different units" in capsys.readouterr().err
    assert calibration(labels, "YX") == {"scale": {"Y": 0.5, "X": 0.5}, "units": "um"}
