from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_unet.images.big_tiff import write_big_labels
from napari_unet.images.files import read_image, write_labels
from napari_unet.images.made_by import differences, read_made_by
from napari_unet.images.ome_zarr import create_labels, read_planes, write_labels_at

MADE_BY = {"model": "0f", "axes": None, "settings": {"diameter": 20.1, "channel": "GFP-µ"}}
LABELS = np.ones((2, 8, 8), np.int32)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_a_tiff_file_says_how_it_was_made(tmp_path, name):
    write_labels(tmp_path / name, LABELS, "ZYX", {"Z": 2.0}, {"Z": "um"}, made_by=MADE_BY)
    assert read_made_by(tmp_path / name) == MADE_BY
    assert read_image(tmp_path / name).scale["Z"] == 2.0


def test_a_file_of_tiles_says_how_it_was_made(tmp_path):
    rows = lambda n: iter(LABELS.astype(np.uint32))  # noqa: E731
    write_big_labels(tmp_path / "a.tif", rows, LABELS.shape, "ZYX", {}, {}, 1, MADE_BY)
    assert read_made_by(tmp_path / "a.tif") == MADE_BY


def test_a_tall_plane_is_read_to_its_last_row(tmp_path):
    labels = np.arange(21, dtype=np.int32).reshape(7, 3)
    create_labels(tmp_path / "a.zarr", labels.shape, "YX", 8, {}, {})
    write_labels_at(tmp_path / "a.zarr", (slice(0, 7), slice(0, 3)), labels)
    strips = list(read_planes(tmp_path / "a.zarr", 2))
    assert [len(strip) for strip in strips] == [2, 2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(strips), labels)


@pytest.mark.parametrize("version", [2, 3])
def test_an_ome_zarr_image_says_how_it_was_made(tmp_path, version):
    create_labels(tmp_path / "a.zarr", LABELS.shape, "ZYX", 8, {}, {}, version, MADE_BY)
    assert read_made_by(tmp_path / "a.zarr") == MADE_BY


def test_what_other_programs_write_says_nothing(tmp_path):
    write_labels(tmp_path / "a.tif", LABELS, "ZYX")
    create_labels(tmp_path / "a.zarr", LABELS.shape, "ZYX", 8, {}, {})
    (tmp_path / "b.tif").write_bytes(b"no TIFF")
    tifffile.imwrite(tmp_path / "d.tif", LABELS, software='Fiji {"model": "of others"}')
    for name in ("a.tif", "a.zarr", "b.tif", "c.tif", "d.tif"):
        assert read_made_by(tmp_path / name) is None


def test_differences_are_named_with_short_values():
    now = {"model": "1" * 64, "settings": {"diameter": 20.1, "channel": None, "per": (1, 2)}}
    before = {"model": "2" * 64, "settings": {"diameter": 18, "channel": 1, "per": [1, 2]}}
    assert differences(before, now) == [
        "model",
        "diameter (18 then, 20.1 now)",
        "channel (1 then, not given now)",
    ]
