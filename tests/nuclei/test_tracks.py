"""The table of tracks, tracks without gaps, and where nuclei are."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from napari_unet.images.synthetic import nuclei_movie
from napari_unet.nuclei.linking import link_over_time
from napari_unet.nuclei.tracks import (
    centres,
    nuclei_by_frame,
    track_table,
    unbroken,
    unbroken_frames,
)


def test_a_mother_that_goes_on_is_none() -> None:
    labels = np.array([[1, 1, 1, 1, 0], [2, 2, 3, 3, 1]])
    assert track_table(labels).tolist() == [[1, 0, 1, 0], [2, 1, 1, 0], [3, 1, 1, 0]]


def test_daughters_that_were_there_before_are_none() -> None:
    labels = np.array([[1, 1, 1, 1, 3], [2, 2, 3, 3, 0]])
    assert not track_table(labels)[:, 3].any()


@pytest.mark.parametrize("shape", [(0, 4, 4), (3, 4, 4)])
def test_without_nuclei_there_is_no_track(shape: tuple[int, ...]) -> None:
    labels = np.zeros(shape, np.int32)
    assert track_table(labels).shape == (0, 4)
    assert centres(labels).shape == (0, 4)
    linked, table = unbroken(labels)
    assert table.shape == (0, 4)
    assert linked.shape == shape


def test_tracks_are_numbered_without_leaving_one_out() -> None:
    linked, table = unbroken(np.array([[9, 9, 9, 9], [30, 30, 70000000, 70000000]]))
    assert linked.tolist() == [[1, 1, 1, 1], [2, 2, 3, 3]]
    assert table.tolist() == [[1, 0, 0, 0], [2, 1, 1, 1], [3, 1, 1, 1]]


def test_a_mother_with_a_gap_is_the_part_that_divides() -> None:
    labels = np.array([[1] * 4, [0] * 4, [1] * 4, [2, 2, 3, 3]])
    linked, table = unbroken(labels)
    assert linked[:, 0].tolist() == [1, 0, 4, 2]
    assert table.tolist() == [[1, 0, 0, 0], [2, 3, 3, 4], [3, 3, 3, 4], [4, 2, 2, 1]]


def test_a_movie_in_a_file_is_read_frame_by_frame() -> None:
    labels = np.array([[1] * 4, [0] * 4, [1] * 4, [2, 2, 3, 3]])

    class File:
        shape = labels.shape

        def __getitem__(self, frame: int) -> np.ndarray:
            return labels[operator.index(frame)].astype(np.uint32)

    movie = File()
    frames, table = unbroken_frames(movie, [*nuclei_by_frame(movie)], track_table(movie))
    linked, expected = unbroken(labels)
    np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal([*frames], linked)


def test_centres_of_volumes() -> None:
    labels = np.zeros((2, 3, 4, 4), np.int32)
    labels[0, 0:3, 1, 2:4], labels[1, 2, 0, 0] = 5, 2
    assert centres(labels).tolist() == [[2, 1, 2, 0, 0], [5, 0, 1, 1, 2.5]]


def test_a_drawn_movie_is_linked_as_it_was_drawn() -> None:
    truth = nuclei_movie((16, 256, 256), n=60)[1]
    each = np.stack([np.where(frame > 0, frame.max() + 1 - frame, 0) for frame in truth])
    linked = link_over_time(each)
    pairs = np.unique(np.stack([truth[truth > 0], linked[truth > 0]]), axis=1)
    assert np.unique(pairs[0]).tolist() == pairs[0].tolist()
    # At the rim one of two daughters is outside, and nobody could tell the other from her mother.
    joined = [pairs[0][pairs[1] == it].tolist() for it in np.unique(pairs[1])]
    assert [both for both in joined if len(both) > 1] == [[33, 76]]
    to_linked = dict(pairs.T.tolist()) | {0: 0}
    drawn, found = track_table(truth), track_table(linked)
    assert np.count_nonzero(drawn[:, 3]) == 20
    families = {(to_linked[it[0]], to_linked[it[3]]) for it in drawn.tolist()}
    assert families == {(it[0], it[3]) for it in found.tolist()}
