"""The Python functions: what they hand on to the walk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_unet
from napari_unet.network.model import Model


@pytest.mark.parametrize("function", [napari_unet.segment, napari_unet.predict])
@pytest.mark.parametrize(("quality", "n_calls"), [({}, 1), ({"quality": "best"}, 8)])
def test_best_quality_runs_the_network_eight_times(
    function: Callable[..., Any],
    quality: dict[str, str],
    n_calls: int,
    bright_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, ...]] = []

    def predict(self: Model, pixels: np.ndarray) -> np.ndarray:
        calls.append(pixels.shape)
        return np.zeros_like(pixels)

    monkeypatch.setattr(Model, "predict", predict)
    function(np.ones((40, 50)), "YX", model=bright_model, diameter=20.0, device="cpu", **quality)
    assert len(calls) == n_calls


@pytest.mark.parametrize("function", [napari_unet.segment, napari_unet.predict])
def test_an_unknown_quality_is_refused(function: Callable[..., Any], bright_model: Path) -> None:
    with pytest.raises(ValueError, match="Expected one of fast, best as quality, got 'good'"):
        function(np.ones((40, 50)), "YX", model=bright_model, device="cpu", quality="good")


def test_a_hole_of_nan_in_a_picture_is_background() -> None:
    y, x = np.mgrid[:96, :96]
    noise = np.random.default_rng(0).normal(0.2, 0.02, (96, 96))
    image = (noise + ((y - 60) ** 2 + (x - 60) ** 2 < 64)).astype(np.float32)
    image[:20, :20] = np.nan
    labels = napari_unet.segment(image, "YX", device="cpu")
    assert labels.max() == 1
    assert labels[60, 60] == 1
    assert not labels[np.isnan(image)].any()
