"""Packages of the model zoo that are taken in again, and those that are refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_unet.network import packages
from napari_unet.network.files import file_hash
from napari_unet.network.keeping import import_model
from napari_unet.network.library import list_models, load_model, models_folder
from napari_unet.network.packages import MODEL, unpack_model
from napari_unet.network.zoo import write_package


@pytest.fixture
def package(bright_model: Path) -> Path:
    path = bright_model.with_name("plate 7.zip")
    write_package(load_model(bright_model, "cpu"), path)
    return path


def own_models() -> list[str]:
    return [file.name for file in list_models() if not file.built_in]


def test_an_exported_package_comes_back_as_the_same_file(package, bright_model):
    kept = import_model(package)
    assert kept == models_folder() / "plate 7.safetensors"
    assert file_hash(kept) == file_hash(bright_model)
    assert own_models() == ["plate 7"]
    with pytest.raises(ValueError, match=r"got 'plate 7\.zip', which is here already as 'plate 7'"):
        import_model(package, "another")


def test_an_unpacked_package_comes_back_as_the_same_file(package, bright_model, tmp_path):
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "plate 8.1")
    kept = import_model(tmp_path / "plate 8.1")
    assert kept.name == "plate 8.1.safetensors"
    assert file_hash(kept) == file_hash(bright_model)


def test_a_model_that_was_never_saved_comes_back_too(bright_model, tmp_path):
    model = load_model(bright_model, "cpu")
    model.path, model.sha256 = None, ""
    write_package(model, tmp_path / "new.zip")
    assert (model.path, model.sha256) == (None, "")
    assert file_hash(import_model(tmp_path / "new.zip", "plate 8")) == file_hash(bright_model)
    assert own_models() == ["plate 8"]


def test_nothing_but_the_model_file_leaves_a_package(package, tmp_path):
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("../escaped.txt", "no")
        archive.writestr("/escaped.txt", "no")
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    assert unpack_model(package, folder) == folder / "plate 7.safetensors"
    assert [path.name for path in (tmp_path / "a").rglob("*")] == ["b", "plate 7.safetensors"]


def no_zip(path: Path) -> None:
    path.write_bytes(b"no zip")


def no_description(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", "{}")


def nothing_known(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"../{MODEL}", "no")
        archive.writestr(f"weights/{MODEL}", "no")


def two_models(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL, "one")
        archive.writestr(MODEL, "two")


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MODEL, bytes(10**6))


def packed_otherwise(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(MODEL, "no")


def encrypted(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL, "no")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)


def damaged(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL, "weights")
    path.write_bytes(path.read_bytes().replace(b"weights", b"wEights"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (no_zip, "not a zip file"),
        (nothing_known, "holds neither model.safetensors nor rdf.yaml"),
        (no_description, "format_version' is missing"),
        (two_models, "holds 2 files"),
        (bomb, "more than 100 times"),
        (packed_otherwise, "in a way of its own"),
        (encrypted, "encrypted"),
        (damaged, "Bad CRC-32"),
    ],
)
def test_another_zip_is_refused_in_a_sentence(
    spoilt: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "plate 7.zip"
    spoilt(path)
    with pytest.raises(ValueError, match=f"Expected a package .*'plate 7.zip' .*{words}"):
        import_model(path)
    assert own_models() == []


def test_a_model_that_states_more_than_1_gib_is_not_unpacked(package, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "LARGEST_FILE", 100)
    with pytest.raises(ValueError, match="has more than 100 bytes"):
        import_model(package)


def test_a_model_that_is_larger_than_it_states_is_not_read_further(tmp_path):
    path = tmp_path / "plate 7.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MODEL, bytes(range(256)) * 40)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = (300).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Bad CRC-32"):
        unpack_model(path, tmp_path)
    assert (tmp_path / "plate 7.safetensors").stat().st_size <= 300


def test_a_package_whose_model_is_none_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "plate 7.zip", "w") as archive:
        archive.writestr(MODEL, b"no model")
    with pytest.raises(ValueError, match=r"Expected a model of napari-unet, got 'plate 7\.zip' "):
        import_model(tmp_path / "plate 7.zip")


def test_a_package_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        import_model(tmp_path / "none.zip")
