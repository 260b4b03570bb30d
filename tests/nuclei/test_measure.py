"""The table of nuclei."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.nuclei.brightness import surroundings
from napari_unet.nuclei.measure import measure
from napari_unet.nuclei.shapes import number

LABELS = np.zeros((6, 8), np.int32)
LABELS[1:3, 1:5] = 7
LABELS[4:6, 6:8] = 2


def test_without_a_scale_sizes_are_in_pixels():
    table = measure(LABELS)
    assert table["label"].tolist() == [2, 7]
    assert table["area_px"].tolist() == [4, 8]
    assert table["centroid_y_px"].tolist() == [4.5, 1.5]
    assert table["centroid_x_px"].tolist() == [6.5, 2.5]
    assert table["touches_rim"].tolist() == [True, False]
    assert table["solidity"].tolist() == [1.0, 1.0]


def test_with_a_scale_sizes_are_physical():
    table = measure(LABELS, scale=(0.5, 0.25), units="um")
    assert table["area_um2"].tolist() == [0.5, 1.0]
    assert table["centroid_y_um"].tolist() == [2.25, 0.75]
    assert table["centroid_x_um"].tolist() == [1.625, 0.625]
    assert table["equivalent_diameter_um"][1] == pytest.approx(2 / np.sqrt(np.pi))


@pytest.mark.parametrize(
    ("units", "column"),
    [("micrometer", "area_um2"), ("\N{MICRO SIGN}m", "area_um2"), (None, "area_units2")],
)
def test_column_names_end_in_the_unit(units, column):
    assert column in measure(LABELS, scale=(1, 1), units=units)


def test_a_round_nucleus_has_no_eccentricity_and_a_long_one_has():
    eccentricity = measure(LABELS)["eccentricity"]
    assert eccentricity[0] == 0
    assert eccentricity[1] > 0.8


def test_volumes():
    labels = np.zeros((4, 4, 4), np.uint16)
    labels[1:3, 1:3, 1:3] = 3
    table = measure(labels, scale=(2, 0.5, 0.5), units="um")
    assert table.columns.tolist() == [
        "label",
        "volume_um3",
        "equivalent_diameter_um",
        "centroid_z_um",
        "centroid_y_um",
        "centroid_x_um",
        "major_axis_um",
        "middle_axis_um",
        "minor_axis_um",
        "solidity",
        "surface_um2",
        "touches_rim",
    ]
    assert table.iloc[0, 1] == 4.0
    assert table.iloc[0, 3:6].tolist() == [3.0, 0.75, 0.75]


def test_intensities_of_an_image():
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    table = measure(LABELS, image)
    assert table["intensity_mean"].tolist() == [42.5, 14.5]
    assert table["intensity_sum"].tolist() == [170, 116]
    assert table["intensity_std"][0] == pytest.approx(np.std([38, 39, 46, 47]))


def test_intensities_of_each_channel():
    image = np.stack([LABELS, LABELS * 2, LABELS * 3], axis=-1)
    table = measure(LABELS, image)
    assert table["intensity_mean_2"].tolist() == [6, 21]
    assert table["intensity_sum_1"].tolist() == [16, 112]


def test_a_physical_sum_is_over_pixels_not_area():
    assert measure(LABELS, LABELS, scale=(3, 3))["intensity_sum"].tolist() == [8, 56]


def test_images_have_their_names_at_the_end_of_the_columns():
    table = measure(LABELS, {"DAPI": LABELS * 2, "GFP": LABELS * 3})
    assert table["intensity_mean_DAPI"].tolist() == [4, 14]
    assert table["intensity_corrected_GFP"].tolist() == [6, 21]


def test_the_background_is_the_median_of_what_is_three_pixels_away():
    labels = np.zeros((40, 40), np.int32)
    labels[15:25, 15:25] = 1
    image = np.full(labels.shape, 10.0)
    image[13:27, 13:27] = 99  # blur, 2 pixels wide
    image[labels > 0] = 60
    image[0, 0] = 1e6  # one bright speck is no background
    assert measure(labels, image)["intensity_corrected"].tolist() == [50]


def test_each_nucleus_has_the_background_that_is_near_it():
    labels = np.zeros((30, 200), np.int32)
    labels[10:20, 10:20], labels[10:20, 180:190] = 1, 2
    image = np.where(np.arange(200) < 100, 5.0, 25.0) + 100 * (labels > 0)
    assert measure(labels, image)["intensity_corrected"].tolist() == [100, 100]


@pytest.mark.parametrize(
    ("distance", "rows"),
    [(4, (46, 55)), (6, (42, 59)), (12, (34, 67)), (30, (18, 83)), (33, None)],
)
def test_background_is_looked_for_once_twice_four_and_eight_times_as_far(distance, rows):
    labels = np.zeros((101, 101), np.int32)
    labels[50, 50] = 1
    free = np.zeros(labels.shape, bool)
    free[50 - distance, 50] = True
    (box,) = surroundings(number(labels), free, np.array([4.0]), np.full(2, 0.5))
    assert box == (None if rows is None else (slice(*rows),) * 2)


def test_background_farther_away_counts_where_there_is_none_near():
    labels = np.ones((12, 400), np.int32)
    labels[:, 6:] = 2
    labels[:, 380:] = 0
    image = np.where(labels > 0, 30.0, 7.0)
    assert measure(labels, image)["intensity_corrected"].tolist() == [23, 23]


SPOILT = "1 nucleus has pixels that are NaN or infinite; intensities are those of the other pixels"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_do_not_count(value):
    labels = np.zeros((30, 40), np.int32)
    labels[10:14, 10:14], labels[20:24, 20:24] = 3, 5
    image = np.where(labels == 3, np.arange(40.0), 7.0)
    image[13, 12:14], image[0, :20] = value, value
    with pytest.warns(UserWarning, match=SPOILT):
        table = measure(labels, image)
    values = np.repeat([10.0, 11, 12, 13], [4, 4, 3, 3])
    assert table["intensity_mean"].tolist() == [values.mean(), 7]
    assert table["intensity_sum"].tolist() == [values.sum(), 7 * 16]
    assert table["intensity_std"].tolist() == pytest.approx([values.std(), 0])
    assert table["intensity_corrected"].tolist() == [values.mean() - 7, 0]
    assert table["area_px"].tolist() == [16, 16]


def test_a_nucleus_without_a_number_has_no_intensity_and_others_have():
    image = np.ones((8, 8))
    labels = np.zeros((8, 8), np.int32)
    labels[:2], labels[6:] = 1, 2
    image[:2] = np.nan
    with pytest.warns(UserWarning, match=SPOILT):
        table = measure(labels, image)
    for column in ("intensity_mean", "intensity_sum", "intensity_std"):
        assert table[column].isna().tolist() == [True, False]


def test_masked_pixels_do_not_count_and_every_image_is_looked_at():
    labels = np.array([[1, 1, 0, 2, 2]])
    mask = [[0, 1, 0, 0, 0]]
    images = {
        "a": np.ma.MaskedArray([[3, 99, 0, 4, 4]], mask),
        "b": np.array([[np.nan, 3, 0, 4, np.inf]], np.float16),
    }
    with pytest.warns(UserWarning, match="2 nuclei have pixels that are NaN or infinite"):
        table = measure(labels, images)
    assert table["intensity_mean_a"].tolist() == [3, 4]
    assert table["intensity_sum_b"].tolist() == [3, 4]


def test_without_background_nothing_is_corrected():
    full = np.ones((8, 8), np.int32)
    assert np.isnan(measure(full, full)["intensity_corrected"][0])


@pytest.mark.parametrize("shape", [(5, 5), (2, 5, 5)])
def test_no_nuclei_is_a_table_without_rows(shape):
    labels = np.zeros(shape, np.int32)
    assert measure(labels, labels).shape[0] == 0
    assert "label" in measure(labels)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"labels": np.zeros((2, 2, 2, 2), int)}, "frame by frame"),
        ({"labels": LABELS, "image": np.zeros((6, 9))}, r"shape \(6, 8\), got \(6, 9\)"),
        ({"labels": LABELS, "image": {"a": np.zeros((6, 9))}}, r"got \(6, 9\)"),
        ({"labels": LABELS / 2}, "whole numbers, got float64"),
        ({"labels": LABELS, "scale": (1.0,)}, "2 finite pixel sizes above 0"),
        ({"labels": LABELS, "scale": (1.0, 0.0)}, "2 finite pixel sizes above 0"),
        ({"labels": LABELS, "units": "um"}, "Expected a scale"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        measure(**arguments)
