"""How large the nuclei of an image are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_unet.api import model_settings
from napari_unet.network.library import load_model
from napari_unet.nuclei.instances import InstanceSettings, instances
from napari_unet.nuclei.sizing import LEAST_SURE, estimate_diameter, zoom_between
from napari_unet.segmentation import image_diameter


def broken_discs(pixels: np.ndarray) -> np.ndarray:
    """Return maps of four discs, 40 pixels wide, with four dents in the depth and no border."""
    y, x = np.mgrid[: pixels.shape[1], : pixels.shape[2]]
    maps = np.zeros((3, *pixels.shape[1:]), np.float32)
    for cy, cx in ((25, 25), (25, 75), (75, 25), (75, 75)):
        disc = np.hypot(y - cy, x - cx) < 20
        maps[0][disc] = 1
        maps[2][disc & (abs(y - cy) > 1) & (abs(x - cx) > 1)] = 0.8
        maps[2][disc & ((abs(y - cy) <= 1) | (abs(x - cx) <= 1))] = 0.3
    return maps


def test_the_estimate_stands_seeds_that_break_large_nuclei():
    pixels = np.zeros((3, 100, 100), np.float32)
    by_depth = InstanceSettings(seeds="distance")
    assert instances(broken_discs(pixels), by_depth).max() == 16
    found = estimate_diameter(pixels, broken_discs, 40.0, by_depth)
    assert found == pytest.approx(40, rel=0.03)


@pytest.mark.parametrize("limits", [{"min_size": 5000}, {"max_size": 500}])
def test_limits_of_sizes_do_not_change_the_estimate(limits):
    settings = InstanceSettings(**limits)
    found = estimate_diameter(np.zeros((3, 100, 100), np.float32), broken_discs, 30.0, settings)
    assert found == pytest.approx(40, rel=0.03)


def test_a_network_of_one_map_is_asked_for_its_pieces():
    def whole(pixels: np.ndarray) -> np.ndarray:
        return broken_discs(pixels)[:1]

    settings = InstanceSettings(seeds="none")
    found = estimate_diameter(np.zeros((3, 100, 100), np.float32), whole, 40.0, settings)
    assert found == pytest.approx(40, rel=0.03)


def test_an_image_without_pixels_or_nuclei_has_the_nuclei_of_the_model():
    settings = InstanceSettings()

    def nothing(pixels: np.ndarray) -> np.ndarray:
        return np.zeros_like(pixels)

    assert estimate_diameter(np.zeros((3, 0, 5), np.float32), nothing, 22.0, settings) == 22.0
    assert estimate_diameter(np.zeros((3, 50, 50), np.float32), nothing, 22.0, settings) == 22.0


def test_the_scale_is_believed_at_which_the_network_is_surest():
    """At full size it sees the texture of large nuclei as small ones, but dimly."""
    seen: list[int] = []

    def network(pixels: np.ndarray) -> np.ndarray:
        seen.append(pixels.shape[1])
        maps = np.zeros_like(pixels)
        step, sure = (10, 0.6) if pixels.shape[1] >= 400 else (50, 0.95)
        for y, x in np.ndindex(pixels.shape[1] // step, pixels.shape[2] // step):
            square = np.s_[step * y + 2 : step * (y + 1) - 2, step * x + 2 : step * (x + 1) - 2]
            maps[0][square] = maps[2][square] = sure
        return maps

    found = estimate_diameter(np.zeros((3, 400, 400), np.float32), network, 40, InstanceSettings())
    assert seen[:4] == [400, 200, 100, 50]
    assert found == pytest.approx(2 * 46 * 2 / np.sqrt(np.pi), rel=0.01)


def squares(side: int, sure: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a network that sees squares of that side everywhere, whatever it is shown."""
    step = round(1.5 * side)

    def network(pixels: np.ndarray) -> np.ndarray:
        maps = np.zeros_like(pixels)
        for y, x in np.ndindex(pixels.shape[1] // step, pixels.shape[2] // step):
            square = np.s_[step * y : step * y + side, step * x : step * x + side]
            maps[0][square] = maps[2][square] = 0.5 + sure / 2
        return maps

    return network


@pytest.mark.parametrize("side", [8, 20, 50])
@pytest.mark.parametrize(("sure", "is_believed"), [(LEAST_SURE - 0.05, False), (0.7, True)])
def test_what_is_nowhere_seen_clearly_is_not_believed(side, sure, is_believed):
    pixels = np.zeros((3, 150, 150), np.float32)
    found = estimate_diameter(pixels, squares(side, sure), 22.0, InstanceSettings())
    assert (found != 22.0) == is_believed


@pytest.mark.parametrize(("side", "is_believed"), [(18, True), (25, False)])
def test_nuclei_of_more_than_eight_times_the_models_size_are_not_believed(side, is_believed):
    """Seen at an eighth of the size alone, where they are a little larger or smaller than its."""

    def network(pixels: np.ndarray) -> np.ndarray:
        is_small = pixels.shape[1] < 200
        return squares(side, 0.9)(pixels) if is_small else np.zeros_like(pixels)

    pixels = np.zeros((3, 1000, 1000), np.float32)
    found = estimate_diameter(pixels, network, 22.3, InstanceSettings())
    assert found == pytest.approx(16 * side / np.sqrt(np.pi) if is_believed else 22.3, rel=0.05)


def test_noise_is_not_enlarged():
    """The built-in model, which sees some tiny nuclei in it at four times its size."""
    model = load_model("nuclei", "cpu")
    noise = np.random.default_rng(0).integers(0, 255, (256, 256), np.uint8)
    settings = model_settings(model)
    assert image_diameter(noise, "YX", model.predict, settings) == model.card.diameter


def test_a_sure_network_is_asked_once():
    calls: list[tuple[int, ...]] = []

    def network(pixels: np.ndarray) -> np.ndarray:
        calls.append(pixels.shape)
        return broken_discs(pixels)

    estimate_diameter(np.zeros((3, 100, 100), np.float32), network, 40.0, InstanceSettings())
    assert calls == [(3, 100, 100)]


@pytest.mark.parametrize(
    ("diameter", "zoom"),
    [(22, 1.0), (13, 1.0), (28, 1.0), (33, 2 / 3), (44, 0.5), (5.5, 4.0), (1, 4.0), (10_000, 0.1)],
)
def test_images_are_scaled_only_where_their_nuclei_are_far_from_the_model(diameter, zoom):
    assert zoom_between(diameter, 22.0) == zoom
