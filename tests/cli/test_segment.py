"""``napari-unet segment``."""

from __future__ import annotations

import csv
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

import napari_unet
from napari_unet.images.files import read_image, read_labels, write_labels
from napari_unet.images.synthetic import nuclei_field, nuclei_movie, nuclei_stack
from napari_unet.network.model import Model
from napari_unet.nuclei.tracks import unbroken


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "plate"
    folder.mkdir()
    for name, seed in (("a.png", 1), ("b.png", 2)):
        iio.imwrite(folder / name, nuclei_field((64, 72), n=5, seed=seed)[0])
    return folder


@pytest.mark.parametrize(
    ("option", "value"),
    [("--link", "chain"), ("--quality", "good"), ("--diameter", "nan"), ("--diameter", "-3")],
)
def test_settings_that_cannot_be_are_wrong_usage(run, assert_refused, images, model, option, value):
    assert_refused(run("segment", images, "-m", model, option, value), 2, value)
    assert len(list(images.iterdir())) == 2


def test_a_folder_given_as_output_must_not_be_a_file(run, assert_refused, images, model):
    assert_refused(
        run("segment", images, "-m", model, "--diameter", 18, "-o", images / "a.png"), 2, "a.png"
    )


def test_a_picture_is_not_made_a_folder_of_labels(run, assert_refused, tmp_path, images, model):
    result = run("segment", images / "a.png", "-m", model, "-o", tmp_path / "new.PNG")
    assert_refused(result, 2, "Expected a folder, or a .tif or .zarr file")


def test_the_distance_between_planes_and_the_tile_can_be_given(run, tmp_path, model):
    stack = nuclei_stack((5, 40, 48), n=4, seed=1)[0]
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX", "spacing": 9})
    options = ("--anisotropy", 2, "--tile", 192, "--diameter", 18, "--device", "cpu", "-m", model)
    assert run("segment", tmp_path / "a.tif", *options).exit_code == 0
    expected = napari_unet.segment(
        stack, "ZYX", model=model, diameter=18, scale={"Z": 2, "Y": 1}, tile=192, device="cpu"
    )
    np.testing.assert_array_equal(read_labels(tmp_path / "a_labels.tif"), expected)


def test_a_tile_that_is_smaller_than_the_overlap_is_told(run, assert_refused, images, model):
    result = run("segment", images / "a.png", "-m", model, "--diameter", 18, "--tile", 100)
    assert_refused(result, 1, "a tile of 100 pixels; choose a larger tile")


@pytest.mark.parametrize("content", [b"", b"no model", b"\x10\0\0\0\0\0\0\0{}"])
def test_a_file_that_is_no_model_is_a_bad_file(run, assert_refused, tmp_path, images, content):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(content)
    assert_refused(run("segment", images, "-m", bad), 1, "bad.safetensors")


def test_a_missing_model_file_is_a_bad_file(run, assert_refused, tmp_path, images):
    assert_refused(run("segment", images, "-m", tmp_path / "no.safetensors"), 1, "no.safetensors")


def test_the_command_segments_as_python_does(run, images, model):
    result = run("segment", images / "a.png", "-m", model, "--diameter", 18, "--device", "cpu")
    assert result.exit_code == 0, result.output
    pixels = read_image(images / "a.png").data
    expected = napari_unet.segment(pixels, "YX", model=model, diameter=18, device="cpu")
    np.testing.assert_array_equal(read_labels(images / "a_labels.tif"), expected)
    assert f"{expected.max()} nuclei" in result.stdout


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_that_is_given_is_computed_in(run, images, model, precision):
    options = ("--diameter", 18, "--device", "cpu", "--precision", precision, "-m", model)
    assert run("segment", images / "a.png", *options).exit_code == 0
    loaded = napari_unet.load_model(model, "cpu", precision)
    assert loaded.precision == precision
    expected = napari_unet.segment(read_image(images / "a.png").data, model=loaded, diameter=18)
    np.testing.assert_array_equal(read_labels(images / "a_labels.tif"), expected)


def test_a_precision_that_is_not_there_is_wrong_usage(run, assert_refused, images, model):
    result = run("segment", images / "a.png", "-m", model, "--precision", "half")
    assert_refused(result, 2, "got 'half'; choose one of these.")


def test_best_quality_runs_the_network_eight_times(run, images, model, monkeypatch):
    calls: list[np.ndarray] = []

    def predict(self: Model, pixels: np.ndarray) -> np.ndarray:
        calls.append(pixels)
        return np.zeros_like(pixels)

    monkeypatch.setattr(Model, "predict", predict)
    options = ("-m", model, "--diameter", 18, "--quality")
    assert run("segment", images / "a.png", *options, "fast").exit_code == 0
    assert len(calls) == 1
    assert run("segment", images / "b.png", *options, "best").exit_code == 0
    assert len(calls) == 1 + 8


def test_a_folder_can_be_segmented_again(run, images, model):
    assert run("segment", images, "-m", model, "--diameter", 18).exit_code == 0
    again = run("segment", images, "-m", model, "--diameter", 18)
    assert again.exit_code == 1
    assert again.stderr.count("Expected a new file") == 2
    assert run("segment", images, "-m", model, "--diameter", 18, "--overwrite").exit_code == 0
    names = sorted(path.name for path in images.iterdir())
    assert names == ["a.png", "a_labels.tif", "b.png", "b_labels.tif"]


def test_a_bad_file_is_reported_and_the_rest_goes_on(run, images, model):
    (images / "a.png").write_bytes(b"no image")
    result = run(
        "segment", images, images / "no.tif", "-m", model, "--diameter", 18, "-o", images / "out"
    )
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert str(images / "a.png") in lines[0]
    assert str(images / "no.tif") in lines[1]
    assert lines[2] == "napari-unet: 2 of 3 files failed, the others are done."
    assert lines[3:] == lines[:2]
    assert [path.name for path in (images / "out").iterdir()] == ["b_labels.tif"]


def test_quiet_prints_nothing(run, images, model):
    assert run("segment", images, "-m", model, "--diameter", 18, "--quiet").output == ""


def test_the_voxel_size_of_a_stack_is_kept(run, tmp_path, model):
    stack = nuclei_stack((4, 64, 64), n=4)[0]
    scale, units = {"Z": 2.0, "Y": 0.5, "X": 0.5}, {"Z": "um", "Y": "um", "X": "um"}
    write_labels(tmp_path / "s.ome.tif", stack.astype(np.int32), "ZYX", scale, units)
    result = run(
        "segment", tmp_path / "s.ome.tif", "-m", model, "--diameter", 18, "--link", "overlap"
    )
    assert result.exit_code == 0, result.output
    written = read_image(tmp_path / "s_labels.tif")
    assert (written.axes, written.scale, written.units) == ("ZYX", pytest.approx(scale), units)


def test_ctrl_c_ends_with_130_and_leaves_nothing(run, assert_refused, images, model, monkeypatch):
    def interrupt(self: Model, pixels: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(Model, "predict", interrupt)
    assert_refused(run("segment", images, "-m", model, "--diameter", 18), 130, "Stopped")
    assert sorted(path.name for path in images.iterdir()) == ["a.png", "b.png"]


def test_an_error_that_no_user_can_cause_is_not_hidden(run, images, model, monkeypatch):
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("napari_unet.jobs.find_inputs", fail)
    assert isinstance(
        run("segment", images, "-m", model, "--diameter", 18).exception, ZeroDivisionError
    )


@pytest.fixture
def movie(tmp_path) -> Path:
    pixels = nuclei_movie((3, 64, 72), n=5, seed=1)[0]
    tifffile.imwrite(tmp_path / "m.tif", pixels, imagej=True, metadata={"axes": "TYX"})
    return tmp_path / "m.tif"


def test_the_tracks_of_a_movie_are_written_beside_its_labels(run, tmp_path, movie, bright_model):
    options = ("-m", bright_model, "--diameter", 18, "--tracks", tmp_path / "01_RES")
    result = run("segment", movie, *options)
    assert result.exit_code == 0, result.output
    labels, table = unbroken(read_labels(tmp_path / "m_labels.tif"))
    assert len(table)
    masks = [tifffile.imread(tmp_path / "01_RES" / f"mask00{time}.tif") for time in range(3)]
    np.testing.assert_array_equal(masks, labels)
    lines = np.loadtxt(tmp_path / "01_RES" / "res_track.txt", dtype=int, ndmin=2)
    np.testing.assert_array_equal(lines, table)
    (tmp_path / "m_labels.tif").unlink()
    assert run("segment", movie, *options).exit_code == 1
    assert not (tmp_path / "m_labels.tif").exists()
    assert run("segment", movie, *options, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("axes", "how"),
    [("TYX", ()), ("TYX", ("--blocks", 40)), ("ZTYX", ("--link", "overlap"))],
    ids=["in memory", "in blocks", "time is not first"],
)
def test_a_run_that_was_stopped_before_its_tracks_writes_them_alone(
    run, tmp_path, movie, bright_model, axes, how
):
    pixels = tifffile.imread(movie)
    if axes == "ZTYX":
        tifffile.imwrite(
            movie, np.stack([pixels] * 2), metadata={"axes": axes}, photometric="minisblack"
        )
    labels = tmp_path / ("m.zarr" if "--blocks" in how else "m.tif")
    options = ("-m", bright_model, "--diameter", 18, "--anisotropy", 1, *how)
    wanted = (*options, "-o", tmp_path / "other" / labels.name, "--tracks", tmp_path / "wanted")
    assert run("segment", movie, *wanted).exit_code == 0
    out = tmp_path / "out" / labels.name
    assert run("segment", movie, *options, "-o", out).exit_code == 0
    before = [(file, file.stat().st_mtime_ns) for file in sorted(out.parent.rglob("*"))]
    more = (*options, "-o", out, "--tracks", tmp_path / "t", "--resume")
    done = run("segment", movie, *more)
    assert done.exit_code == 0, done.output
    assert "The labels were there; their tracks were written." in done.stdout
    files = sorted(path.name for path in (tmp_path / "wanted").iterdir())
    assert len(files) == 4
    for name in files:
        assert (tmp_path / "t" / name).read_bytes() == (tmp_path / "wanted" / name).read_bytes()
    assert [(file, file.stat().st_mtime_ns) for file in sorted(out.parent.rglob("*"))] == before
    assert "1 of 1 files are done already." in run("segment", movie, *more).stdout


def test_a_folder_of_something_else_is_no_place_for_missing_tracks(
    run, assert_refused, tmp_path, movie, bright_model
):
    options = ("-m", bright_model, "--diameter", 18)
    assert run("segment", movie, *options).exit_code == 0
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "mine.txt").touch()
    refused = run("segment", movie, *options, "--tracks", tmp_path / "t", "--resume")
    assert_refused(refused, 1, "'mine.txt' in it; choose another one.")


def test_only_one_linked_movie_has_tracks(run, assert_refused, tmp_path, movie, images, model):
    options = ("-m", model, "--diameter", 18, "--tracks", tmp_path / "t")
    assert_refused(run("segment", images, *options), 2, "got 2 images")
    assert_refused(run("segment", movie, "--link", "none", *options), 2, "--link none")
    assert_refused(run("segment", images / "a.png", *options), 1, "got the axes YX; give --axes")
    assert not (tmp_path / "t").exists()
    assert not list(images.glob("*_labels.tif"))


def test_resume_does_what_is_left_and_the_table_tells_of_all(run, images, model):
    out, table = images / "out", images / "done.csv"
    options = ("-m", model, "--diameter", 18, "-o", out, "--table", table)
    (images / "b.png").rename(images / "c.png")
    (images / "b.png").write_bytes(b"no image")
    assert run("segment", images, *options).exit_code == 1
    before = (out / "a_labels.tif").stat().st_mtime_ns
    iio.imwrite(images / "b.png", nuclei_field((64, 72), n=5, seed=3)[0])
    again = run("segment", images, *options, "--resume")
    assert again.exit_code == 0, again.output
    assert again.stdout.splitlines()[0] == "2 of 3 files are done already."
    assert (out / "a_labels.tif").stat().st_mtime_ns == before
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["file"]).name for row in rows] == ["a.png", "b.png", "c.png"]
    assert [row["status"] for row in rows] == ["done"] * 3
    n_nuclei = [len(np.unique(read_labels(Path(row["labels"])))) - 1 for row in rows]
    assert [int(row["nuclei"]) for row in rows] == n_nuclei


def test_resume_with_other_settings_is_refused_or_makes_labels_anew(
    run, assert_refused, images, model
):
    options = (images / "a.png", "-m", model, "--resume", "--diameter")
    assert run("segment", *options, 18).exit_code == 0
    before = (images / "a_labels.tif").stat().st_mtime_ns
    assert_refused(run("segment", *options, 25), 1, "another diameter (18.0 then, 25.0 now); give")
    assert (images / "a_labels.tif").stat().st_mtime_ns == before
    assert run("segment", *options, 18, "--overwrite").exit_code == 0
    assert (images / "a_labels.tif").stat().st_mtime_ns == before
    assert run("segment", *options, 25, "--overwrite").exit_code == 0
    assert run("segment", *options, 25).stdout.splitlines()[0] == "1 of 1 files are done already."


def test_a_table_that_is_something_else_is_refused_before_anything_is_done(
    run, assert_refused, images, model
):
    assert_refused(
        run("segment", images, "-m", model, "--diameter", 18, "--table", images / "a.png"),
        1,
        "Expected a table of segmented files",
    )
    assert not list(images.glob("*_labels.tif"))


def test_a_channel_is_chosen_by_its_name(run, assert_refused, tmp_path, model):
    pixels = np.stack([np.zeros((64, 72), np.uint16), nuclei_field((64, 72), n=5, seed=1)[0]])
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    options = ("-m", model, "--diameter", 18, "--channel")
    assert run("segment", path, *options, "dapi").exit_code == 0
    by_name = read_labels(tmp_path / "a_labels.tif")
    assert run("segment", path, "--overwrite", *options, 1).exit_code == 0
    np.testing.assert_array_equal(read_labels(tmp_path / "a_labels.tif"), by_name)
    assert_refused(run("segment", path, "--overwrite", *options, "RFP"), 1, "got 'GFP', 'DAPI'")
    assert_refused(run("segment", path, "--overwrite", *options, -1), 2, "-1")


def test_a_stack_can_be_seen_from_three_sides(run, assert_refused, tmp_path, model):
    stack = nuclei_stack((16, 48, 48), n=4, seed=1)[0]
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX", "spacing": 3})
    options = ("--anisotropy", 3, "--diameter", 18, "--device", "cpu", "-m", model, "--views")
    assert run("segment", tmp_path / "a.tif", *options, "three").exit_code == 0
    expected = napari_unet.segment(
        stack, "ZYX", model=model, diameter=18, scale={"Z": 3, "Y": 1}, views="three", device="cpu"
    )
    np.testing.assert_array_equal(read_labels(tmp_path / "a_labels.tif"), expected)
    blocks = ("--blocks", 32, "-o", tmp_path / "b.tif")
    assert run("segment", tmp_path / "a.tif", *options, "three", *blocks).exit_code == 0
    np.testing.assert_array_equal(read_labels(tmp_path / "b.tif"), expected)
    assert_refused(run("segment", tmp_path / "a.tif", *options, "two"), 2, "'two'")
