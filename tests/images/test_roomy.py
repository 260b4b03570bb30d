from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_unet.images.roomy import is_on_disk, roomy


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_small_array_is_in_memory(folder: Path) -> None:
    array = roomy((3, 4, 5), largest=60)
    assert not is_on_disk(array)
    assert not any(folder.iterdir())


def test_a_large_array_is_in_a_file_that_goes_with_it(folder: Path) -> None:
    array = roomy((3, 4, 5), largest=59)
    assert is_on_disk(array)
    assert not array.any()
    array[1, 2] = 7
    assert array.sum() == 35
    assert len(list(folder.glob("napari-unet-*/maps"))) == 1
    del array
    gc.collect()
    assert not any(folder.iterdir())


def test_where_the_disk_is_full_memory_has_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=119))
    array = roomy((3, 4, 5), largest=0)
    assert not is_on_disk(array)
    np.testing.assert_array_equal(array, np.zeros((3, 4, 5)))


def test_a_disk_with_twice_the_room_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=120))
    assert is_on_disk(roomy((3, 4, 5), largest=0))
