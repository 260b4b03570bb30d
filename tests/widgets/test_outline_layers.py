from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from napari.layers import Labels

from napari_unet.widgets.outline_layers import outline_reader, read_layer, write_layer

PLUGIN = "napari-unet-nuclei"
AddResult = Callable[..., Labels]


def stack() -> np.ndarray[Any, Any]:
    labels = np.zeros((2, 5, 6), np.int32)
    labels[0, 1:3, 1:4] = 3
    labels[1, 2:5, 4:6] = 7
    return labels


@pytest.mark.parametrize("ending", [".zip", ".geojson", ".json"])
def test_layer_is_saved_and_opened_as_the_same_labels(
    make_napari_viewer_proxy: Any, tmp_path: Path, ending: str
) -> None:
    viewer = make_napari_viewer_proxy()
    layer = viewer.add_labels(stack(), axis_labels=("z", "y", "x"))
    path = tmp_path / f"cells{ending}"
    assert layer.save(str(path), plugin=PLUGIN) == [str(path)]
    (opened,) = viewer.open(str(path), plugin=PLUGIN)
    np.testing.assert_array_equal(opened.data, stack())
    assert opened.axis_labels == ("z", "y", "x")


def test_files_of_others_are_left_to_other_plugins(tmp_path: Path) -> None:
    other = tmp_path / "notes.json"
    other.write_text(json.dumps({"images": []}), encoding="utf-8")
    archive = tmp_path / "notes.zip"
    with ZipFile(archive, "w") as written:
        written.writestr("notes.txt", "none")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"none")
    paths = [other, archive, broken, tmp_path / "missing.json"]
    assert [outline_reader(str(path)) for path in paths] == [None] * 4
    assert outline_reader([str(archive)]) is None


def test_frames_stay_frames(tmp_path: Path) -> None:
    path = str(tmp_path / "movie.geojson")
    write_layer(path, stack(), {"axis_labels": ("t", "y", "x")})
    ((labels, fields, kind),) = read_layer(path)
    np.testing.assert_array_equal(labels, stack())
    assert (fields["axis_labels"], kind) == (("t", "y", "x"), "labels")


@pytest.mark.parametrize(
    ("axes", "names", "place"),
    [("TYX", ("-3", "-2", "-1"), "t"), ("ZCYX", ("z", "c", "y", "x"), "z")],
    ids=["a movie whose axes were typed", "a stack of channels"],
)
def test_planes_of_a_result_are_what_its_run_took_them_for(
    viewer: Any, add_squares: AddResult, tmp_path: Path, axes: str, names: Any, place: str
) -> None:
    layer = add_squares(viewer, axes)
    layer.axis_labels = names
    path = tmp_path / "cells.geojson"
    assert layer.save(str(path), plugin=PLUGIN) == [str(path)]
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    planes = [feature["geometry"]["plane"] for feature in features]
    assert [plane[place] for plane in planes] == [0, 0, 1, 1, 2, 2]
    assert {plane["zt".replace(place, "")] for plane in planes} == {0}


def test_layer_of_five_axes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two to four axes"):
        write_layer(str(tmp_path / "a.zip"), np.zeros((2,) * 5, int), {})
    assert not list(tmp_path.iterdir())
