from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# The networks of the tests are tiny: threads gain nothing, and cost a hundredfold where another
# program keeps the cores busy. Torch looks at this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A slow machine is no bug, and CI must fail or pass the same way twice.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the models of whoever runs the tests out of them, and the tests' own out of theirs."""
    monkeypatch.setenv("NAPARI_UNET_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    """Fail before Qt does: without a display it aborts the whole run, and says little."""
    if sys.platform == "linux" and not _has_display():
        pytest.fail("GUI tests draw real windows: run them by `make test` or `tools/display`.")
    return [Path(sys.argv[0]).name]


def _has_display() -> bool:
    offscreen = os.environ.get("QT_QPA_PLATFORM") == "offscreen"
    return not offscreen and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@pytest.fixture
def bright_model(tmp_path: Path) -> Path:
    """A model file whose network sees nuclei where the pixels are bright, in one convolution."""
    import torch

    from napari_unet.network.card import Card
    from napari_unet.network.model import Model
    from napari_unet.network.unet import UNet, UNetConfig

    network = UNet(UNetConfig(filters=(3,), dropout=(0.0,), batch_norm=False, stem=1)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for layer in (m for m in network.contracting.modules() if isinstance(m, torch.nn.Conv2d)):
            layer.weight[range(3), range(3), 1, 1] = 1.0
        network.head.weight[[0, 2], 0] = 40.0
        network.head.bias[:] = torch.tensor([-20.0, -20.0, -20.0])
    model = Model(network, Card("bright", network.config, 20.0))
    return model.save(tmp_path / "bright.safetensors")
