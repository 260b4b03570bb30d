from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

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
