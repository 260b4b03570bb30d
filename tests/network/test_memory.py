"""Too little memory: by injected errors, and by a limit on a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_unet.network.library import load_model
from napari_unet.network.memory import in_pieces, is_out_of_memory
from napari_unet.network.model import Model

PIXELS = np.random.default_rng(0).random((3, 300, 520), np.float32)


@pytest.fixture
def model(bright_model: Path) -> Model:
    return load_model(bright_model, "cpu")


def scarce(model: Model, monkeypatch: pytest.MonkeyPatch, most: int, error: Exception) -> list[int]:
    """Let the network fail above so many pixels, and note the sides that it is given."""
    forward, sides = type(model.network).forward, []

    def limited(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
        sides.append(max(image.shape[2:]))
        if image.shape[2] * image.shape[3] > most:
            raise error
        return forward(network, image)

    monkeypatch.setattr(type(model.network), "forward", limited)
    return sides


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("MPS backend out of memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_tile_too_large_is_seen_in_pieces_with_the_same_maps(
    model: Model, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    expected = model.predict(PIXELS)
    sides = scarce(model, monkeypatch, 150 * 150, error)
    with pytest.warns(RuntimeWarning, match="not enough memory") as told:
        maps = model.predict(PIXELS)
    np.testing.assert_allclose(maps, expected, atol=1e-2)
    assert [str(each.message)[:70] for each in told] == [
        "There was not enough memory; the network goes on in pieces of 260 px, ",
        "There was not enough memory; the network goes on in pieces of 130 px, ",
    ]
    sides.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(PIXELS)
    assert max(sides) <= 150  # it is remembered


def test_after_the_smallest_piece_comes_half_precision_and_then_nothing(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.network.model.floating_type", lambda *_: torch.float32)
    scarce(model, monkeypatch, 0, MemoryError("no more"))
    with pytest.warns(RuntimeWarning) as told, pytest.raises(MemoryError, match="no more"):
        model.predict(PIXELS)
    assert any("at half precision" in str(each.message) for each in told)


def test_half_precision_gives_nearly_the_same_maps(model: Model) -> None:
    expected = model.predict(PIXELS)
    model._half = True
    assert np.abs(model.predict(PIXELS) - expected).max() < 0.2  # of a network with gains of 40


def test_the_cpu_comes_last(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is not there stands for a graphics card."""
    expected = model.predict(PIXELS)
    maps, places = Model._maps, []

    def on_card_first(self: Model, pixels: np.ndarray) -> np.ndarray:
        if not places:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return maps(self, pixels)

    monkeypatch.setattr(Model, "_maps", on_card_first)
    monkeypatch.setattr(Model, "device", torch.device("cuda"))
    monkeypatch.setattr(
        "napari_unet.network.model.place",
        lambda network, device: (
            places.append(device),
            monkeypatch.setattr(Model, "device", device),
        ),
    )
    with pytest.warns(RuntimeWarning) as told:
        np.testing.assert_allclose(model.predict(PIXELS), expected)
    assert places == [torch.device("cpu")]
    assert "on the CPU" in str(told[-1].message)


def test_other_errors_are_not_taken_for_it(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = scarce(model, monkeypatch, 0, RuntimeError("the card is gone"))
    with pytest.raises(RuntimeError, match="the card is gone"):
        model.predict(PIXELS)
    assert len(sides) == 1
    assert not is_out_of_memory(ValueError("out of memory"))


def test_pieces_that_see_enough_give_the_maps_of_the_whole() -> None:
    def half(pixels: np.ndarray) -> np.ndarray:
        if pixels.shape[1] > 200:
            raise MemoryError
        return pixels / 2

    with pytest.warns(RuntimeWarning):
        maps, side = in_pieces(PIXELS, half, 16)
    np.testing.assert_allclose(maps, PIXELS / 2, rtol=1e-6)
    assert side == 260


LIMITED = """
    import resource, sys, warnings
    import numpy as np
    import napari_unet as nu
    from napari_unet.network.model import Model

    model = nu.load_model("nuclei", "cpu")
    image = np.zeros((1280, 1280), np.uint8)
    image[::40] = 200
    nu.segment(image[:64, :64], model=model, diameter=22)
    now = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmSize" in line)
    limit = now * 1024 + 150 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        labels = nu.segment(image, model=model, diameter=22)
    assert labels.shape == image.shape
    print(*(each.message for each in told if each.category is RuntimeWarning), sep="\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the memory of a process")
def test_a_process_with_a_limit_on_its_memory_segments_in_pieces() -> None:
    command = [sys.executable, "-c", textwrap.dedent(LIMITED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("There was not enough memory; the network goes on in pieces of")
