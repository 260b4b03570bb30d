"""The files of a run in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.chunked import scratch


def test_a_run_of_a_program_with_other_files_is_not_gone_on_with(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(scratch, "LAYOUT", scratch.LAYOUT - 1)
        scratch.begin(tmp_path / "run", {"axes": "ZYX"}, resume=False)
        scratch.begin(tmp_path / "run", {"axes": "ZYX"}, resume=True)
    with pytest.raises(ValueError, match=r"another layout of files .* or delete the folder\."):
        scratch.begin(tmp_path / "run", {"axes": "ZYX"}, resume=True)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3), np.int64),
        np.arange(24, dtype=np.int32).reshape(2, 3, 4).T,
        np.ones(3, bool),
    ],
    ids=["nothing", "turned", "yes and no"],
)
def test_an_array_is_read_as_it_was_written(array, tmp_path):
    assert scratch.missing(tmp_path, "tiles", [(2, 1)]) == [(2, 1)]
    scratch.write(tmp_path, "tiles", (2, 1), maps=array, other=np.ones(1))
    (read,) = scratch.read(tmp_path, "tiles", (2, 1), "maps")
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype
    assert scratch.missing(tmp_path, "tiles", [(2, 1)]) == []


def test_labels_take_little_room_on_disk(tmp_path):
    labels = np.repeat(np.arange(500, dtype=np.int32), 200).reshape(100, 1000)
    scratch.missing(tmp_path, "blocks", [])
    scratch.write(tmp_path, "blocks", (0, 0), labels=labels)
    assert scratch.file_of(tmp_path, "blocks", (0, 0)).stat().st_size < labels.nbytes / 20


def test_a_whole_array_is_read_in_parts(tmp_path):
    maps = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    scratch.missing(tmp_path, "tiles", [])
    scratch.write_whole(tmp_path, "tiles", (0, 7), maps)
    stored = scratch.open_whole(tmp_path, "tiles", (0, 7))
    np.testing.assert_array_equal(stored[:, 1:3, 2:], maps[:, 1:3, 2:])
    assert scratch.missing(tmp_path, "tiles", [(0, 7)]) == []
