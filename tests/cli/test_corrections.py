"""``napari-unet corrections``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_unet.learning.crops import Crop
from napari_unet.learning.store import Store
from napari_unet.network.library import models_folder


@pytest.fixture
def store() -> Store:
    """Two nuclei that are remembered for the built-in model."""
    labels = np.array([[0, 1, 0, 2]], np.int32)
    store = Store.of_line(models_folder().parent, "nuclei")
    store.add([Crop(labels.astype(np.uint8), labels, labels >= 0, 20.0, (0.0, 2.0), "a.tif")])
    return store


def test_what_is_remembered_is_counted(run, store):
    facts = json.loads(run("corrections", "show", "nuclei", "--json").stdout)
    assert (facts["nuclei"], facts["crops"]) == (2, 1)
    assert facts["folder"] == str(store.folder)
    assert run("corrections", "show", "nuclei").stdout.startswith("2 nuclei, 0.0 MB in ")


def test_corrections_go_to_a_colleague_and_back(run, assert_refused, store, tmp_path):
    archive = tmp_path / "corrections.zip"
    assert run("corrections", "export", "nuclei", archive).stdout == f"{archive}: 1 crops\n"
    assert_refused(run("corrections", "export", "nuclei", archive), 1, "existing")
    assert run("corrections", "forget", "nuclei", "--yes").stdout == "1 crops forgotten\n"
    assert store.size().n_crops == 0
    assert run("corrections", "import", "nuclei", archive).stdout == "1 crops taken in\n"
    assert store.size().n_nuclei == 2


def test_nothing_is_forgotten_without_a_yes(run, store):
    from typer.testing import CliRunner

    from napari_unet.cli import app

    result = CliRunner().invoke(app, ["corrections", "forget", "nuclei"], input="n\n")
    assert result.exit_code != 0
    assert store.size().n_crops == 1


def test_a_model_that_is_not_there_and_a_file_that_is_no_archive_are_refused(
    run, assert_refused, store, tmp_path
):
    assert_refused(run("corrections", "show", "nix"), 2, "unknown name 'nix'")
    (tmp_path / "a.zip").write_bytes(b"no archive")
    result = run("corrections", "import", "nuclei", tmp_path / "a.zip")
    assert_refused(result, 1, "a.zip")
    assert store.size().n_crops == 1
