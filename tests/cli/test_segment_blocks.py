"""``napari-unet segment`` block by block: larger than memory, stopped, on a cluster."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from distributed import default_client

import napari_unet
from napari_unet import large
from napari_unet.api import model_settings
from napari_unet.chunked import steps
from napari_unet.chunked.cluster import on_cluster
from napari_unet.chunked.handing_over import LABELS
from napari_unet.cli.progress import fraction_of
from napari_unet.images.files import read_image, read_labels, write_labels
from napari_unet.images.ome_zarr import open_ome_zarr
from napari_unet.images.synthetic import nuclei_field, nuclei_movie, nuclei_stack
from napari_unet.large import InBlocks, segment_large
from napari_unet.network.library import load_model


@pytest.fixture
def pixels() -> np.ndarray:
    return nuclei_field((300, 260), n=90, diameter=20.0, seed=4)[0]


def write_image(path: Path, image: np.ndarray, axes: str, version: int) -> Path:
    """Write an OME-Zarr image of 0.5 µm pixels that begins 7 µm, 8 µm ... from the origin."""
    named = [{"name": letter.lower(), "type": "space", "unit": "micrometer"} for letter in axes]
    scale = {"type": "scale", "scale": [0.5] * len(axes)}
    place = {"type": "translation", "translation": [7.0 + i for i in range(len(axes))]}
    datasets = [{"path": "0", "coordinateTransformations": [scale, place]}]
    scales = {"multiscales": [{"axes": named, "datasets": datasets}]}
    nested = {"ome": scales | {"version": "0.5"}}
    group = zarr.create_group(
        path, zarr_format=version, attributes=nested if version == 3 else scales
    )
    chunks = (64,) * image.ndim
    # zarr 3.0 takes no data here.
    group.create_array("0", shape=image.shape, dtype=image.dtype, chunks=chunks)[...] = image
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
    assert found.origin == {"Y": 7.0, "X": 8.0}
    again = run("segment", image, "-m", bright_model, "--resume", "--link", "none")
    assert "another link (auto then, none now)" in again.stderr
    attributes = dict(zarr.open_group(image / "labels", mode="r").attrs)
    assert attributes.get("ome", attributes)["labels"] == ["nuclei"]
    assert sorted(path.name for path in (image / "labels").iterdir() if path.is_dir()) == ["nuclei"]


def test_a_channel_that_is_not_there_leaves_no_unfinished_run(
    run, assert_refused, tmp_path, pixels, bright_model
):
    image = write_image(tmp_path / "a.zarr", np.stack([pixels, pixels]), "CYX", 2)
    done = run("segment", image, "-m", bright_model, "--channel", 2)
    assert_refused(done, 1, "Expected a channel from 0 to 1")
    assert not (image / "labels").exists()


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
    options = ("-m", bright_model, "--diameter", 20, "--link", "none")
    assert run("segment", tmp_path / "a.tif", *options).exit_code == 0
    blocks = ("--blocks", 64, "-o", tmp_path / name)
    assert run("segment", tmp_path / "a.tif", *options, *blocks).exit_code == 0
    expected = read_labels(tmp_path / "a_labels.tif")
    assert expected.max() > 5
    np.testing.assert_array_equal(read_labels(tmp_path / name), expected)
    again = run("segment", tmp_path / "a.tif", *options, "--resume", *blocks)
    assert "1 of 1 files are done already." in again.stdout
    found = read_image(tmp_path / name)
    assert (found.axes, found.scale["Z"], found.units["Z"]) == ("ZYX", 2.0, "um")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["a.tif", "a_labels.tif", name, bright_model.name]
    )


@pytest.mark.parametrize("name", ["out.tif", "out.ome.zarr"])
def test_the_tracks_of_blocks_are_those_of_memory(run, tmp_path, bright_model, name):
    movie = nuclei_movie((4, 110, 120), n=12, seed=1)[0]
    tifffile.imwrite(tmp_path / "a.tif", movie, imagej=True, metadata={"axes": "TYX"})
    options = ("-m", bright_model, "--diameter", 18)
    done = run("segment", tmp_path / "a.tif", *options, "--tracks", tmp_path / "memory")
    assert done.exit_code == 0, done.output
    blocks = (*options, "--blocks", 64, "-o", tmp_path / name, "--tracks", tmp_path / "blocks")
    done = run("segment", tmp_path / "a.tif", *blocks)
    assert done.exit_code == 0, done.output
    folders = (tmp_path / "memory", tmp_path / "blocks")
    expected, found = (np.loadtxt(it / "res_track.txt", int, ndmin=2) for it in folders)
    assert len(expected) > 5
    np.testing.assert_array_equal(found, expected)
    for mask in (f"mask00{frame}.tif" for frame in range(4)):
        np.testing.assert_array_equal(*(tifffile.imread(it / mask) for it in folders))


def test_the_bar_of_a_run_in_blocks_never_goes_back(tmp_path, bright_model):
    stack = nuclei_stack((4, 90, 100), n=12, diameter=20.0, seed=1)[0]
    movie = np.stack([stack, np.roll(stack, 2, axis=-1)])
    tifffile.imwrite(tmp_path / "a.tif", movie, imagej=True, metadata={"axes": "TZYX"})
    model = load_model(bright_model, "cpu")
    settings = model_settings(model, diameter=20.0, link="overlap")
    where = {"tracks": tmp_path / "t"}
    work = segment_large(
        tmp_path / "a.tif", tmp_path / "out.zarr", model, settings, InBlocks(64), **where
    )
    done = [(step.step, fraction_of(step)) for step in work]
    names = [name for name, _ in groupby(name for name, _ in done)]
    assert names == ["spacing", "network", "nuclei", "linking", "writing", "tracks"]
    fractions = [fraction for _, fraction in done]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_what_is_doubtful_of_blocks_is_remarked_as_of_memory(run, tmp_path, bright_model):
    write_labels(tmp_path / "a.tif", np.zeros((3, 16, 24), np.int32), "ZYX")
    for name, options in (("memory", ()), ("blocks", ("--blocks", 64))):
        table = ("--table", tmp_path / f"{name}.csv", "-o", tmp_path / f"{name}.tif")
        done = run("segment", tmp_path / "a.tif", "-m", bright_model, *options, *table)
        assert done.exit_code == 0, done.output
    (of_memory,), (of_blocks,) = (
        csv.DictReader((tmp_path / f"{name}.csv").read_text(encoding="utf-8").splitlines())
        for name in ("memory", "blocks")
    )
    assert of_blocks["remarks"] == of_memory["remarks"]
    assert of_blocks["remarks"].startswith("No nuclei were found. The distance between planes ")


def test_a_run_that_was_cut_off_after_its_tracks_writes_them_again(
    run, assert_refused, tmp_path, bright_model, monkeypatch
):
    movie = nuclei_movie((3, 70, 80), n=6, seed=1)[0]
    tifffile.imwrite(tmp_path / "a.tif", movie, imagej=True, metadata={"axes": "TYX"})
    options = ("-m", bright_model, "--diameter", 18, "--blocks", 64, "--tracks", tmp_path / "t")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(large, "_write_tiff", full)
        assert run("segment", tmp_path / "a.tif", *options).exit_code == 1
    lines = (tmp_path / "t" / "res_track.txt").read_text()
    others = (*options[:-1], tmp_path / "others")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "res_track.txt").write_text("1 0 2 0")
    refused = run("segment", tmp_path / "a.tif", *others, "--resume")
    assert_refused(refused, 1, "with tracks in it; choose another one, or --overwrite.")
    again = run("segment", tmp_path / "a.tif", *options, "--resume")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "t" / "res_track.txt").read_text() == lines
    assert (tmp_path / "a_labels.tif").exists()


def test_a_movie_of_too_many_tracks_keeps_its_labels(
    run, assert_refused, tmp_path, bright_model, monkeypatch
):
    monkeypatch.setattr("napari_unet.images.challenge.MOST_TRACKS", 1)
    movie = nuclei_movie((3, 70, 80), n=6, seed=1)[0]
    tifffile.imwrite(tmp_path / "a.tif", movie, imagej=True, metadata={"axes": "TYX"})
    options = ("-m", bright_model, "--diameter", 18, "--blocks", 64)
    refused = run("segment", tmp_path / "a.tif", *options, "--tracks", tmp_path / "t")
    assert_refused(refused, 1, "or --resume without --tracks for the labels alone.")
    assert run("segment", tmp_path / "a.tif", *options, "--resume").exit_code == 0
    assert (tmp_path / "a_labels.tif").exists()


def test_tracks_in_blocks_are_refused_before_anything_is_done(
    run, assert_refused, tmp_path, pixels, bright_model
):
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    options = ("-m", bright_model, "--blocks", 64, "--tracks", tmp_path / "t")
    assert_refused(run("segment", tmp_path / "a.tif", *options), 1, "got the axes YX; give --axes")
    assert sorted(it.name for it in tmp_path.iterdir()) == sorted(["a.tif", bright_model.name])


def test_one_label_file_for_two_images_is_wrong_usage(run, assert_refused, tmp_path, bright_model):
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    result = run("segment", *paths, "-o", tmp_path / "out.zarr", "-m", bright_model)
    assert_refused(result, 2, "Expected one image for the label file")


def test_an_empty_zarr_folder_is_told(run, assert_refused, tmp_path, bright_model):
    (tmp_path / "a.zarr").mkdir()
    assert_refused(run("segment", tmp_path / "a.zarr", "-m", bright_model), 1, "OME-Zarr image")


@pytest.fixture
def options(tmp_path, pixels, bright_model) -> list[str]:
    """What segments an image of 300×260 pixels in 12 blocks."""
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    how = ["--diameter", "20", "--tile", "176", "--blocks", "90", "-o", str(tmp_path / "out.zarr")]
    return [str(tmp_path / "a.tif"), "-m", str(bright_model), *how]


def killed_after(n_blocks: int, arguments: list[str], folder: Path) -> None:
    """Run the command in a process of its own, and kill it when some blocks are done."""
    command = [sys.executable, "-m", "napari_unet.cli", "segment", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while len(files_in(folder / "blocks")) < n_blocks:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)


def files_in(folder: Path) -> dict[str, int]:
    """Return the finished files of a step, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("[0-9]*.npz")}


def test_a_killed_run_goes_on_where_it_was(run, tmp_path, pixels, options, bright_model):
    parts = tmp_path / ".out.zarr.parts"
    killed_after(3, options, parts)
    assert not (tmp_path / "out.zarr").exists()
    before = [files_in(parts / "tiles"), files_in(parts / "blocks")]
    assert len(before[1]) < 12
    refused = run("segment", *options)
    assert refused.exit_code == 1
    assert "unfinished run" in refused.stderr
    seen: list[str] = []
    original = steps.label_block

    def noted(plan, item):
        seen.append(f"{item[0]}-{item[1]}.npz")
        original(plan, item)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_unet.chunked.walk.label_block", noted)
        assert run("segment", *options, "--resume").exit_code == 0
    assert set(seen).isdisjoint(before[1])
    assert len(seen) + len(before[1]) == 12
    expected = napari_unet.segment(pixels, "YX", model=bright_model, diameter=20, tile=176)
    np.testing.assert_array_equal(labels_at(tmp_path / "out.zarr"), expected)
    assert not parts.exists()


def test_a_run_killed_while_it_replaces_labels_loses_neither(
    run, tmp_path, pixels, options, bright_model, monkeypatch
):
    """The first call that fails is that which moves the new labels in place of the old ones."""
    target, original = tmp_path / "out.zarr", Path.rename
    assert run("segment", *options, "--diameter", 25).exit_code == 0
    old = labels_at(target)

    def killed(path: Path, to: Path) -> Path:
        if path.name == LABELS:
            raise KeyboardInterrupt
        return original(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        assert run("segment", *options, "--overwrite").exit_code != 0
    assert not target.exists()
    assert "Expected a new file" in run("segment", *options).stderr
    np.testing.assert_array_equal(labels_at(target), old)
    assert run("segment", *options, "--overwrite", "--resume").exit_code == 0
    expected = napari_unet.segment(pixels, "YX", model=bright_model, diameter=20, tile=176)
    np.testing.assert_array_equal(labels_at(target), expected)
    assert not (tmp_path / ".out.zarr.parts").exists()


@pytest.mark.parametrize("how", ["--resume", "--overwrite"])
def test_a_run_killed_when_its_tiff_file_is_in_place_leaves_no_unfinished_one(
    run, tmp_path, pixels, bright_model, how
):
    tifffile.imwrite(tmp_path / "a.tif", pixels[:64, :64])
    settings = ("-m", bright_model, "--diameter", 20, "--blocks", 90, "-o", tmp_path / "out.tif")

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_unet.large.discard", killed)
        assert run("segment", tmp_path / "a.tif", *settings).exit_code != 0
    assert (tmp_path / ".out.tif.parts").is_dir()
    done = run("segment", tmp_path / "a.tif", *settings, how)
    assert done.exit_code == 0, done.output
    assert read_labels(tmp_path / "out.tif").any()
    assert not (tmp_path / ".out.tif.parts").exists()


def test_a_run_with_other_settings_is_not_resumed(run, assert_refused, tmp_path, options):
    killed_after(1, options, tmp_path / ".out.zarr.parts")
    other = ["25" if option == "20" else option for option in options]
    assert_refused(run("segment", *other, "--resume"), 1, "another diameter (20.0 then, 25.0 now)")


def test_a_worker_that_is_killed_changes_nothing(tmp_path, pixels, bright_model):
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    model = load_model(bright_model, "cpu")
    settings = model_settings(model, diameter=20.0, tile=176)
    target = tmp_path / "out.zarr"
    with on_cluster(n_workers=2) as on_two:
        pids = list(default_client().run(os.getpid).values())
        work = segment_large(tmp_path / "a.tif", target, model, settings, InBlocks(60, run=on_two))
        for step in work:
            if step.step == "nuclei" and pids:
                os.kill(pids.pop(), signal.SIGKILL)
                pids.clear()
        assert not pids
    expected = napari_unet.segment(pixels, "YX", model=bright_model, diameter=20, tile=176)
    np.testing.assert_array_equal(labels_at(target), expected)


def test_two_workers_give_the_labels_of_one(run, tmp_path, pixels, options, bright_model):
    assert run("segment", *options, "--workers", 2).exit_code == 0
    expected = napari_unet.segment(pixels, "YX", model=bright_model, diameter=20, tile=176)
    np.testing.assert_array_equal(labels_at(tmp_path / "out.zarr"), expected)


def test_a_cluster_is_either_there_or_started(run, assert_refused, options):
    result = run("segment", *options, "--workers", 2, "--scheduler", "tcp://127.0.0.1:1")
    assert_refused(result, 2, "leave one out")
