from __future__ import annotations

import gc
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_unet.images.roomy import copied, is_on_disk, moved, roomy


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_small_array_is_in_memory(folder: Path) -> None:
    array = roomy((3, 4, 5), np.uint8, largest=60)
    assert not is_on_disk(array)
    assert not any(folder.iterdir())


def test_a_large_array_is_in_a_file_that_goes_with_it(folder: Path) -> None:
    array = roomy((3, 4, 5), np.uint8, largest=59)
    assert is_on_disk(array)
    assert not array.any()
    array[1, 2] = 7
    assert array.sum() == 35
    assert not any(folder.iterdir())  # though it is killed at any moment


def test_a_file_that_cannot_go_before_its_array_goes_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unet.images.roomy.IS_GONE_AT_ONCE", False)
    for name, days in (("napari-unet-left", 2), ("napari-unet-new", 0), ("others", 2)):
        (folder / name).mkdir()
        moment = time.time() - days * 24 * 3600
        os.utime(folder / name, (moment, moment))
    array = roomy((3, 4, 5), np.int32, largest=0)
    assert len(list(folder.glob("napari-unet-*/array"))) == 1
    del array
    gc.collect()
    assert {path.name for path in folder.iterdir()} == {"napari-unet-new", "others"}


def test_an_array_is_moved_where_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_unet.images.roomy.LARGEST_IN_MEMORY", 24)
    small, large = np.arange(6, dtype=np.int32), np.arange(7, dtype=np.int32)
    assert moved(small) is small
    assert is_on_disk(moved(large))
    np.testing.assert_array_equal(moved(large), large)
    assert moved(on_disk := copied(large)) is on_disk


def test_where_the_disk_is_full_memory_has_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=119))
    array = roomy((3, 4, 5), np.uint8, largest=0)
    assert not is_on_disk(array)
    np.testing.assert_array_equal(array, np.zeros((3, 4, 5)))


def test_a_disk_with_twice_the_room_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=120))
    assert is_on_disk(roomy((3, 4, 5), largest=0))
