"""The walk over frames and planes, places in the world, and the summary."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.nuclei.measuring import Task, finish, steps
from napari_unet.nuclei.summary import summarise

SQUARES = np.zeros((3, 20, 30), np.int32)
SQUARES[0, 2:6, 2:8] = 7
SQUARES[2, 2:6, 2:8] = 7
SQUARES[2, 10:14, 10:12] = 4


def task(labels=SQUARES, axes="TYX", images=None, transform=None, unit="px"):
    identity = np.eye(labels.ndim, labels.ndim + 1)
    return Task(labels, axes, images or {}, identity if transform is None else transform, unit)


class Lazy:
    """An array that notes what is read of it."""

    def __init__(self, array):
        self._array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __getitem__(self, place):
        self.read.append(place)
        return self._array[place]


def test_every_frame_is_measured_for_itself():
    measured = finish(steps(task(images={"": SQUARES * 10})))
    columns = ["frame", "label", "area_px", "intensity_mean"]
    assert measured.table[columns].to_numpy().tolist() == [
        [0, 7, 24, 70],
        [2, 4, 8, 40],
        [2, 7, 24, 70],
    ]
    assert measured.centroids.tolist() == [[0, 3.5, 4.5], [2, 11.5, 10.5], [2, 3.5, 4.5]]
    assert (measured.n_frames, measured.shape) == (3, (20, 30))


def test_only_one_frame_is_read_at_a_time():
    labels, image = Lazy(SQUARES), Lazy(SQUARES)
    finish(steps(Task(labels, "TYX", {"": image}, np.eye(3, 4), "px")))
    every = slice(None)
    assert labels.read == image.read == [(0, every, every), (1, every, every), (2, every, every)]


def test_the_centroids_are_in_the_world_and_the_sizes_in_its_unit():
    turned = np.array([[1, 0, 0, 5], [0, 0, -0.5, 10], [0, 0.5, 0, 20]], float)
    table = finish(steps(task(transform=turned, unit="um"))).table
    assert table.loc[0, ["centroid_y_um", "centroid_x_um"]].tolist() == [7.75, 21.75]
    assert table["area_um2"].tolist() == [6, 2, 6]


def test_labels_may_be_yes_or_no():
    assert finish(steps(task(SQUARES > 0))).table["label"].tolist() == [1, 1]


def test_progress_rises_from_0_to_1():
    shares = list(steps(task()))
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] < 1


@pytest.mark.parametrize("shape", [(0, 8, 8), (2, 0, 8)])
def test_labels_without_pixels_have_no_nuclei(shape):
    assert len(finish(steps(task(np.zeros(shape, np.int32)))).table) == 0


def test_an_image_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 20, 30\), got \(20, 30\)"):
        finish(steps(task(images={"": SQUARES[0]})))


@pytest.mark.parametrize(
    ("axes", "size", "unit", "text"),
    [
        ("TYX", 1, "px", "3 nuclei in 3 frames, median area 24 px², 1.67 per 1,000 px"),
        ("TYX", 1, "um", "3 nuclei in 3 frames, median area 24 µm², 1,667 per mm²"),
        ("ZYX", 1000, "nm", "2 nuclei, median volume 28,000,000,000 nm³, 1,111,111 per mm³"),
        ("ZYX", 1, "units", "2 nuclei, median volume 28 units³, 1,111 per 1,000,000 px"),
    ],
)
def test_a_summary_counts_measures_and_says_how_dense_nuclei_are(axes, size, unit, text):
    transform = np.eye(3, 4) * size
    assert summarise(finish(steps(task(axes=axes, transform=transform, unit=unit)))).text == text


def test_a_summary_of_nothing_counts_to_0():
    assert summarise(finish(steps(task(SQUARES * 0)))).text == "0 nuclei in 3 frames"
