from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_unet.images.intensity import Normalisation
from napari_unet.learning.corrections import Corrections, corrections
from napari_unet.learning.crops import LARGEST_WINDOW, MARGIN, Crop, correction_crops, digest


def known_at(shape: tuple[int, ...], *places: tuple[int, ...]) -> Corrections:
    """Return corrections that added one nucleus of one pixel at each place."""
    edited = np.zeros(shape, np.int32)
    for label, place in enumerate(places, start=1):
        edited[place] = label
    return corrections(np.zeros(shape, np.int32), edited)


def test_a_crop_holds_what_is_known_with_a_margin() -> None:
    image = np.arange(300 * 400, dtype=np.uint16).reshape(300, 400)
    (crop,) = correction_crops(
        image, "YX", known_at((300, 400), (150, 200)), diameter=20.0, source="a.tif"
    )
    around = np.s_[148 - MARGIN : 153 + MARGIN, 198 - MARGIN : 203 + MARGIN]
    assert np.array_equal(crop.pixels, image[around])
    assert crop.pixels.dtype == np.uint16
    assert crop.labels[MARGIN + 2, MARGIN + 2] == 1
    assert crop.known.sum() == 13
    assert (crop.source, crop.place, crop.diameter) == ("a.tif", "y0 x0", 20.0)
    assert crop.n_nuclei == 1


def test_a_crop_is_a_copy() -> None:
    image = np.zeros((20, 20), np.uint8)
    found = known_at((20, 20), (5, 5))
    (crop,) = correction_crops(image, "YX", found, diameter=5.0)
    image[:], found.labels[:], found.known[:] = 1, 1, True
    assert not crop.pixels.any()
    assert crop.n_nuclei == 1
    assert not crop.known.all()


def test_places_near_each_other_share_a_crop() -> None:
    found = known_at((600, 600), (10, 10), (10, 200), (590, 590))
    crops = correction_crops(np.zeros((600, 600)), "YX", found, diameter=5.0)
    assert [crop.place for crop in crops] == ["y0 x0", "y1 x1"]
    assert [crop.n_nuclei for crop in crops] == [2, 1]


def test_large_areas_are_cut_and_no_pixel_is_known_twice() -> None:
    shape = (700, 1500)
    known = np.ones(shape, bool)
    found = Corrections(np.ones(shape, np.int32), known, np.zeros(0, np.int32), n_planes=1)
    crops = correction_crops(np.zeros(shape, np.uint8), "YX", found, diameter=5.0)
    assert sum(int(crop.known.sum()) for crop in crops) == known.size
    assert len({crop.place for crop in crops}) == len(crops)
    assert max(max(crop.labels.shape) for crop in crops) <= LARGEST_WINDOW


def test_more_corrections_in_one_part_make_the_same_place() -> None:
    image = np.zeros((600, 600), np.uint8)
    places = [
        correction_crops(image, "YX", found, diameter=5.0)[0].place
        for found in (known_at(image.shape, (9, 9)), known_at(image.shape, (9, 9), (99, 150)))
    ]
    assert places == ["y0 x0", "y0 x0"]


@pytest.mark.parametrize(
    ("axes", "shape", "channel", "place"),
    [
        ("ZCYX", (3, 2, 16, 16), 1, "Z2 C1 y0 x0"),
        ("CZYX", (2, 3, 16, 16), None, "Z2 C0 y0 x0"),
        ("YXZ", (16, 16, 3), None, "Z2 y0 x0"),
    ],
)
def test_planes_are_found_in_any_order_of_axes(
    axes: str, shape: tuple[int, ...], channel: int | None, place: str
) -> None:
    image = np.arange(np.prod(shape)).reshape(shape)
    if axes == "YXZ":
        edited = np.zeros(shape, np.int32)
        edited[5, 5, 2] = 4
        found = Corrections(edited, edited > 0, np.array([4], np.int32), 1, n_planes=1)
        expected = image[..., 2]
    else:
        found = known_at((3, 16, 16), (2, 5, 5))
        expected = image[2, 1] if axes == "ZCYX" else image[0, 2]
    (crop,) = correction_crops(image, axes, found, diameter=5.0, channel=channel)
    assert np.array_equal(crop.pixels, expected)
    assert crop.place == place
    assert crop.known[5, 5]


def test_colours_stay_together() -> None:
    image = np.arange(2 * 16 * 16 * 3).reshape(2, 16, 16, 3).astype(np.uint8)
    (crop,) = correction_crops(image, "TYXS", known_at((2, 16, 16), (1, 5, 5)), diameter=5.0)
    assert np.array_equal(crop.pixels, image[1])


def test_other_byte_orders_become_the_machine_s() -> None:
    image = np.arange(64, dtype=">u2").reshape(8, 8)
    (crop,) = correction_crops(image, "YX", known_at((8, 8), (4, 4)), diameter=5.0)
    assert crop.pixels.dtype == np.dtype(np.uint16)
    assert np.array_equal(crop.pixels, image)


def test_only_planes_with_something_known_are_read() -> None:
    class Lazy:
        shape = (9, 100, 100)

        def __getitem__(self, index: tuple[Any, ...]) -> NDArray[np.uint8]:
            assert index == (4, slice(None), slice(None))
            return np.zeros((100, 100), np.uint8)

    (crop,) = correction_crops(Lazy(), "ZYX", known_at(Lazy.shape, (4, 90, 90)), diameter=5.0)
    assert crop.pixels.shape == (100 - 88 + MARGIN,) * 2


@pytest.mark.parametrize(
    ("per", "limits"), [("plane", (0.0, 20.0)), ("stack", (0.0, 40.0)), ("type", (0.0, 255.0))]
)
def test_limits_are_those_of_all_that_the_model_saw(per: str, limits: tuple[float, float]) -> None:
    image = np.zeros((2, 300, 300), np.uint8)
    image[0, 250:, 250:], image[1, 250:, 250:] = 20, 40
    (crop,) = correction_crops(
        image,
        "ZYX",
        known_at(image.shape, (0, 50, 50)),
        diameter=5.0,
        normalisation=Normalisation(per=per),
    )
    assert not crop.pixels.any()
    assert crop.limits == limits


def test_alpha_does_not_decide_the_limits() -> None:
    image = np.zeros((9, 9, 4), np.uint8)
    image[0, 0, :3], image[..., 3] = 7, 255
    (crop,) = correction_crops(image, "YXS", known_at((9, 9), (5, 5)), diameter=5.0)
    assert crop.limits[1] <= 7


def test_nothing_known_makes_no_crop() -> None:
    assert correction_crops(np.zeros((8, 8)), "YX", known_at((8, 8)), diameter=5.0) == []


def test_corrections_of_another_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the image's shape \(9, 9\), got \(8, 8\)"):
        correction_crops(np.zeros((9, 9)), "YX", known_at((8, 8), (1, 1)), diameter=5.0)


GOOD: dict[str, Any] = {
    "pixels": np.zeros((4, 5), np.uint8),
    "labels": np.zeros((4, 5), np.int32),
    "known": np.ones((4, 5), bool),
    "diameter": 5.0,
    "limits": (0.0, 1.0),
}


@pytest.mark.parametrize(
    "bad",
    [
        {"pixels": np.zeros((4, 5), complex)},
        {"pixels": np.zeros((5, 4))},
        {"pixels": np.zeros((4, 5, 2))},
        {"labels": np.zeros((4, 5), np.int64)},
        {"known": np.zeros((4, 5), np.uint8)},
        {"diameter": 0.0},
        {"diameter": float("nan")},
        {"limits": (1.0, 1.0)},
        {"limits": (0.0, float("nan"))},
        {"limits": (0.0, float("inf"))},
        {name: np.zeros((1, 4097), GOOD[name].dtype) for name in ("pixels", "labels", "known")},
        {name: np.zeros((0, 5), GOOD[name].dtype) for name in ("pixels", "labels", "known")},
    ],
)
def test_a_crop_that_does_not_hold_together_is_refused(bad: dict[str, Any]) -> None:
    make: Callable[..., Crop] = Crop
    make(**GOOD)
    with pytest.raises(ValueError, match="Expected"):
        make(**GOOD | bad)


@pytest.mark.parametrize(
    ("n", "estimate", "diameter"),
    [
        (3, 5.0, 20.0),  # specks were taken for nuclei
        (3, 14.0, 14.0),  # near enough
        (2, 5.0, 5.0),  # too few to know better
    ],
)
def test_painted_nuclei_say_how_large_nuclei_are(n: int, estimate: float, diameter: float) -> None:
    labels = np.zeros((64, 128), np.int32)
    y, x = np.mgrid[:64, :128]
    for number in range(n):
        labels[np.hypot(y - 32, x - 20 - 40 * number) < 10] = number + 1
    painted = Corrections(labels, labels > 0, np.zeros(0, np.int32), n_planes=1)
    (crop,) = correction_crops(np.zeros((64, 128)), "YX", painted, diameter=estimate)
    assert crop.diameter == pytest.approx(diameter, rel=0.02)


def test_a_digest_tells_crops_apart_by_all_but_their_dates() -> None:
    known = np.ones((4, 6), bool)
    crop = Crop(np.zeros((4, 6)), np.zeros((4, 6), np.int32), known, 9.0, (0.0, 1.0), "a", "y0")
    assert len(digest([crop])) == 32
    assert digest([replace(crop, date="2026-11-26T05:00:00+00:00")]) == digest([crop])
    others = [
        replace(crop, pixels=np.ones((4, 6))),
        replace(crop, pixels=np.zeros((4, 6), np.float32)),
        replace(crop, labels=np.ones((4, 6), np.int32)),
        replace(crop, known=~known),
        replace(crop, diameter=8.0),
        replace(crop, limits=(0.0, 2.0)),
        replace(crop, source="b"),
        replace(crop, place="y1"),
    ]
    told = {digest(crops) for crops in ([], [crop], [crop, crop], *([it] for it in others))}
    pair = {digest([crop, others[0]]), digest([others[0], crop])}
    assert (len(told), len(pair)) == (len(others) + 3, 2)
