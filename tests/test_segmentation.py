from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import dask.array
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential

from napari_unet.images.intensity import Normalisation
from napari_unet.images.roomy import in_memory, roomy
from napari_unet.images.synthetic import nuclei_movie
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.nuclei.tracks import track_table
from napari_unet.segmentation import (
    Progress,
    SegmentSettings,
    finish,
    image_spacing,
    label_maps,
    predict_maps,
    segment,
)

SETTINGS = SegmentSettings(diameter=22.0, anisotropy=1.0, tile=64, overlap=16)
SHAPES = {
    "YX": (40, 50),
    "ZYX": (4, 40, 50),
    "TYX": (4, 40, 50),
    "TZYX": (2, 3, 40, 50),
    "CYX": (2, 40, 50),
    "ZCYX": (3, 2, 40, 50),
    "TCZYX": (2, 2, 3, 40, 50),
    "YXS": (40, 50, 3),
    "ZYXS": (3, 40, 50, 4),
}


def bright_is_nucleus(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """A network that sees nuclei where it is bright, sure of every core."""
    nucleus = (pixels.max(axis=0) > 0.5).astype(np.float32)
    return np.stack([nucleus, np.zeros_like(nucleus), nucleus])


def two_squares(axes: str) -> NDArray[np.uint8]:
    """Two bright squares, in every plane and channel."""
    image = np.zeros(SHAPES[axes], np.uint8)
    picture = np.moveaxis(image, [axes.index("Y"), axes.index("X")], [-2, -1])
    picture[..., 5:15, 5:15] = 200
    picture[..., 20:32, 30:42] = 150
    return image


@pytest.mark.parametrize("axes", SHAPES)
def test_labels_have_the_images_shape_without_channels_and_samples(axes: str) -> None:
    labels = finish(segment(two_squares(axes), axes, bright_is_nucleus, SETTINGS)).labels
    assert labels.shape == tuple(
        n for n, axis in zip(SHAPES[axes], axes, strict=True) if axis not in "CS"
    )
    assert labels.dtype == np.int32
    flat = labels.reshape(-1, 40, 50)
    assert (flat[:, 10, 10] > 0).all()
    assert (flat[:, 25, 35] > 0).all()
    assert not flat[:, 0, 0].any()


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "TZYX"])
def test_an_id_stays_with_its_nucleus_through_planes_and_frames(axes: str) -> None:
    labels = finish(segment(two_squares(axes), axes, bright_is_nucleus, SETTINGS)).labels
    assert set(np.unique(labels)) == {0, 1, 2}


def test_without_links_no_id_stands_for_two_nuclei() -> None:
    settings = SegmentSettings(diameter=22.0, link="none")
    labels = finish(segment(two_squares("ZYX"), "ZYX", bright_is_nucleus, settings)).labels
    assert labels.max() == 8
    assert [plane.max() for plane in labels] == [2, 4, 6, 8]


def test_overlap_links_planes_of_every_frame_apart_then_frames() -> None:
    settings = SegmentSettings(diameter=22.0, link="overlap")
    labels = finish(segment(two_squares("TZYX"), "TZYX", bright_is_nucleus, settings)).labels
    assert set(np.unique(labels)) == {0, 1, 2}


def test_the_chosen_channel_is_segmented() -> None:
    image = two_squares("CYX")
    image[1] = 0
    settings = SegmentSettings(diameter=22.0, channel=1)
    assert not finish(segment(image, "CYX", bright_is_nucleus, settings)).labels.any()


def test_a_lazy_image_gives_the_labels_of_the_same_image_in_memory() -> None:
    image = two_squares("ZYX")
    lazy = dask.array.from_array(image, chunks=(1, 20, 25))
    one, other = (
        finish(segment(pixels, "ZYX", bright_is_nucleus, SETTINGS)).labels
        for pixels in (image, lazy)
    )
    np.testing.assert_array_equal(one, other)


def test_tiles_change_nothing() -> None:
    image = np.tile(two_squares("YX"), (3, 3))
    whole, tiled = (
        finish(
            segment(
                image,
                "YX",
                bright_is_nucleus,
                SegmentSettings(diameter=22.0, tile=size, overlap=30),
            )
        )
        for size in (1024, 100)
    )
    np.testing.assert_array_equal(whole.maps, tiled.maps)
    np.testing.assert_array_equal(whole.labels, tiled.labels)


def test_progress_counts_every_tile_then_every_volume() -> None:
    reports = list(segment(two_squares("ZYX"), "ZYX", bright_is_nucleus, SETTINGS))
    assert reports == [*(Progress("network", n, 4) for n in (1, 2, 3, 4)), Progress("nuclei", 1, 1)]


def test_the_image_is_scaled_to_the_models_size_and_the_maps_back() -> None:
    seen: list[tuple[int, ...]] = []

    def network(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(pixels.shape)
        return bright_is_nucleus(pixels)

    settings = SegmentSettings(diameter=88.0, model_diameter=22.0)
    result = finish(segment(np.zeros((400, 200)), "YX", network, settings))
    assert seen == [(3, 100, 50)]
    assert result.labels.shape == (400, 200)
    assert result.maps.shape == (3, 400, 200)


def test_best_quality_is_the_mean_over_eight_views_of_the_image() -> None:
    def brightness_above(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.roll(pixels, 1, axis=1)

    image = np.zeros((48, 64), np.uint8)
    image[20, 30] = 255
    bounds = Normalisation(low=0.0, high=100.0)
    best = SegmentSettings(diameter=22.0, quality="best", normalisation=bounds)
    maps = finish(predict_maps(image, "YX", brightness_above, best))
    quarters = {(int(y), int(x)): int(maps[0, y, x]) for y, x in np.argwhere(maps[0])}
    assert quarters == {(19, 30): 64, (20, 29): 64, (20, 31): 64, (21, 30): 64}


def test_best_quality_keeps_one_report_a_tile() -> None:
    best = replace(SETTINGS, quality="best")
    reports = list(segment(two_squares("ZYX"), "ZYX", bright_is_nucleus, best))
    assert reports == list(segment(two_squares("ZYX"), "ZYX", bright_is_nucleus, SETTINGS))


def test_the_diameter_is_estimated_from_one_view_in_best_quality_too() -> None:
    calls: list[int] = []

    def network(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        calls.append(1)
        return bright_is_nucleus(pixels)

    image = np.zeros((100, 100), np.uint8)
    for corner in range(10, 90, 40):
        image[corner : corner + 20, 10:30] = image[corner : corner + 20, 50:70] = 255
    finish(segment(image, "YX", network, SegmentSettings(quality="best")))
    assert len(calls) == 1 + 8


def test_the_diameter_is_estimated_where_it_is_not_given() -> None:
    image = np.zeros((200, 200), np.uint8)
    for corner in range(10, 190, 40):
        image[corner : corner + 20, corner : corner + 20] = 255
    result = finish(segment(image, "YX", bright_is_nucleus, SegmentSettings()))
    assert result.diameter == pytest.approx(2 * np.sqrt(400 / np.pi))


def test_one_range_for_a_stack_keeps_an_empty_plane_empty() -> None:
    image = np.random.default_rng(0).integers(0, 5, (2, 40, 50)).astype(np.uint8)
    image[0, 5:15, 5:15] = 250
    per_stack = SegmentSettings(diameter=22.0, normalisation=Normalisation(per="stack"))
    maps = finish(predict_maps(image, "ZYX", bright_is_nucleus, per_stack))
    assert maps[0, 0].any()
    assert not maps[0, 1].any()


@pytest.mark.parametrize("shape", [(0, 50), (40, 0), (0, 0)])
def test_an_image_without_pixels_has_no_nuclei(shape: tuple[int, int]) -> None:
    result = finish(segment(np.zeros(shape, np.uint8), "YX", bright_is_nucleus))
    assert result.labels.shape == shape


@pytest.mark.parametrize("pixels", [np.zeros((1, 1)), np.zeros((60, 3)), np.full((30, 30), np.nan)])
def test_an_image_with_nothing_in_it_has_no_nuclei(pixels: NDArray[np.float64]) -> None:
    labels = finish(segment(pixels, "YX", bright_is_nucleus)).labels
    assert labels.shape == pixels.shape
    assert not labels.any()


def test_maps_are_labelled_again_without_the_network() -> None:
    first = finish(segment(two_squares("ZYX"), "ZYX", bright_is_nucleus, SETTINGS))
    np.testing.assert_array_equal(finish(label_maps(first.maps, "ZYX", SETTINGS)), first.labels)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"link": "both"}, "Expected one of auto, volume, overlap, none as link, got 'both'"),
        ({"quality": "good"}, "Expected one of fast, best as quality, got 'good'; choose one"),
        ({"views": "two"}, "Expected one of planes, three as views, got 'two'"),
        ({"diameter": 0.0}, "Expected a positive diameter, got 0.0"),
        ({"diameter": float("nan")}, "Expected a positive diameter, got nan"),
        ({"anisotropy": -1.0}, "Expected a positive anisotropy, got -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SegmentSettings(**change)  # type: ignore[arg-type]


def test_axes_that_do_not_fit_are_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="one axis letter for each"):
        next(segment(np.zeros((4, 5)), "ZYX", bright_is_nucleus))


@pytest.mark.parametrize(
    ("room", "on_disk", "free"),
    [(in_memory, 10**6, 40), (roomy, 15_000, 55), (roomy, 16_000, None)],
)
def test_a_result_needs_room_in_memory_or_where_it_may_be_in_files(
    monkeypatch, room, on_disk: int, free: int | None
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=40_000))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=on_disk))
    steps = segment(np.zeros((4, 40, 50)), "ZYX", bright_is_nucleus, SETTINGS, room)
    if free is None:
        assert next(steps).step == "network"
    else:
        with pytest.raises(ValueError, match=f"need 56 kB, and {free} kB are free; take a part"):
            next(steps)


def test_stopping_early_runs_no_more_tiles() -> None:
    calls: list[int] = []

    def network(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        calls.append(1)
        return bright_is_nucleus(pixels)

    steps = segment(two_squares("ZYX"), "ZYX", network, SETTINGS)
    next(steps)
    steps.close()
    assert len(calls) == 1


def test_each_nucleus_has_the_confidence_of_its_maps() -> None:
    def grey(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.where(pixels[0] > 0.5, 0.8, 0.0) * np.ones((3, 1, 1)) * [[[1]], [[0]], [[1]]]

    result = finish(segment(two_squares("ZYX"), "ZYX", grey, SETTINGS))
    assert np.isnan(result.confidence).tolist() == [True, False, False]
    assert result.confidence[1:] == pytest.approx([0.8, 0.8], abs=0.01)


def test_frames_of_the_sample_movie_get_the_ids_of_their_tracks():
    truth = nuclei_movie((16, 256, 256), n=60)[1]
    frames = iter(truth)

    def seen(*_):
        """Return the nuclei of the next frame, numbered for itself."""
        return relabel_sequential(next(frames)[::-1])[0][::-1]

    maps = np.zeros((1, *truth.shape), np.uint8)
    labels = finish(label_maps(maps, "TYX", SegmentSettings(), seen))
    np.testing.assert_array_equal(labels > 0, truth > 0)
    pairs = np.unique(np.stack([truth[truth > 0], labels[truth > 0]]), axis=1)
    assert np.unique(pairs[0]).tolist() == pairs[0].tolist()
    assert len(np.unique(pairs[1])) == pairs.shape[1] - 1  # at the rim one daughter is outside
    assert np.count_nonzero(track_table(labels)[:, 3]) == 20


def test_planes_that_are_linked_do_not_divide():
    planes = iter(np.array([[[1] * 6], [[1, 1, 0, 2, 2, 2]]]))
    maps = np.zeros((1, 2, 1, 6), np.uint8)
    settings = SegmentSettings(link="overlap")
    labels = finish(label_maps(maps, "ZYX", settings, lambda *_: next(planes)))
    assert labels[:, 0].tolist() == [[1] * 6, [2, 2, 0, 1, 1, 1]]


DEEP = SegmentSettings(
    diameter=6.0, model_diameter=6.0, anisotropy=1.0, views="three", tile=64, overlap=16
)


def block() -> NDArray[np.uint8]:
    image = np.zeros((12, 40, 30), np.uint8)
    image[3:9, 10:20, 10:20] = 200
    return image


def test_three_views_are_the_mean_of_planes_and_sides():
    heights: list[tuple[int, ...]] = []

    def network(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        heights.append(pixels.shape[1:])
        from_side = pixels.shape[1] == 24
        return np.full((3, *pixels.shape[1:]), 0.2 if from_side else 1.0, np.float32)

    maps = finish(predict_maps(block(), "ZYX", network, replace(DEEP, anisotropy=2.0)))
    assert heights == [(40, 30)] * 12 + [(24, 30)] * 40 + [(24, 40)] * 30
    assert np.unique(maps).tolist() == [153]  # half of 1, half of 0.2


def test_three_views_put_what_is_seen_from_the_side_in_its_place():
    labels = finish(segment(block(), "ZYX", bright_is_nucleus, DEEP)).labels
    assert labels[6, 15, 15] == 1
    assert np.count_nonzero(labels) == np.count_nonzero(block())


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX"])
def test_frames_are_seen_from_the_side_one_by_one(axes: str):
    image = np.stack([block(), np.roll(block(), 7, axis=1)], axis=axes.index("T"))
    labels = finish(segment(image, axes, bright_is_nucleus, DEEP)).labels
    np.testing.assert_array_equal(labels > 0, image > 0)


def test_a_stack_of_few_planes_is_not_seen_from_the_side():
    reports = list(segment(two_squares("ZYX"), "ZYX", bright_is_nucleus, replace(DEEP, tile=1024)))
    assert {report.step for report in reports} == {"network", "nuclei"}


def test_the_diameter_comes_from_a_plane_that_shows_nuclei():
    image = np.random.default_rng(0).integers(0, 5, (9, 200, 200)).astype(np.uint8)
    for corner in range(10, 190, 40):
        image[1, corner : corner + 20, corner : corner + 20] = 200
    result = finish(segment(image, "ZYX", bright_is_nucleus, SegmentSettings(link="none")))
    assert result.diameter == pytest.approx(2 * np.sqrt(400 / np.pi))


def flat_boxes(n: int) -> NDArray[np.uint8]:
    """Return a stack with n nuclei that are 8 pixels wide and two planes high."""
    image = np.zeros((6, 60, 60), np.uint8)
    for at in range(n):
        row, column = 14 * (at // 4) + 3, 14 * (at % 4) + 3
        image[2:4, row : row + 8, column : column + 8] = 200
    return image


@pytest.mark.parametrize(
    ("n", "link", "expected"),
    [(12, "volume", 4.5), (12, "overlap", 4.5), (4, "volume", 1.0), (12, "none", None)],
)
def test_an_unknown_distance_of_planes_follows_from_the_shape_of_nuclei(n, link, expected):
    settings = replace(SETTINGS, anisotropy=None, link=link)
    steps: list[Progress] = []
    result = finish(segment(flat_boxes(n), "ZYX", bright_is_nucleus, settings), steps.append)
    assert result.settings.anisotropy == (
        None if expected is None else pytest.approx(expected, 0.02)
    )
    assert ("spacing" in {step.step for step in steps}) == (link != "none")
    assert result.labels.max() == (n if link != "none" else 2 * n)


def test_the_distance_of_a_single_plane_is_not_asked_for():
    steps: list[Progress] = []
    settings = replace(SETTINGS, anisotropy=None)
    result = finish(segment(flat_boxes(12)[2:3], "ZYX", bright_is_nucleus, settings), steps.append)
    assert result.settings.anisotropy is None
    assert {step.step for step in steps} == {"network", "nuclei"}
    assert result.labels.max() == 12


def test_a_distance_of_planes_is_told_in_pixels_of_the_image():
    """The network sees the nuclei at half of their size."""
    settings = replace(SETTINGS, anisotropy=None, diameter=44.0)
    large = flat_boxes(12).repeat(4, axis=1).repeat(4, axis=2)
    found = image_spacing(large, "ZYX", bright_is_nucleus, settings)
    assert found == pytest.approx(4 * 4.5, rel=0.1)


@pytest.mark.parametrize("limits", [{"min_size": 300}, {"max_size": 200}])
def test_limits_of_sizes_do_not_change_the_estimated_distance(limits):
    """Nuclei have 128 voxels here, and 256 pixels on each plane that the network sees."""
    how = replace(SETTINGS, anisotropy=None, diameter=11.0, instances=InstanceSettings(**limits))
    found = image_spacing(flat_boxes(12), "ZYX", bright_is_nucleus, how)
    assert found == pytest.approx(4.5, rel=0.1)


def test_linked_planes_leave_no_flat_pieces_between_nuclei():
    image = np.zeros((7, 40, 40), np.uint8)
    image[:, 5:15, 5:15] = 200
    image[3, 25:35, 25:35] = 200
    for link in ("volume", "overlap"):
        labels = finish(
            segment(image, "ZYX", bright_is_nucleus, replace(SETTINGS, link=link))
        ).labels
        assert np.unique(labels).tolist() == [0, 1]
        assert not labels[3, 25:35, 25:35].any()
