"""Tracks are written frame by frame, and whole or not at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from napari_unet.tracking import write_tracks

MOVIE = np.array([[[1, 1, 1, 1]], [[2, 2, 3, 3]], [[2, 2, 3, 3]]], np.int32)


def test_the_progress_of_tracks_rises_to_the_end(tmp_path):
    steps = list(write_tracks(tmp_path / "t", MOVIE))
    assert {total for _, total in steps} == {9}
    assert all(before < after for before, after in pairwise(done for done, _ in steps))
    assert len(steps) == 7  # mothers end in one frame alone
    assert steps[-1] == (9, 9)
    assert (tmp_path / "t" / "res_track.txt").read_text() == "1 0 0 0\n2 1 2 1\n3 1 2 1\n"


def test_writing_tracks_that_is_stopped_leaves_what_was_there(tmp_path):
    list(write_tracks(tmp_path / "t", MOVIE))
    steps = write_tracks(tmp_path / "t", MOVIE[:1], overwrite=True)
    assert [next(steps) for _ in range(2)][-1] == (3, 3)
    steps.close()
    assert [it.name for it in tmp_path.iterdir()] == ["t"]
    assert len(list((tmp_path / "t").glob("mask*.tif"))) == 3
