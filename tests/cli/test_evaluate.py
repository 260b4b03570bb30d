"""``napari-unet evaluate``."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

import napari_unet
from napari_unet.images.files import read_labels, write_labels
from napari_unet.images.ome_zarr import create_labels, write_labels_at
from napari_unet.images.synthetic import nuclei_field


@pytest.fixture
def squares(tmp_path) -> Path:
    """Labels of two nuclei, of which a copy lacks one."""
    labels = np.zeros((20, 30), np.int32)
    labels[2:8, 2:8] = 1
    for folder, part in (("truth", labels.copy()), ("predicted", labels)):
        (tmp_path / folder).mkdir()
        if folder == "truth":
            part[12:18, 12:18] = 2
        write_labels(tmp_path / folder / "a_labels.tif", part, "YX")
        write_labels(tmp_path / folder / "b_labels.tif", part, "YX")
    return tmp_path


def test_two_files_are_scored(run, squares):
    result = run(
        "evaluate",
        squares / "predicted" / "a_labels.tif",
        squares / "truth" / "a_labels.tif",
        "--json",
    )
    assert result.exit_code == 0, result.output
    pooled = json.loads(result.stdout)["pooled"]
    assert (pooled["n_predicted"], pooled["n_truth"]) == (1, 2)
    assert pooled["ap50"] == pooled["mean_ap_95"] == pooled["ap"]["0.95"] == 0.5
    assert pooled["f1"] == pooled["pq"] == pytest.approx(2 / 3)


def test_of_two_files_the_one_that_is_not_there_is_named(run, squares):
    there = squares / "predicted" / "a_labels.tif"
    for one, other in ((there, squares / "mistyped.tif"), (squares / "mistyped.tif", there)):
        result = run("evaluate", one, other)
        assert result.exit_code == 1
        assert "mistyped.tif" in result.stderr
        assert "Errno" not in result.stderr


def test_two_folders_are_scored_by_stem_and_pooled(run, squares):
    (squares / "truth" / "b_labels.tif").rename(squares / "truth" / "b.tif")
    (squares / "truth" / "a_labels.tif").rename(squares / "truth" / "a.tif")
    folders = (squares / "predicted", squares / "truth")
    scores = json.loads(run("evaluate", *folders, "--json").stdout)
    assert [image["name"] for image in scores["images"]] == ["a", "b"]
    assert (scores["pooled"]["n_predicted"], scores["pooled"]["n_truth"]) == (2, 4)
    lines = run("evaluate", *folders, "--per-image").stdout.splitlines()
    assert [line.split()[0] for line in lines if line] == ["image", "a", "b", "2"] * 2
    assert len(run("evaluate", *folders).stdout.splitlines()) == 5


def test_labels_of_ome_zarr_are_scored_alone_and_in_folders(run, squares):
    found, truth = squares / "predicted" / "a_labels.tif", squares / "truth" / "a_labels.tif"
    labels = read_labels(found)
    found.unlink()
    moved = found.with_name("a_labels.ome.zarr")
    create_labels(moved, labels.shape, "YX", 20, {}, {})
    write_labels_at(moved, (slice(None), slice(None)), labels)
    for pair, n_images in (((moved, truth), 1), ((moved.parent, truth.parent), 2)):
        scores = json.loads(run("evaluate", *pair, "--json").stdout)
        assert len(scores["images"]) == n_images
        assert (scores["pooled"]["n_predicted"], scores["pooled"]["ap50"]) == (n_images, 0.5)


@pytest.mark.parametrize("command", ["evaluate", "measure", "convert"])
def test_an_image_with_labels_in_it_is_not_taken_for_labels(run, assert_refused, tmp_path, command):
    image = tmp_path / "a.zarr"
    for place in (image, image / "labels" / "nuclei"):
        create_labels(place, (20, 30), "YX", 20, {}, {})
    output = {"evaluate": (image,), "measure": ("-o", tmp_path / "a.csv")}
    result = run(command, image, *output.get(command, ("-o", tmp_path / "a.zip")))
    assert_refused(result, 1, "give the labels in it")


def test_a_truth_without_prediction_is_reported_and_the_rest_scored(run, squares):
    (squares / "predicted" / "a_labels.tif").unlink()
    result = run("evaluate", squares / "predicted", squares / "truth", "--json")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "named 'a'" in result.stderr
    assert [image["name"] for image in json.loads(result.stdout)["images"]] == ["b"]


def test_nothing_scored_prints_no_scores(run, squares):
    for path in (squares / "predicted").iterdir():
        path.write_bytes(b"")
    result = run("evaluate", squares / "predicted", squares / "truth")
    assert result.exit_code == 1
    assert result.stdout == ""


def test_a_file_and_a_folder_are_not_compared(run, assert_refused, squares):
    result = run("evaluate", squares / "predicted" / "a_labels.tif", squares / "truth")
    assert_refused(result, 2, "two folders")
    assert_refused(run("evaluate", squares / "nowhere", squares / "truth"), 1, "nowhere")


def test_labels_of_one_stem_in_one_folder_are_ambiguous(run, assert_refused, squares):
    write_labels(squares / "truth" / "a_labels.tiff", np.ones((20, 30), np.int32), "YX")
    result = run("evaluate", squares / "predicted", squares / "truth")
    assert_refused(result, 2, "a_labels.tiff")


def test_a_model_is_scored_on_a_data_set(run, tmp_path, model):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    image, labels = nuclei_field((64, 64), n=5)
    iio.imwrite(tmp_path / "images" / "a.png", image)
    write_labels(tmp_path / "labels" / "a.tif", labels, "YX")
    result = run("evaluate", tmp_path, "--model", model, "--diameter", 18, "--json")
    assert result.exit_code == 0, result.output
    found = napari_unet.segment(image, "YX", model=model, diameter=18)
    expected = napari_unet.evaluate(found, labels)
    pooled = json.loads(result.stdout)["pooled"]
    assert (pooled["n_predicted"], pooled["n_truth"]) == (expected.n_predicted, expected.n_truth)
    assert pooled["ap50"] == expected.ap50


def test_the_truth_may_be_one_mask_file_per_nucleus(run, squares):
    for label, box in enumerate((np.s_[2:8, 2:8], np.s_[12:18, 12:18])):
        mask = np.zeros((20, 30), np.uint8)
        mask[box] = 255
        for kind in ("images", "masks"):
            (squares / "data" / "a" / kind).mkdir(parents=True, exist_ok=True)
        iio.imwrite(squares / "data" / "a" / "masks" / f"{label}.png", mask)
        iio.imwrite(squares / "data" / "a" / "images" / "a.png", mask)
    result = run("evaluate", squares / "predicted", squares / "data", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pooled"]["ap50"] == 0.5


def test_what_is_wrong_is_counted(run, squares):
    folders = (squares / "predicted", squares / "truth")
    lines = run("evaluate", *folders).stdout.splitlines()
    assert lines[-2].split() == [
        *("image", "right", "missed", "invented", "merged", "split", "badly", "outlined")
    ]
    assert lines[-1].split() == ["2", "images,", "pooled", "2", "2", "0", "0", "0", "0"]
    scores = json.loads(run("evaluate", *folders, "--json").stdout)
    kinds = {"right": 1, "missed": 1, "invented": 0, "merged": 0, "split": 0, "badly outlined": 0}
    assert scores["images"][0]["kinds"] == kinds
    assert scores["pooled"]["dice"] == pytest.approx(2 / 3)


def test_errors_are_drawn_in_colours_and_never_written_over_unasked(run, assert_refused, squares):
    given = ("evaluate", squares / "predicted", squares / "truth", "--errors", squares / "wrong")
    assert run(*given).exit_code == 0
    image = iio.imread(squares / "wrong" / "a_errors.png")
    assert image.shape == (20, 30, 3)
    assert image[3, 3].tolist() == [0, 158, 115]
    assert image[13, 13].tolist() == [213, 94, 0]
    assert image[0, 0].tolist() == [0, 0, 0]
    assert_refused(run(*given), 1, "a_errors.png")
    assert run(*given, "--overwrite").exit_code == 0


@pytest.mark.parametrize("axes", ["TYX", "TZYX", "ZTYX"])
def test_frames_of_a_movie_are_compared_each_for_itself(run, tmp_path, axes):
    truth = np.zeros((3, 4, 20, 30), np.int32)
    truth[:, :, 2:8, 2:8] = 1
    found = truth.copy()
    found[1, 1:] = 0
    moved = {"TYX": found[:, 3], "TZYX": found, "ZTYX": found.swapaxes(0, 1)}[axes]
    whole = {"TYX": truth[:, 3], "TZYX": truth, "ZTYX": truth.swapaxes(0, 1)}[axes]
    for name, labels in (("found", moved), ("truth", whole)):
        write_labels(tmp_path / f"{name}.tif", labels, axes)
    files = (tmp_path / "found.tif", tmp_path / "truth.tif")
    scores = json.loads(run("evaluate", *files, "--json").stdout)["pooled"]
    kinds = scores["kinds"]
    assert (scores["n_truth"], kinds["right"]) == (3, 2)
    assert kinds["missed" if axes == "TYX" else "badly outlined"] == 1


def test_the_planes_of_a_stack_are_one_volume_or_each_for_itself(run, tmp_path):
    truth = np.zeros((2, 20, 30), np.int32)
    truth[:, 2:8, 2:8] = 1
    found = truth * [[[1]], [[0]]]
    for name, labels in (("found", found), ("truth", truth)):
        write_labels(tmp_path / f"{name}.tif", labels.astype(np.int32), "ZYX")
    files = (tmp_path / "found.tif", tmp_path / "truth.tif")
    whole = json.loads(run("evaluate", *files, "--json").stdout)["pooled"]
    assert (whole["n_truth"], whole["kinds"]["badly outlined"]) == (1, 1)
    given = ("evaluate", *files, "--each-plane", "--errors", tmp_path, "--json")
    planes = json.loads(run(*given).stdout)["pooled"]
    assert (planes["n_truth"], planes["kinds"]["right"], planes["kinds"]["missed"]) == (2, 1, 1)
    with tifffile.TiffFile(tmp_path / "truth_errors.tif") as file:
        assert file.series[0].axes == "ZYXS"
        assert file.series[0].asarray()[:, 3, 3].tolist() == [[0, 158, 115], [213, 94, 0]]
