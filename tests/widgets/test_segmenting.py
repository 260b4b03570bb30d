from __future__ import annotations

import json
import sys
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from napari_unet.images.synthetic import nuclei_field
from napari_unet.methods import methods_text
from napari_unet.network.keeping import import_model
from napari_unet.segmentation import finish
from napari_unet.widgets.running import Failed
from napari_unet.widgets.segmenting import Finished, Request, run


def request(model: Path | str, pixels: np.ndarray, axes: str, region: tuple[slice, ...]) -> Request:
    return Request(pixels, axes, region, model, "cpu", "auto", {"diameter": 20.0})


@pytest.fixture
def picture() -> np.ndarray:
    image = np.zeros((40, 50), np.uint8)
    image[5:15, 5:15] = 200
    image[20:32, 30:42] = 200
    return image


def test_a_run_gives_labels_and_what_made_them(bright_model: Path, picture: np.ndarray) -> None:
    outcome = finish(run(request(bright_model, picture, "YX", (slice(None),) * 2)))
    assert isinstance(outcome, Finished)
    assert outcome.n_nuclei == 2
    assert outcome.confidence is not None
    assert outcome.confidence[1:] == pytest.approx([1.0, 1.0], abs=0.1)
    assert outcome.facts["model"] == "bright"
    assert len(outcome.facts["model_sha256"]) == 64
    assert outcome.facts["settings"]["diameter"] == 20.0
    assert outcome.facts["settings"]["instances"]["threshold"] == 0.5
    assert outcome.facts["shape"] == [40, 50]
    assert outcome.facts["dtype"] == "uint8"
    assert outcome.facts["diameter_is_given"]
    assert outcome.facts["versions"]["numpy"] == np.__version__
    assert datetime.fromisoformat(outcome.facts["date"]).tzinfo is not None
    assert json.loads(json.dumps(outcome.facts))["model"] == "bright"


def test_only_the_region_is_run(bright_model: Path, picture: np.ndarray) -> None:
    region = (slice(0, 18), slice(0, 50))
    outcome = finish(run(request(bright_model, picture, "YX", region)))
    assert isinstance(outcome, Finished)
    assert outcome.labels.shape == (18, 50)
    assert outcome.place == region
    assert outcome.shape == picture.shape
    assert outcome.n_nuclei == 1


@pytest.mark.parametrize(
    ("model", "axes", "sentence"),
    [
        ("no such model", "YX", "unknown name 'no such model'"),
        ("missing.safetensors", "YX", "missing.safetensors"),
        (None, "ZYX", "one axis letter for each"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    bright_model: Path, picture: np.ndarray, model: str | None, axes: str, sentence: str
) -> None:
    region = (slice(None),) * 2
    outcome = finish(run(request(model or bright_model, picture, axes, region)))
    assert isinstance(outcome, Failed)
    assert sentence.lower() in outcome.sentence.lower()
    assert "\n" not in outcome.sentence


def test_a_runtime_error_of_the_network_is_told_too(
    bright_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_unet.network.model import Model

    def broken(self: Model, pixels: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(Model, "predict", broken)
    outcome = finish(run(request(bright_model, np.ones((40, 50)), "YX", (slice(None),) * 2)))
    assert outcome == Failed(
        "The image could not be read or segmented (RuntimeError: out of memory); check its file."
    )


@pytest.mark.parametrize("error", [KeyError("chunk"), IndexError("plane"), OSError("disk")])
def test_whatever_an_image_raises_is_one_sentence(bright_model: Path, error: Exception) -> None:
    class Broken:
        shape = (40, 50)

        def __getitem__(self, index: object) -> np.ndarray:
            raise error

    outcome = finish(
        run(Request(Broken(), "YX", (slice(None),) * 2, bright_model, "cpu", "auto", {}))
    )
    assert isinstance(outcome, Failed)
    assert f"({type(error).__name__}: {error})" in outcome.sentence


def test_a_torch_that_does_not_load_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "napari_unet.network.model", None)
    outcome = finish(run(request("nuclei", np.ones((40, 50)), "YX", (slice(None),) * 2)))
    assert isinstance(outcome, Failed)
    assert outcome.sentence.startswith("PyTorch could not be loaded")


def test_a_network_of_another_program_is_named_and_cited(other_package) -> None:
    path = import_model(other_package())
    image = nuclei_field((96, 112), n=12, diameter=20.0)[0]
    outcome = finish(run(request(path.stem, image, "YX", (slice(None),) * 2)))
    assert isinstance(outcome, Finished)
    assert outcome.n_nuclei > 1
    assert outcome.facts["network"] == "onnx"
    text = methods_text({**outcome.facts, "image": "cells"})
    for words in (
        "the network of the package 'Bright nuclei' 0.1.0, by Ada Byron.",
        "scaled to a mean of 0 and a standard deviation of 1 in each plane",
        f"on CPU float32 with PyTorch {version('torch')}",
        "onnxruntime 1.",
        "Byron A, Bright nuclei, 2026 doi:10.1234/bright",
    ):
        assert words in text
    assert "U-Net: convolutional" not in text
