"""Labels larger than memory, as a TIFF file of tiles."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_unet.images.big_tiff import TILE, write_big_labels


def write(path, labels, highest):
    def rows(n):
        for plane in labels:
            yield from (plane[start : start + n] for start in range(0, len(plane), n))

    write_big_labels(path, rows, labels.shape, "ZYX", {}, {}, highest)


@pytest.mark.parametrize(
    ("highest", "kind"),
    [(7, np.uint16), (2**16 - 1, np.uint16), (2**16, np.uint32), (2**32 - 1, np.uint32)],
)
def test_labels_are_stored_in_the_smallest_type_that_holds_them(tmp_path, highest, kind):
    labels = np.zeros((2, 20, 30), np.uint32)
    labels[1, 3, 4] = highest
    write(tmp_path / "a.tif", labels, highest)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.series[0].dtype == kind
        assert not tiff.is_bigtiff
        np.testing.assert_array_equal(tiff.asarray(), labels)


@pytest.mark.parametrize("side", [TILE - 1, TILE, TILE + 1])
def test_planes_of_any_size_come_back(tmp_path, side):
    labels = np.arange(2 * side * 3, dtype=np.uint32).reshape(2, side, 3)
    for path, each in (("tall.tif", labels), ("wide.tif", labels.swapaxes(1, 2))):
        write(tmp_path / path, each, labels.max())
        np.testing.assert_array_equal(tifffile.imread(tmp_path / path), each)


@pytest.mark.parametrize(
    ("n_planes", "is_big"), [(126, False), (127, True)], ids=["below 4 GB", "near 4 GB"]
)
def test_a_file_of_more_than_4_gb_is_a_bigtiff(tmp_path, monkeypatch, n_planes, is_big):
    # Each of them takes 32 MiB, and so much is kept for all that is not pixels.
    told = {}
    monkeypatch.setattr(tifffile, "imwrite", lambda *_, **options: told.update(options))
    shape = (n_planes, 2**12, 2**12)
    write_big_labels(tmp_path / "a.tif", lambda n: iter(()), shape, "ZYX", {}, {}, 1)
    assert told["bigtiff"] == is_big
