from __future__ import annotations

import pytest

from napari_unet.estimate import DEPTH, FOUND, LABELS, N_LABELS, SEPARATING, TILE, Pace, estimate
from napari_unet.images.roomy import LARGEST_IN_MEMORY
from napari_unet.images.threads import MOST_THREADS
from napari_unet.nuclei.strips import PIXELS
from napari_unet.segmentation import SegmentSettings

PACE = Pace(network=1e-6, plane=1e-7, volume=3e-7, n_bytes=400)
ONE_TILE = SegmentSettings(diameter=22.0, model_diameter=22.0)
MPX = 1000 * 1000


def seconds(shape: tuple[int, ...], axes: str, **choices: object) -> float:
    given = {"diameter": 22.0, "model_diameter": 22.0} | choices
    return estimate(shape, axes, SegmentSettings(**given), PACE).seconds  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "axes", "choices", "expected"),
    [
        ((1000, 1000), "YX", {}, 1.1),
        ((1000, 1000, 3), "YXS", {}, 1.1),
        ((4, 1000, 1000), "CYX", {}, 1.1),
        ((10, 1000, 1000), "TYX", {}, 11.0),
        ((10, 1000, 1000), "ZYX", {}, 13.0),
        ((10, 1000, 1000), "ZYX", {"link": "overlap"}, 11.0),
        ((1000, 1000), "YX", {"quality": "best"}, 8.1),
        ((10, 1000, 1000), "ZYX", {"views": "three", "anisotropy": 5.0}, 10 + 100 + 3),
        ((10, 1000, 1000), "ZYX", {"views": "three"}, 13.0),
        ((1000, 1000), "YX", {"diameter": 44.0}, 0.35),
        ((1000, 1000), "YX", {"diameter": None}, 1.1),
        ((0, 1000), "YX", {}, 0.0),
    ],
)
def test_the_time_goes_with_the_pixels_that_are_seen(
    shape: tuple[int, ...], axes: str, choices: dict[str, object], expected: float
) -> None:
    assert seconds(shape, axes, **choices) == pytest.approx(expected)


def test_what_tiles_share_is_counted_as_often_as_it_is_seen() -> None:
    # Two tiles of 64 pixels with 16 that both see.
    assert seconds((64, 112), "YX", tile=64, overlap=16) == pytest.approx(
        2 * 64 * 64e-6 + 64 * 112e-7
    )


def test_memory_is_that_of_labels_maps_and_the_fullest_moment() -> None:
    flat = estimate((1000, 1000), "YX", ONE_TILE, PACE)
    assert flat.n_bytes == MPX * (N_LABELS * LABELS + 3 + 400 + TILE)
    deep = estimate((50, 1000, 1000), "ZYX", ONE_TILE, PACE)
    boxes = SEPARATING * MOST_THREADS * PIXELS
    assert deep.n_bytes == 50 * MPX * (N_LABELS * LABELS + 3 + FOUND + DEPTH) + boxes


def test_of_a_large_plane_a_strip_alone_is_at_its_fullest() -> None:
    wide = estimate((20_000, 20_000), "YX", ONE_TILE, PACE)
    n = 20_000**2
    # Maps and labels are in files.
    assert wide.n_bytes == n * FOUND + SEPARATING * MOST_THREADS * PIXELS


@pytest.mark.parametrize(("each", "in_memory"), [(LABELS, 3), (3, 0)])
def test_labels_and_maps_that_are_in_files_take_no_memory(each: int, in_memory: int) -> None:
    n = LARGEST_IN_MEMORY // (each * MPX) + 1
    movie = estimate((n, 1000, 1000), "TYX", ONE_TILE, PACE)
    assert movie.n_bytes == MPX * (n * in_memory + 400 + TILE)
