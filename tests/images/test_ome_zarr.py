"""OME-Zarr images: names of channels, and folders that are none."""

from __future__ import annotations

import pytest
import zarr

from napari_unet.images.ome_zarr import open_ome_zarr


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
