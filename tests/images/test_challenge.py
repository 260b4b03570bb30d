"""Folders of the Cell Tracking Challenge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unet.images import challenge
from napari_unet.images.challenge import write_challenge

LABELS = np.array([[[1, 1, 1, 1]], [[2, 2, 3, 3]]], np.int32)
TABLE = np.array([[1, 0, 0, 0], [2, 1, 1, 1], [3, 1, 1, 1]])


def test_a_mask_for_each_frame_and_a_line_for_each_track(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "01_RES"
    write_challenge(folder, LABELS, TABLE)
    assert sorted(it.name for it in folder.iterdir()) == [
        "mask000.tif",
        "mask001.tif",
        "res_track.txt",
    ]
    masks = [tifffile.imread(folder / f"mask00{time}.tif") for time in range(2)]
    assert {mask.dtype for mask in masks} == {np.dtype(np.uint16)}
    np.testing.assert_array_equal(masks, LABELS)
    assert (folder / "res_track.txt").read_text() == "1 0 0 0\n2 1 1 1\n3 1 1 1\n"
    assert [it.name for it in folder.parent.iterdir()] == ["01_RES"]


def test_volumes_have_a_page_for_each_plane(tmp_path: Path) -> None:
    write_challenge(tmp_path / "a", np.stack([LABELS] * 3, axis=1), TABLE)
    assert tifffile.imread(tmp_path / "a" / "mask001.tif").shape == (3, 1, 4)


def test_tracks_are_replaced_as_a_whole_and_only_if_they_may_be(tmp_path: Path) -> None:
    write_challenge(tmp_path / "a", LABELS, TABLE)
    with pytest.raises(FileExistsError, match="with tracks in it; choose another one, or --over"):
        write_challenge(tmp_path / "a", LABELS[:1], TABLE[:1])
    write_challenge(tmp_path / "a", LABELS[:1], TABLE[:1], overwrite=True)
    assert sorted(it.name for it in (tmp_path / "a").iterdir()) == ["mask000.tif", "res_track.txt"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(FileExistsError, match=r"with 'thesis.txt' in it; choose another"):
        write_challenge(tmp_path, LABELS, TABLE, overwrite=True)
    with pytest.raises(FileExistsError, match=r"got the file .*thesis.txt"):
        write_challenge(tmp_path / "thesis.txt", LABELS, TABLE, overwrite=True)
    assert [it.name for it in tmp_path.iterdir()] == ["thesis.txt"]


def test_more_tracks_than_a_mask_can_number_are_refused(tmp_path: Path) -> None:
    table = np.array([[65536, 0, 0, 0]])
    with pytest.raises(ValueError, match=r"at most 65,535 tracks.* got 65,536; write a part"):
        write_challenge(tmp_path / "a", LABELS, table)
    assert not any(tmp_path.iterdir())


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_challenge(tmp_path / "a", LABELS, TABLE)

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(challenge.np, "savetxt", full)
    with pytest.raises(OSError, match="no space left"):
        write_challenge(tmp_path / "a", LABELS[:1], TABLE[:1], overwrite=True)
    assert [it.name for it in tmp_path.iterdir()] == ["a"]
    assert len(list((tmp_path / "a").iterdir())) == 3


def test_tracks_come_back_where_the_new_ones_cannot_take_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_challenge(tmp_path / "a", LABELS, TABLE)
    rename, called = Path.rename, []

    def fails_once(path: Path, target: Path) -> Path:
        called.append(target)
        if len(called) == 2:
            raise OSError("in use")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails_once)
    with pytest.raises(OSError, match="in use"):
        write_challenge(tmp_path / "a", LABELS[:1], TABLE[:1], overwrite=True)
    assert [it.name for it in tmp_path.iterdir()] == ["a"]
    assert len(list((tmp_path / "a").iterdir())) == 3
