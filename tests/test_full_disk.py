"""A disk that fills up while something is written: the old file stays, one sentence is said.

Where a small disk of memory can be mounted (as root on Linux) it is a full disk; everywhere else a
limit on the size of files fails the same writes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_unet.images.big_tiff import write_big_labels
from napari_unet.images.challenge import write_challenge
from napari_unet.images.files import write_labels
from napari_unet.images.outline_files import write_outlines
from napari_unet.learning.autosave import Autosaves, Note
from napari_unet.learning.checkpoint import save_checkpoint
from napari_unet.learning.crops import Crop
from napari_unet.learning.fit import Trainer
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.store import Store
from napari_unet.network import keeping
from napari_unet.network.card import Card
from napari_unet.network.library import list_models
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet, UNetConfig
from napari_unet.nuclei.table_files import write_table

resource = pytest.importorskip("resource", reason="limits on the size of files")

MOST_BYTES = 65536
NOISE = np.random.default_rng(0).integers(1, 60_000, (300, 300)).astype(np.int32)
SMALL = np.ones((8, 8), np.int32)
WORDS = re.compile("No space left on device|File too large")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder of a disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MOST_BYTES}", "tmpfs", str(folder)]
    is_linux = sys.platform == "linux"
    if not is_linux or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_files(tmp_path: Path) -> Iterator[Path]:
    """A folder, while no file may have more than 64 kB."""
    folder = tmp_path / "files"
    folder.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, limits[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(params=["small_disk", "small_files"])
def full(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def model_of(n_filters: int) -> Model:
    config = UNetConfig(filters=(n_filters,), dropout=(0.0,), batch_norm=False, stem=1)
    return Model(UNet(config).eval(), Card("full", config, 20.0))


def write_model(folder: Path, is_large: bool) -> None:
    model_of(64 if is_large else 2).save(folder / "a.safetensors", overwrite=True)


def write_checkpoint(folder: Path, is_large: bool) -> None:
    network = model_of(64 if is_large else 2).network
    save_checkpoint(folder / "a.checkpoint.safetensors", Trainer(network, Recipe()))


def write_crop(folder: Path, is_large: bool) -> None:
    labels = NOISE if is_large else SMALL
    crop = Crop(labels.astype(np.uint16), labels, labels > 0, 20.0, (0.0, 9.0), "image", "place")
    Store(folder).add([crop])


TEXTS = ("axes", "model", "model_file", "model_sha256", "line", "device_choice", "result")
SETTINGS = {"diameter": 9.0, "channel": None, "link": "auto", "instances": {}}
FACTS = {**dict.fromkeys(TEXTS, "a"), "settings": SETTINGS}
NOTE = Note(
    "a" * 32, "0123abcd", FACTS, 1, (), np.array([0]), np.array([7], np.int32), datetime.now(UTC)
)


def write_autosave(folder: Path, is_large: bool) -> None:
    places = np.random.default_rng(0).permutation(90_000)[: 60_000 if is_large else 9]
    values = places.astype(np.int32)
    note = replace(NOTE, places=places, values=values, beside=beside(folder))
    Autosaves(folder).save(note, np.zeros((300, 300), np.int32))


def beside(folder: Path) -> str:
    """Return the name of the file with the labels of the run, if it is there."""
    return next((file.name for file in folder.glob("*-*-*.npz")), "")


def write_label_file(suffix: str) -> Callable[[Path, bool], None]:
    def write(folder: Path, is_large: bool) -> None:
        labels = NOISE if is_large else SMALL
        write_labels(folder / f"a{suffix}", labels, "YX", overwrite=True)

    return write


def write_large_tiff(folder: Path, is_large: bool) -> None:
    labels = NOISE if is_large else SMALL

    def rows(n: int) -> Iterator[np.ndarray]:
        yield from (labels[top : top + n] for top in range(0, len(labels), n))

    write_big_labels(folder / "a.tif", rows, labels.shape, "YX", {}, {}, int(labels.max()))


def write_outline_file(suffix: str) -> Callable[[Path, bool], None]:
    def write(folder: Path, is_large: bool) -> None:
        # Squares, since an outline of noise takes long to follow.
        squares = np.kron(np.arange(1, 901).reshape(30, 30), np.ones((4, 4), int)).astype(np.int32)
        labels = squares if is_large else SMALL
        write_outlines(folder / f"a{suffix}", labels, "YX", overwrite=True)

    return write


def write_nuclei(folder: Path, is_large: bool) -> None:
    write_table(pd.DataFrame(NOISE if is_large else SMALL), folder / "a.csv")


def write_archive(folder: Path, is_large: bool) -> None:
    """Export corrections that are on another disk, each in a file that is small enough there."""
    store = Store(folder.parent / f"store of {'many' if is_large else 'one'}")
    for place in range(6 if is_large else 1):
        labels = NOISE[:80, 40 * place : 40 * place + 80]
        pixels = labels.astype(np.uint16)
        store.add([Crop(pixels, labels, labels > 0, 20.0, (0.0, 9.0), "image", str(place))])
    store.export(folder / "a.zip")


def write_copy(folder: Path, is_large: bool) -> None:
    if not is_large and "small" not in [file.name for file in list_models()]:
        keeping.keep(model_of(2), "small")
    keeping.export("nuclei" if is_large else "small", folder / "a.safetensors", overwrite=True)


def write_tracks(folder: Path, is_large: bool) -> None:
    labels = np.stack([NOISE if is_large else SMALL] * 2)
    tracks = np.array([[1, 0, 1, 0]], np.int32)
    write_challenge(folder / "tracks", labels, tracks, overwrite=True)


WRITERS = {
    "model": write_model,
    "checkpoint": write_checkpoint,
    "stored correction": write_crop,
    "autosave": write_autosave,
    "TIFF": write_label_file(".tif"),
    "OME-TIFF": write_label_file(".ome.tif"),
    "PNG": write_label_file(".png"),
    "TIFF in tiles": write_large_tiff,
    "outlines for ImageJ": write_outline_file(".zip"),
    "outlines for QuPath": write_outline_file(".geojson"),
    "outlines of COCO": write_outline_file(".json"),
    "table": write_nuclei,
    "exported corrections": write_archive,
    "exported model": write_copy,
    "tracks": write_tracks,
}


def content_of(folder: Path) -> dict[str, bytes]:
    """Return what is in every file but locks."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != ".lock"]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_does_not_fit_leaves_the_old_file_and_says_so(full: Path, write) -> None:
    write(full, False)
    before = content_of(full)
    assert before
    with pytest.raises(OSError, match=WORDS) as caught:
        write(full, True)
    assert "\n" not in str(caught.value)
    assert content_of(full) == before
    write(full, False)


def test_the_command_line_says_it_in_one_sentence(small_files: Path) -> None:
    from napari_unet.cli.failures import FILES, report

    with pytest.raises(OSError, match=WORDS) as caught:
        write_model(small_files, True)
    assert report(caught.value) == FILES
