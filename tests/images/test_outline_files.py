"""Outlines in the files of others, read by the others' own libraries."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import roifile
from pycocotools import mask as coco_mask
from skimage.draw import polygon2mask

from napari_unet.images.outline_files import read_as_labels, read_outlines, write_outlines
from napari_unet.images.outlines import fitting, painted

ENDINGS = (".zip", ".geojson", ".json")


@pytest.fixture
def labels() -> np.ndarray:
    """A plain nucleus, one with a hole, one of two pieces, and labels that leave out some."""
    plane = np.zeros((30, 40), np.int32)
    plane[2:9, 3:11] = 2
    plane[12:20, 10:20] = 5
    plane[15:17, 13:16] = 0
    plane[22:26, 2:6] = plane[22:26, 8:12] = 9
    plane[25:30, 30:40] = 300
    return plane


def again(path: Path, shape: tuple[int, ...], axes: str = "YX") -> np.ndarray:
    return painted(read_outlines(path)[0], axes, shape)


@pytest.mark.parametrize("ending", ENDINGS)
def test_labels_are_the_same_when_they_are_read_again(ending, labels, tmp_path):
    path = tmp_path / f"labels{ending}"
    assert write_outlines(path, labels, "YX") == 4
    np.testing.assert_array_equal(again(path, labels.shape), labels)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("axes", ["ZYX", "TYX", "TZYX"])
def test_stacks_and_movies_are_the_same_too(ending, axes, labels, tmp_path):
    stack = np.stack([labels, np.zeros_like(labels), labels[::-1]])
    stack = np.stack([stack, stack[:, ::-1]]) if len(axes) == 4 else stack
    path = tmp_path / f"labels{ending}"
    write_outlines(path, stack, axes)
    assert fitting(read_outlines(path)[0])[0] == axes
    np.testing.assert_array_equal(again(path, stack.shape, axes), stack)


@pytest.mark.parametrize(("ending", "has_size"), [(".json", True), (".geojson", False)])
@pytest.mark.parametrize("axes", ["YX", "ZYX"])
def test_labels_have_the_size_that_the_file_notes_or_else_the_smallest(
    ending, has_size, axes, tmp_path
):
    labels = np.zeros((2, 20, 30)[-len(axes) :], np.int32)
    labels[..., 3:6, 4:9] = 1
    write_outlines(tmp_path / f"a{ending}", labels, axes)
    read, told = read_as_labels(tmp_path / f"a{ending}")
    size = (20, 30) if has_size else (6, 9)
    assert told == axes
    np.testing.assert_array_equal(read, labels[..., : size[0], : size[1]])


def test_imagej_gets_a_named_polygon_for_each_nucleus(labels, tmp_path):
    write_outlines(tmp_path / "labels.zip", labels, "YX")
    rois = {roi.name: roi for roi in roifile.roiread(tmp_path / "labels.zip")}
    assert list(rois) == ["00002", "00005", "00009", "00300"]
    plain = rois["00002"]
    assert plain.roitype == roifile.ROI_TYPE.POLYGON
    assert (plain.left, plain.top, plain.right - 1, plain.bottom - 1) == (3, 2, 11, 9)
    corners = [set(map(tuple, ring.tolist())) for ring in rois["00005"].coordinates(multi=True)]
    assert corners[0] == {(10, 12), (20, 12), (20, 20), (10, 20)}
    assert corners[1] == {(13, 15), (16, 15), (16, 17), (13, 17)}


def test_rois_that_somebody_drew_are_numbered(tmp_path):
    drawn = [roifile.ImagejRoi.frompoints([[1, 1], [4, 1], [4, 4], [1, 4]], name="left")]
    drawn += [roifile.ImagejRoi.frompoints([[6.0, 1.0], [9, 1], [9, 3]], name="0002-0007")]
    roifile.roiwrite(tmp_path / "drawn.zip", drawn)
    labels = again(tmp_path / "drawn.zip", (5, 10))
    assert np.argwhere(labels == 1).tolist() == [[y, x] for y in (1, 2, 3) for x in (1, 2, 3)]
    assert (labels == 2).sum() == pytest.approx(3, abs=1)


def test_geojson_has_closed_rings_with_the_label_as_name(labels, tmp_path):
    write_outlines(tmp_path / "labels.geojson", labels, "YX")
    document = json.loads((tmp_path / "labels.geojson").read_text())
    features = {feature["properties"]["name"]: feature for feature in document["features"]}
    kinds = {name: feature["geometry"]["type"] for name, feature in features.items()}
    assert kinds == {"2": "Polygon", "5": "Polygon", "9": "MultiPolygon", "300": "Polygon"}
    rim, hole = features["5"]["geometry"]["coordinates"]
    assert rim[0] == rim[-1]
    inside = polygon2mask(labels.shape, np.array(rim)[:, ::-1] - 0.5)
    inside &= ~polygon2mask(labels.shape, np.array(hole)[:, ::-1] - 0.5)
    np.testing.assert_array_equal(inside, labels == 5)
    assert features["5"]["properties"]["objectType"] == "detection"


def test_polygons_of_geojson_without_labels_are_numbered(tmp_path):
    squares = [[[[x, 0], [x + 2, 0], [x + 2, 2], [x, 2], [x, 0]]] for x in (0, 4, 8)]
    shapes = [{"geometry": {"type": "Polygon", "coordinates": square}} for square in squares]
    shapes[1]["properties"] = None
    (tmp_path / "a.geojson").write_text(json.dumps(shapes), encoding="utf-8")
    outlines, _ = read_outlines(tmp_path / "a.geojson")
    assert [outline.label for outline in outlines] == [1, 2, 3]


def test_what_has_no_inside_is_refused(tmp_path):
    point = {"geometry": {"type": "Point", "coordinates": [3, 4]}}
    (tmp_path / "a.geojson").write_text(json.dumps([point]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"a Point has no inside"):
        read_outlines(tmp_path / "a.geojson")


def test_cocos_own_library_reads_our_masks(labels, tmp_path):
    write_outlines(tmp_path / "labels.json", labels, "YX")
    document = json.loads((tmp_path / "labels.json").read_text())
    for annotation in document["annotations"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of how it asks NumPy
            encoded = coco_mask.frPyObjects(annotation["segmentation"], *labels.shape)
            mask = coco_mask.decode(encoded).astype(bool)
        np.testing.assert_array_equal(mask, labels == annotation["label"])
        assert annotation["area"] == coco_mask.area(encoded)
        assert annotation["bbox"] == coco_mask.toBbox(encoded).tolist()


def test_polygons_of_coco_are_read(tmp_path):
    document = {
        "images": [{"id": 3, "height": 6, "width": 8, "file_name": "a.png"}],
        "annotations": [{"image_id": 3, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}],
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    found, size = read_outlines(tmp_path / "a.json")
    assert size == (6, 8)
    assert (painted(found, "YX", size)[1:3, 1:4] == 1).all()


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_nuclei_are_a_file_too(ending, tmp_path):
    path = tmp_path / f"none{ending}"
    assert write_outlines(path, np.zeros((4, 4), np.int32), "YX") == 0
    assert read_outlines(path)[0] == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_broken_file_is_told(ending, tmp_path):
    path = tmp_path / f"broken{ending}"
    path.write_bytes(b"[1, 2")
    with pytest.raises(ValueError, match=r"Expected outlines, got .*broken"):
        read_outlines(path)


def test_compressed_masks_are_refused(tmp_path):
    document = {
        "images": [{"id": 1, "height": 6, "width": 8}],
        "annotations": [{"image_id": 1, "segmentation": {"size": [6, 8], "counts": "abc"}}],
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="compressed"):
        read_outlines(tmp_path / "a.json")


def test_a_file_is_only_replaced_if_that_is_wanted(labels, tmp_path):
    path = tmp_path / "labels.geojson"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="existing"):
        write_outlines(path, labels, "YX")
    assert path.read_text() == "precious"
    write_outlines(path, labels, "YX", overwrite=True)
    assert again(path, labels.shape).max() == 300


def test_another_ending_is_refused(labels, tmp_path):
    with pytest.raises(ValueError, match=r"\.zip \(ImageJ\)"):
        write_outlines(tmp_path / "labels.svg", labels, "YX")


def test_a_missing_library_is_told(labels, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "roifile", None)
    with pytest.raises(ImportError, match=r"roifile to be installed.*\[zoo\]"):
        write_outlines(tmp_path / "labels.zip", labels, "YX")
    assert list(tmp_path.iterdir()) == []
