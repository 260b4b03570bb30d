"""Models by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_unet.network.files import known_hash
from napari_unet.network.library import (
    BUILT_IN,
    BUILT_INS,
    find_again,
    list_models,
    load_model,
    models_folder,
    use_home,
)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NAPARI_UNET_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    return folder


def test_the_home_variable_says_where_the_models_are(folder):
    assert models_folder() == folder


def test_a_tilde_in_the_home_variable_is_the_users_home(monkeypatch):
    monkeypatch.setenv("NAPARI_UNET_HOME", "~/nuclei")
    assert models_folder() == Path.home() / "nuclei" / "models"


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_home_variable_it_is_the_users_data_folder(monkeypatch, value):
    monkeypatch.delenv("NAPARI_UNET_HOME")
    if value is not None:
        monkeypatch.setenv("NAPARI_UNET_HOME", value)
    assert models_folder().parts[-2:] == ("napari-unet", "models")


def test_a_folder_that_was_chosen_is_used_unless_the_variable_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_variable = models_folder()
    use_home(tmp_path / "chosen")
    try:
        assert models_folder() == by_variable
        monkeypatch.delenv("NAPARI_UNET_HOME")
        assert models_folder() == tmp_path / "chosen" / "models"
    finally:
        use_home(None)


def test_the_built_in_model_comes_first_and_own_ones_by_name(folder):
    for name in ("plate7.v2", "brain", *BUILT_INS):
        (folder / f"{name}.safetensors").touch()
    files = list_models()
    assert [file.name for file in files] == [*BUILT_INS, "brain", "plate7.v2"]
    assert [file.built_in for file in files] == [True, True, False, False]
    assert files[0].path.parent.name == "weights"
    assert files[2].path == folder / "brain.safetensors"


def test_half_written_files_and_checkpoints_are_no_models(folder):
    for name in (".4f3a.safetensors", "brain.checkpoint.safetensors", "notes.txt"):
        (folder / name).touch()
    assert [file.name for file in list_models()] == list(BUILT_INS)


def test_a_missing_folder_holds_no_models(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_UNET_HOME", str(tmp_path / "none"))
    assert [file.name for file in list_models()] == list(BUILT_INS)


def test_a_renamed_model_is_found_again_by_its_hash(folder):
    old, new = folder / "old.safetensors", folder / "new.safetensors"
    (folder / "other.safetensors").write_bytes(b"other")
    old.write_bytes(b"weights")
    sha256 = known_hash(old)
    assert find_again("old", sha256) == "old"
    old.rename(new)
    assert find_again("old", sha256) == find_again(str(old), sha256) == "new"
    assert find_again(str(new), sha256) == str(new)
    assert find_again("old", "0" * 64) == "old"
    assert find_again(BUILT_IN, known_hash(list_models()[0].path)) == BUILT_IN
    old.write_bytes(b"weights of another one")
    assert find_again("old", sha256) == find_again(str(old), sha256) == "new"
    assert find_again("old", known_hash(old)) == "old"


def test_a_model_is_loaded_by_name_and_by_path(folder, bright_model):
    named = folder / "plate7.v2.safetensors"
    named.write_bytes(bright_model.read_bytes())
    hashes = {
        load_model("plate7.v2", "cpu").sha256,
        load_model(named, "cpu").sha256,
        load_model(str(named), "cpu").sha256,
    }
    assert len(hashes) == 1


def test_a_file_in_the_working_folder_needs_no_path(bright_model, monkeypatch):
    monkeypatch.chdir(bright_model.parent)
    assert load_model(bright_model.name, "cpu").card.name == "bright"


def test_a_loaded_model_is_passed_on(bright_model):
    model = load_model(bright_model, "cpu")
    assert load_model(model, "cpu") is model


def test_an_unknown_name_is_refused_with_the_known_ones(folder):
    (folder / "brain.safetensors").touch()
    with pytest.raises(
        ValueError, match="unknown name 'bran'; choose one of nuclei, nuclei-fast, brain, or"
    ):
        load_model("bran")


@pytest.mark.parametrize("name", ["gone.safetensors", "./gone"])
def test_a_missing_file_is_named(name):
    with pytest.raises((FileNotFoundError, ValueError), match="gone"):
        load_model(name)


def test_listing_models_does_not_load_torch():
    code = (
        "import sys, napari_unet.network.library as library; library.list_models(); "
        "print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert result.stdout.split() == [b"False"]
