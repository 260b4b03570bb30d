"""OME-Zarr images: names of channels, and folders that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import zarr

from napari_unet.images.lazy import open_image
from napari_unet.images.ome_zarr import create_labels, open_ome_zarr


def test_a_folder_that_is_missing_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="check the path"):
        open_ome_zarr(tmp_path / "none.zarr")


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({}, "it has no multiscales metadata"),
        ({"multiscales": []}, "index out of range"),
        ({"multiscales": [{"datasets": [{"path": "a"}]}]}, "its largest level is no array"),
        ({"multiscales": [{"datasets": [{"path": "none"}]}]}, "none"),
        ({"multiscales": "all"}, "name the folder"),
    ],
)
def test_a_group_without_an_image_is_told(tmp_path, attributes, reason):
    zarr.create_group(tmp_path / "a.zarr", attributes=attributes).create_group("a")
    with pytest.raises(ValueError, match=f"Expected an OME-Zarr image, got .*{reason}"):
        open_ome_zarr(tmp_path / "a.zarr")


def test_what_holds_several_images_names_its_first(tmp_path):
    plate = {"plate": {"wells": [{"path": "A/1"}]}}
    well = {"well": {"images": [{"path": "0"}]}}
    group = zarr.create_group(tmp_path / "p.zarr", attributes={"ome": plate})
    group.create_group("A/1", attributes={"ome": well})
    zarr.create_group(tmp_path / "b.zarr", attributes={"bioformats2raw.layout": 3})
    for name, first in (("p.zarr", "A/1/0"), ("p.zarr/A/1", "0"), ("b.zarr", "0")):
        with pytest.raises(ValueError, match=f"several images, the first of them '{first}'"):
            open_ome_zarr(tmp_path / name)


def test_a_zip_file_is_no_folder(tmp_path):
    (tmp_path / "a.zarr").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"\(it is a file, not a folder; if it is a zip"):
        open_ome_zarr(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    "address", ["https://a.org/a.zarr", "s3://a/a.zarr", "https://a.org/a.tif"]
)
def test_what_is_on_a_server_is_to_be_downloaded(address):
    with pytest.raises(FileNotFoundError, match="download it first"):
        open_image(Path(address))


@pytest.mark.parametrize(("axes", "names"), [("cyx", ("DAPI", "GFP")), ("zyx", ())])
def test_channels_have_the_names_that_are_listed_for_a_viewer(tmp_path, axes, names):
    scales = [{"axes": [{"name": axis} for axis in axes], "datasets": [{"path": "0"}]}]
    listed = {"channels": [{"label": "DAPI"}, {"label": "GFP"}]}
    group = zarr.create_group(
        tmp_path / "a.zarr", attributes={"ome": {"multiscales": scales, "omero": listed}}
    )
    group.create_array("0", shape=(2, 8, 8), dtype="uint8")
    assert open_ome_zarr(tmp_path / "a.zarr").channels == names


def test_axes_may_be_called_by_words(tmp_path):
    named = [{"name": name} for name in ("Time", "channel", "depth", "row", "Column")]
    scales = [{"axes": named, "datasets": [{"path": "0"}]}]
    group = zarr.create_group(tmp_path / "a.zarr", attributes={"multiscales": scales})
    group.create_array("0", shape=(2, 2, 3, 8, 8), dtype="uint8")
    assert open_ome_zarr(tmp_path / "a.zarr").axes == "TCZYX"


def test_sizes_and_places_follow_each_other_as_the_file_says(tmp_path):
    of_level = [
        {"type": "scale", "scale": [1.0, 2.0, 0.5]},
        {"type": "translation", "translation": [0.0, 10.0, 20.0]},
    ]
    of_all = [
        {"type": "scale", "scale": [1.0, 3.0, 2.0]},
        {"type": "translation", "translation": [4.0, 1.0, -1.0]},
    ]
    axes = [{"name": axis} for axis in "cyx"]
    datasets = [{"path": "0", "coordinateTransformations": of_level}]
    scales = [{"axes": axes, "datasets": datasets, "coordinateTransformations": of_all}]
    group = zarr.create_group(tmp_path / "a.zarr", attributes={"multiscales": scales})
    group.create_array("0", shape=(1, 8, 8), dtype="uint8")
    image = open_ome_zarr(tmp_path / "a.zarr")
    assert image.scale == {"Y": 6.0, "X": 1.0}
    assert image.origin == {"Y": 31.0, "X": 39.0}


@pytest.mark.parametrize("version", [2, 3])
def test_all_levels_of_labels_begin_where_they_are_said_to(tmp_path, version):
    place = tmp_path / "a.zarr"
    create_labels(place, (3, 1200, 40), "TYX", 64, {"X": 0.5}, {}, version, origin={"Y": 30.0})
    assert open_ome_zarr(place).origin == {"T": 0.0, "Y": 30.0, "X": 0.0}
    attributes = dict(zarr.open_group(place, mode="r").attrs)
    (scales,) = attributes.get("ome", attributes)["multiscales"]
    steps = [level["coordinateTransformations"] for level in scales["datasets"]]
    assert [size["scale"] for size, _ in steps] == [[1, 1, 0.5], [1, 2, 1], [1, 4, 2]]
    moved = {"type": "translation", "translation": [0.0, 30.0, 0.0]}
    assert [place for _, place in steps] == [moved] * 3


def test_labels_that_begin_at_the_origin_are_not_moved(tmp_path):
    create_labels(tmp_path / "a.zarr", (40, 40), "YX", 64, {}, {})
    attributes = dict(zarr.open_group(tmp_path / "a.zarr", mode="r").attrs)
    (level,) = attributes["multiscales"][0]["datasets"]
    assert [step["type"] for step in level["coordinateTransformations"]] == ["scale"]
    assert open_ome_zarr(tmp_path / "a.zarr").origin == {}
