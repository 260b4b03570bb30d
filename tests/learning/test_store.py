from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from napari_unet.learning.crops import Crop
from napari_unet.learning.store import FILE_NAME, Store
from napari_unet.network.library import models_folder

DATE = "2031-05-06T07:08:09+00:00"


def crop(n_nuclei: int = 1, **changes: Any) -> Crop:
    labels = np.zeros((6, 7), np.int32)
    labels[0, :n_nuclei] = np.arange(n_nuclei) + 1
    image = np.arange(42, dtype=np.uint16).reshape(6, 7)
    values: dict[str, Any] = {
        "diameter": 12.5,
        "limits": (3.0, 40.5),
        "source": "a.tif",
        "place": "y0 x0",
        "date": DATE,
    }
    return Crop(image, labels, labels >= 0, **values | changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.of_line(tmp_path, "nuclei")


def write_raw(path: Path, header: dict[str, Any] | None = None, **arrays: NDArray[Any]) -> None:
    """Write a file that may be no crop, but for some things as a good one."""
    good = {"format": 1, "source": "a", "place": "b", "date": DATE, "diameter": 9.0}
    good |= {"limits": [0, 1], "nuclei": 1}
    tensors: dict[str, NDArray[Any]] = {
        "image": np.zeros((4, 5), np.uint8),
        "labels": np.zeros((4, 5), np.int32),
        "known": np.ones((4, 5), bool),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(good | (header or {}))
    save_file(tensors | arrays, path, {"napari_unet_correction": text})


def test_crops_come_back_as_they_were(store: Store) -> None:
    grey, colour = crop(), Crop(
        np.full((5, 4, 3), 0.5, np.float32),
        np.eye(5, 4, dtype=np.int32),
        np.eye(5, 4, dtype=bool),
        30.0,
        (-0.5, 0.25),
        "b — ü.tif",
        "Z3 y0 x1",
        DATE,
    )  # fmt: skip
    paths = store.add([grey, colour])
    assert all(FILE_NAME.fullmatch(path.name) for path in paths)
    crops, problems = store.read()
    assert problems == []
    by_source = {one.source: one for one in crops}
    for expected in (grey, colour):
        one = by_source[expected.source]
        assert np.array_equal(one.pixels, expected.pixels)
        assert one.pixels.dtype == expected.pixels.dtype
        assert np.array_equal(one.labels, expected.labels)
        assert np.array_equal(one.known, expected.known)
        assert (one.diameter, one.limits) == (expected.diameter, expected.limits)
        assert (one.place, one.date) == (expected.place, DATE)


def test_arrays_that_are_views_come_back_right(store: Store) -> None:
    whole = np.arange(80, dtype=np.uint16).reshape(8, 10)
    part = Crop(whole[::2, ::2], np.zeros((4, 5), np.int32), whole[::2, ::2] > 40, 9.0, (0.0, 1.0))
    store.add([part])
    ((one,), _) = store.read()
    assert np.array_equal(one.pixels, whole[::2, ::2])
    assert np.array_equal(one.known, whole[::2, ::2] > 40)


def test_a_crop_gets_the_date_when_it_is_stored(store: Store) -> None:
    store.add([crop(date="")])
    assert store.read()[0][0].date.endswith("+00:00")


def test_the_same_place_of_a_source_is_replaced(store: Store) -> None:
    store.add([crop(1), crop(1, place="y0 x1")])
    store.add([crop(3)])
    crops, _ = store.read()
    assert sorted(one.n_nuclei for one in crops) == [1, 3]


def test_the_size_counts_crops_bytes_and_nuclei(store: Store) -> None:
    assert store.size().n_crops == store.size().n_bytes == store.size().n_nuclei == 0
    paths = store.add([crop(2), crop(3, place="y1 x0")])
    size = store.size()
    assert (size.n_crops, size.n_nuclei) == (2, 5)
    assert size.n_bytes == sum(path.stat().st_size for path in paths)


def test_lines_have_stores_of_their_own_inside_the_data_folder() -> None:
    data = models_folder().parent
    lines = ["nuclei", "Nuclei", "my plate/7", "../../etc", "", "C:\\x", "ü"]
    folders = [Store.of_line(data, line).folder for line in lines]
    assert {folder.parent for folder in folders} == {data / "corrections"}
    assert len({folder.name.lower() for folder in folders}) == len(lines)
    assert Store.of_line(data, "nuclei").folder == folders[0]


@pytest.mark.parametrize(
    "bad",
    [
        {"header": {"format": 2}},
        {"header": {"diameter": "wide"}},
        {"header": {"diameter": 10**400}},
        {"header": {"diameter": 0}},
        {"header": {"limits": None}},
        {"header": {"limits": [1, 0]}},
        {"header": {"limits": [0, 1, 2]}},
        {"header": {"limits": 5}},
        {"header": {"limits": [0, 10**400]}},
        {"header": {"source": None}},
        {"header": {"date": "yesterday"}},
        {"header": {"date": "2031-05-06"}},
        {"header": {"source": "x" * 100_000}},
        {"image": np.zeros((5, 4), np.uint8)},
        {"labels": np.zeros((4, 5), np.int64)},
        {"labels": np.full((4, 5), -1, np.int32)},
        {"known": np.ones((4, 5), np.uint8)},
        {"more": np.zeros(1)},
        {
            "image": np.zeros((1, 4097), np.uint8),
            "labels": np.zeros((1, 4097), np.int32),
            "known": np.zeros((1, 4097), bool),
        },
    ],
)
def test_a_damaged_file_is_left_out_and_named(store: Store, bad: dict[str, Any]) -> None:
    store.add([crop()])
    path = store.folder / f"{'0' * 16}-{'1' * 16}.safetensors"
    write_raw(path)
    assert store.read()[1] == []
    write_raw(path, **bad)
    crops, (problem,) = store.read()
    assert [one.source for one in crops] == ["a.tif"]
    assert path.name in problem


@pytest.mark.parametrize("data", [b"", b"nothing", b"\xff" * 100, b"[" * 10_000])
def test_a_file_of_other_bytes_is_left_out(store: Store, data: bytes) -> None:
    (path,) = store.add([crop()])
    path.write_bytes(data)
    crops, problems = store.read()
    assert (len(crops), len(problems)) == (0, 1)
    assert store.size().n_nuclei == 0


def test_a_header_that_is_nested_too_deeply_is_left_out(store: Store) -> None:
    (path,) = store.add([crop()])
    tensors = {"image": np.zeros((2, 2), np.uint8)}
    save_file(tensors, path, {"napari_unet_correction": "[" * 99_999})
    assert len(store.read()[1]) == 1


def test_exported_crops_come_in_elsewhere(store: Store, tmp_path: Path) -> None:
    store.add([crop(1), crop(2, place="y1 x0")])
    other = Store(tmp_path / "other")
    assert store.export(tmp_path / "mine.zip") == 2
    assert other.import_(tmp_path / "mine.zip") == 2
    assert other.size() == store.size()
    assert {one.date for one in other.read()[0]} == {DATE}


def test_an_older_or_equal_version_does_not_replace_the_own(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    store.add([crop(1)])
    store.export(tmp_path / "mine.zip")
    other.add([crop(3, date="2031-05-06T10:00:00+00:00")])
    assert other.import_(tmp_path / "mine.zip") == 0
    assert other.read()[0][0].n_nuclei == 3
    other.export(tmp_path / "theirs.zip")
    assert store.import_(tmp_path / "theirs.zip") == 1
    assert store.read()[0][0].n_nuclei == 3


def test_damaged_files_are_not_exported(store: Store, tmp_path: Path) -> None:
    paths = store.add([crop(), crop(place="y1 x0")])
    paths[0].write_bytes(b"damaged")
    assert store.export(tmp_path / "mine.zip") == 1


def test_an_export_needs_crops_and_a_zip_s_name(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got none; correct a nucleus first"):
        store.export(tmp_path / "mine.zip")
    store.add([crop()])
    with pytest.raises(ValueError, match=r"ends in \.zip, got 'mine'"):
        store.export(tmp_path / "mine")
    assert not list(tmp_path.glob("mine*"))


@pytest.mark.parametrize(
    "name",
    [
        f"../{'0' * 16}-{'1' * 16}.safetensors",
        f"/tmp/{'0' * 16}-{'1' * 16}.safetensors",
        f"a/{'0' * 16}-{'1' * 16}.safetensors",
        "..\\evil.safetensors",
        "notes.txt",
        "folder/",
    ],
)
def test_an_archive_with_other_names_is_refused_whole(
    store: Store, tmp_path: Path, name: str
) -> None:
    other = Store(tmp_path / "other")
    (path,) = other.add([crop()])
    other.export(tmp_path / "in.zip")
    with zipfile.ZipFile(tmp_path / "in.zip", "a") as archive:
        archive.writestr(name, path.read_bytes())
    with pytest.raises(ValueError, match="that napari-unet exported"):
        store.import_(tmp_path / "in.zip")
    assert not store.folder.exists()


def test_an_archive_with_one_bad_crop_is_refused_whole(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    other.add([crop()])
    other.export(tmp_path / "in.zip")
    write_raw(tmp_path / "bad", known=np.ones((9, 9), bool))
    with zipfile.ZipFile(tmp_path / "in.zip", "a") as archive:
        archive.write(tmp_path / "bad", f"{'f' * 16}-{'f' * 16}.safetensors")
    with pytest.raises(ValueError, match="Expected a stored correction, got 'ffff"):
        store.import_(tmp_path / "in.zip")
    assert not store.folder.exists()


def test_an_archive_that_unpacks_too_large_is_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Store(tmp_path / "other")
    other.add([crop(), crop(place="y1 x0")])
    other.export(tmp_path / "in.zip")
    size = other.size().n_bytes // 2
    monkeypatch.setattr("napari_unet.learning.store.LARGEST_FILE", size - 1)
    with pytest.raises(ValueError, match=f"of {size} bytes"):
        store.import_(tmp_path / "in.zip")
    monkeypatch.setattr("napari_unet.learning.store.LARGEST_FILE", size)
    monkeypatch.setattr("napari_unet.learning.store.LARGEST_ARCHIVE", 2 * size - 1)
    with pytest.raises(ValueError, match="at most 4 GiB"):
        store.import_(tmp_path / "in.zip")


@pytest.mark.parametrize("cut", [0, 10, 300])
def test_a_broken_archive_is_refused(store: Store, tmp_path: Path, cut: int) -> None:
    other = Store(tmp_path / "other")
    other.add([crop()])
    other.export(tmp_path / "in.zip")
    data = bytearray((tmp_path / "in.zip").read_bytes())
    data[100:120] = b"\x00" * 20
    (tmp_path / "in.zip").write_bytes(data[:cut] if cut else data)
    with pytest.raises(ValueError, match="ask for the file again"):
        store.import_(tmp_path / "in.zip")
    assert not store.folder.exists()


def test_what_was_undone_on_an_image_is_forgotten(store: Store) -> None:
    store.add([crop(), crop(place="y1 x0"), crop(source="b.tif")])
    kept = store.add([crop(2)])
    assert store.forget("a.tif", kept) == 1
    assert sorted((one.source, one.place) for one in store.read()[0]) == [
        ("a.tif", "y0 x0"),
        ("b.tif", "y0 x0"),
    ]


def test_an_emptied_store_has_no_crop_and_leaves_other_files(store: Store) -> None:
    store.add([crop(), crop(place="y1 x0")])
    note = store.folder / "note.txt"
    note.write_text("mine")
    (store.folder / ".half.safetensors").write_bytes(b"half written")
    assert store.read()[1] == []
    assert store.empty() == 2
    assert store.read() == ([], [])
    assert note.exists()
    assert store.empty() == 0


def test_the_store_does_not_need_torch() -> None:
    code = "import sys, napari_unet.learning.store; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
