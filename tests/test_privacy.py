"""Nothing leaves the machine: the main job runs with every socket refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

REFUSED = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"opened a socket: {event} {arguments}")

sys.addaudithook(refuse)
"""

MAIN_JOB = """
import numpy as np
import napari_unet as nu
from napari_unet.images.synthetic import nuclei_field

image, truth = nuclei_field((64, 72), n=4, diameter=18, seed=1)
labels = nu.segment(image, device="cpu", diameter=18)
assert labels.max() > 0
assert len(nu.measure(labels, image)) == labels.max()
assert 0 <= nu.evaluate(labels, truth).ap50 <= 1
assert [model.name for model in nu.list_models()] == ["nuclei", "nuclei-fast"]
tuned = nu.fine_tune("nuclei", image, truth, diameter=18, seconds=0.5, device="cpu")
tuned.model.save(sys.argv[1])
assert nu.load_model(sys.argv[1], "cpu").sha256
"""

TRAINING = """
from pathlib import Path
import tifffile
from napari_unet.cli import main
from napari_unet.images.synthetic import nuclei_field

folder = Path(sys.argv[1]).parent / "data"
for kind in ("images", "labels"):
    (folder / kind).mkdir(parents=True)
for seed in range(4):
    image, truth = nuclei_field((64, 64), n=4, diameter=18, seed=seed)
    tifffile.imwrite(folder / "images" / f"{seed}.tif", image)
    tifffile.imwrite(folder / "labels" / f"{seed}.tif", truth.astype("uint16"))
sys.argv = ["napari-unet", "train", str(folder), "-o", sys.argv[1], "--steps", "2", "-q"]
main()
"""


def run_offline(code: str, model: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", REFUSED + code, str(model)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("code", [MAIN_JOB, TRAINING], ids=["main job", "training"])
def test_no_socket_is_opened(tmp_path: Path, code: str) -> None:
    done = run_offline(code, tmp_path / "model.safetensors")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.safetensors").is_file()


def test_a_socket_would_be_noticed(tmp_path: Path) -> None:
    done = run_offline("import socket\nsocket.create_connection(('localhost', 9))", tmp_path)
    assert "opened a socket" in done.stderr


def test_a_connection_that_is_refused_fails_a_test(no_network: list[str]) -> None:
    with pytest.raises(OSError, match="asked the network"):
        urlopen("http://localhost:9")
    assert "localhost" in no_network.pop()
