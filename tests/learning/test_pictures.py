"""Curves and validation images as pictures."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from matplotlib.figure import Figure

from napari_unet.learning.history import Row
from napari_unet.learning.pictures import (
    FOUND,
    LARGEST_SIDE,
    WRONG,
    Example,
    agreeing,
    draw_curves,
    draw_examples,
    outlined,
    save_picture,
)

ROWS = [
    Row(20, 40, 1.0, 0.1, 0.9, None, 0.0),
    Row(30, 60, 1.5, 0.1, 0.8, 0.5, 0.0),
    Row(40, 80, 2.0, 0.1, 0.7, 0.4, 0.0),
]


def example(shape: tuple[int, int] = (24, 30), name: str = "a") -> Example:
    truth = np.zeros(shape, np.int32)
    truth[4:12, 4:12], truth[14:20, 6:16] = 1, 2
    predicted = np.where(truth == 1, 5, 0)
    predicted[2:6, 20:26] = 6
    return Example(name, np.zeros((3, *shape), np.float32), truth, predicted)


def points(figure: Figure, number: int) -> list[tuple[float, float]]:
    line = figure.axes[number].lines[0]
    x, y = line.get_xdata(), line.get_ydata()
    return list(zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True))


def test_the_curves_are_loss_and_score_over_the_steps():
    figure = draw_curves(ROWS, "mine", "mean AP")
    assert points(figure, 0) == [(20, 0.9), (30, 0.8), (40, 0.7)]
    assert points(figure, 1) == [(30, 0.5), (40, 0.4)]
    legend = figure.axes[1].get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text() == "best: 0.500, the model that is kept"


def test_a_run_without_a_validation_has_no_best_score():
    assert draw_curves(ROWS[:1], "mine", "mean AP").axes[1].get_legend() is None


def test_nuclei_agree_from_an_iou_of_one_half_on():
    truth = np.array([[3, 3, 0, 8, 8, 8]])
    found_truth, found_predicted = agreeing(np.array([[0, 7, 0, 0, 0, 9]]), truth)
    assert (found_truth.tolist(), found_predicted.tolist()) == ([3], [7])


def test_nuclei_that_agree_are_outlined_in_another_colour():
    labels = example().truth
    drawn = outlined(np.zeros((24, 30, 3)), labels, np.array([1]))
    assert drawn[4, 4].tolist() == list(FOUND)
    assert drawn[14, 6].tolist() == list(WRONG)
    assert not drawn[8, 8].any()
    assert not drawn[0, 0].any()


def test_each_image_is_a_row_with_truth_and_prediction_counted():
    figure = draw_examples([example(), example(name="b")], seed=0)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles[:3] == [
        "a",
        "truth: 1 of 2 nuclei found",
        "prediction: 1 of 2 nuclei right",
    ]
    assert titles[3] == "b"


def test_of_a_large_image_the_same_part_with_a_nucleus_is_shown_again():
    figures = [draw_examples([example((400, 500))], seed=4) for _ in range(2)]
    shown = [[axes.images[0].get_array() for axes in figure.axes] for figure in figures]
    first, second = (np.stack([np.asarray(image) for image in images]) for images in shown)
    assert first.shape == (3, LARGEST_SIDE, LARGEST_SIDE, 3)
    assert np.array_equal(first, second)
    assert (first[1] == np.float32(FOUND)).all(axis=-1).any()
    assert figures[0].axes[0].get_title("left") == "a (part)"
    counted = figures[0].axes[1].get_title("left")
    assert counted == "truth: 1 of 2 nuclei found (whole image)"


def test_an_image_without_a_nucleus_is_shown_too():
    empty = np.zeros((24, 24), np.int32)
    figure = draw_examples([Example("a", np.zeros((3, 24, 24), np.float32), empty, empty)], seed=0)
    assert figure.axes[1].get_title("left") == "truth: 0 of 0 nuclei found"


@pytest.mark.parametrize("name", ["核", "$x_1$", "a" * 80])
def test_a_picture_is_written_whatever_the_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "page.png"
    save_picture(draw_examples([example(name=name)], seed=0), path)
    picture = iio.imread(path)
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 2
