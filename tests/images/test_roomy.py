from __future__ import annotations

import errno
import gc
import os
import tempfile
import time
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_unet.images import roomy as module
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
    view = np.asarray(array).reshape(-1)[7:].reshape(-1, 1).T
    del array
    gc.collect()
    assert len(list(folder.glob("napari-unet-*/array"))) == 1
    del view
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
    assert is_on_disk(roomy((3, 4, 5), np.uint8, largest=0))


@pytest.mark.skipif(module.RESERVE is None, reason="this system cannot reserve room")
def test_the_room_is_taken_before_it_is_written_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IS_GONE_AT_ONCE", False)
    array = roomy((1 << 20,), np.uint8, largest=0)
    (file,) = folder.glob("napari-unet-*/array")
    assert file.stat().st_blocks * 512 >= array.nbytes == file.stat().st_size


def test_where_no_room_can_be_reserved_memory_has_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reserve(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "RESERVE", reserve)
    array = roomy((3, 4, 5), np.uint8, largest=0)
    assert not is_on_disk(array)
    np.testing.assert_array_equal(array, np.zeros((3, 4, 5)))
    assert not any(folder.iterdir())


def test_without_reserving_no_room_is_promised_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    monkeypatch.setattr(module, "RESERVE", None)
    monkeypatch.setattr(module, "_mapped", weakref.WeakSet())
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=179))
    first = roomy((3, 4, 5), np.uint8, largest=0)
    assert is_on_disk(first)
    assert not is_on_disk(roomy((3, 4, 5), np.uint8, largest=0))
    del first
    gc.collect()
    assert is_on_disk(roomy((3, 4, 5), np.uint8, largest=0))


def test_a_folder_that_another_program_deletes_meanwhile_is_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IS_GONE_AT_ONCE", False)
    monkeypatch.setattr(Path, "glob", lambda *_: [folder / "napari-unet-gone"])
    assert is_on_disk(roomy((3, 4, 5), np.uint8, largest=0))


def test_a_copy_is_in_memory_and_a_part_is_on_disk() -> None:
    array = roomy((3, 4, 5), np.uint8, largest=0)
    for copy in (array.copy(), array.astype(np.int32), array.copy()[1], np.asarray(array.copy())):
        assert not is_on_disk(copy)
    for part in (array[1], array.T, array.reshape(-1)[3:], np.asarray(array)):
        assert is_on_disk(part)
