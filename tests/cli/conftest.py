"""What the tests of all commands need: a way to run them, and a small model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from napari_unet.cli import app
from napari_unet.network.card import Card
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet, UNetConfig

TINY = UNetConfig(filters=(4, 8), dropout=(0, 0, 0))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    card = Card("tiny", TINY, 18.0, scores={"mean_ap": 0.25})
    torch.manual_seed(0)
    return Model(UNet(TINY).eval(), card).save(folder / "tiny.safetensors")


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command line in this process."""
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def assert_refused() -> Callable[[Result, int, str], None]:
    """Expect one sentence on stderr and nothing else."""

    def check(result: Result, status: int, words: str) -> None:
        assert result.exit_code == status, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("napari-unet: ")
        assert result.stderr.count("\n") == 1
        assert words in result.stderr

    return check
