"""The work list of files: which, and named how."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unet.jobs import choose_outputs, find_inputs, identity, stem_of


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def targets_of(inputs: list[Path], folder: Path | None = None) -> list[str]:
    return [job.target.as_posix() for job in choose_outputs(inputs, folder)]


def test_the_images_of_a_folder_are_found_without_labels_hidden_files_and_text(tmp_path):
    for name in ("b.png", "a.tif", "a_labels.tif", ".c.tif", "notes.txt"):
        (tmp_path / name).touch()
    assert names(find_inputs([tmp_path])) == ["a.tif", "b.png"]


def test_the_ome_zarr_images_of_a_folder_are_found(tmp_path):
    (tmp_path / "a.tif").touch()
    for name in ("b.ome.zarr", "c", "d", "b_labels.ome.zarr", ".e.zarr"):
        (tmp_path / name).mkdir()
    (tmp_path / "c" / ".zgroup").touch()
    assert names(find_inputs([tmp_path])) == ["a.tif", "b.ome.zarr", "c"]


def test_a_file_named_twice_is_taken_once(tmp_path):
    (tmp_path / "a.tif").touch()
    assert names(find_inputs([tmp_path / "a.tif", tmp_path, tmp_path / "." / "a.tif"])) == ["a.tif"]


def test_labels_named_together_with_their_image_are_left_out(tmp_path):
    inputs = [tmp_path / name for name in ("a.tif", "a_labels.tif", "b_labels.tif")]
    assert names(find_inputs(inputs)) == ["a.tif", "b_labels.tif"]
    zarrs = [tmp_path / name for name in ("a.ome.zarr", "a_labels.ome.zarr", "b_labels.ome.zarr")]
    assert names(find_inputs(zarrs)) == ["a.ome.zarr", "b_labels.ome.zarr"]


def test_paths_without_an_image_stay_to_be_reported(tmp_path):
    assert find_inputs([tmp_path, tmp_path / "missing.tif"]) == [tmp_path, tmp_path / "missing.tif"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.tif", "a"), ("a.ome.tif", "a"), ("a.OME.TIFF", "a"), ("a.b.png", "a.b"), ("a", "a")],
)
def test_a_stem_is_the_name_without_ending(name, stem):
    assert stem_of(Path(name)) == stem


def test_labels_go_beside_the_image_or_into_the_folder():
    assert targets_of([Path("x/a.ome.tif")]) == ["x/a_labels.tif"]
    assert targets_of([Path("x/a.ome.tif")], Path("out")) == ["out/a_labels.tif"]


@pytest.mark.parametrize(
    ("name", "note", "labels"),
    [
        (".zgroup", "{}", "a.zarr/labels/nuclei"),
        ("zarr.json", '{"node_type": "group"}', "a.zarr/labels/nuclei"),
        (".zarray", "{}", "a_labels.ome.zarr"),
        ("zarr.json", '{"node_type": "array"}', "a_labels.ome.zarr"),
    ],
)
def test_labels_go_into_a_zarr_group_and_beside_a_zarr_array(tmp_path, name, note, labels):
    image = tmp_path / "a.zarr"
    image.mkdir()
    (image / name).write_text(note)
    assert targets_of([image]) == [(tmp_path / labels).as_posix()]


def test_images_of_one_stem_get_their_endings_into_the_name():
    inputs = [Path("x/a.png"), Path("x/a.tif"), Path("x/a.ome.tif"), Path("x/b.tif")]
    assert targets_of(inputs) == [
        "x/a_png_labels.tif",
        "x/a_tif_labels.tif",
        "x/a_ome_tif_labels.tif",
        "x/b_labels.tif",
    ]


def test_images_of_one_name_get_their_folders_into_the_name():
    inputs = [Path("p/x/a.tif"), Path("q/y/a.tif")]
    assert targets_of(inputs, Path("out")) == ["out/x_a_labels.tif", "out/y_a_labels.tif"]


def test_images_that_no_name_tells_apart_are_numbered():
    inputs = [Path("p/x/a.tif"), Path("q/x/a.tif")]
    assert targets_of(inputs, Path("out")) == ["out/a_2_labels.tif", "out/a_3_labels.tif"]


def test_an_output_is_never_an_input():
    inputs = [Path("a.tif"), Path("a_labels.tif")]
    assert targets_of(inputs)[0] == "a_tif_labels.tif"


@given(
    st.lists(
        st.builds(
            "{}/{}{}".format,
            st.sampled_from(["x", "y/x", "X"]),
            st.sampled_from(["a", "A", "a_png", "a_2", "a_labels"]),
            st.sampled_from([".png", ".tif", ".ome.tif"]),
        ),
        unique=True,
    ),
    st.sampled_from([None, Path("out"), Path("x")]),
)
def test_no_two_files_share_a_name_even_where_case_is_ignored(paths, folder):
    jobs = choose_outputs([Path(path) for path in paths], folder)
    files = [identity(job.target) for job in jobs]
    sources = {identity(job.source) for job in jobs}
    assert len(set(files)) == len(files) == len(paths)
    assert not sources & set(files)
