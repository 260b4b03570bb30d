"""The user's own models: kept, renamed, deleted, brought back, exported, imported."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from napari_unet.network import keeping
from napari_unet.network.card import card_to_json
from napari_unet.network.files import HEADER, file_hash
from napari_unet.network.keeping import (
    delete,
    export,
    file_for,
    free_name,
    import_model,
    keep,
    list_deleted,
    rename,
    restore,
)
from napari_unet.network.library import list_models, load_model, models_folder


@pytest.mark.parametrize(
    ("parent", "taken", "name"),
    [
        ("nuclei", [], "nuclei v1"),
        ("nuclei", ["nuclei", "nuclei v1", "nuclei v3"], "nuclei v4"),
        ("nuclei v2", ["nuclei"], "nuclei v3"),
        ("nuclei v1", ["Nuclei V1", "other v9", "nuclei v"], "nuclei v2"),
        ("plate v1 v2", ["plate v7"], "plate v1 v3"),
    ],
)
def test_the_next_version_is_one_that_no_model_has(
    parent: str, taken: list[str], name: str
) -> None:
    assert free_name(parent, taken) == name


@pytest.mark.parametrize(
    "name",
    ["", "  ", ".hidden", "a/b", "a\\b", "a:b", "ends.", "new\nline", "CON", "nul.1", "com1"],
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="Expected a name"):
        file_for(name, tmp_path)


@pytest.mark.parametrize("name", ["x" * 201, "細" * 67])
def test_a_name_that_is_too_long_for_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"a shorter name, got one of {len(name)} letters"):
        file_for(name, tmp_path)
    assert file_for(name[1:], tmp_path).stem == name[1:]


@pytest.mark.parametrize("name", ["nuclei", "Nuclei", "mine", "mine.checkpoint"])
def test_a_name_that_is_taken_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.safetensors").touch()
    with pytest.raises(ValueError, match="which is taken"):
        file_for(name, tmp_path)


def test_spaces_around_a_name_and_its_ending_do_not_count(tmp_path: Path) -> None:
    assert file_for(" plate 7.safetensors ", tmp_path) == tmp_path / "plate 7.safetensors"


def names() -> list[str]:
    return [model.name for model in list_models()]


@pytest.fixture
def mine(bright_model: Path) -> Path:
    """A model of the user's own."""
    return keep(load_model(bright_model, "cpu"), "mine")


def test_a_kept_model_is_listed_under_its_name(bright_model: Path) -> None:
    parent = load_model(bright_model, "cpu")
    path = keep(parent, "bright v1")
    assert path == models_folder() / "bright v1.safetensors"
    assert names() == ["nuclei", "nuclei-fast", "bright v1"]
    kept = load_model("bright v1", "cpu")
    assert kept.card.name == kept.name == "bright v1"
    assert parent.card.name == "bright"
    with pytest.raises(ValueError, match="which is taken"):
        keep(parent, "bright v1")


def test_a_renamed_model_is_the_same_file_under_another_name(mine: Path) -> None:
    before = file_hash(mine)
    path = rename("mine", " plate 7 ")
    assert path == models_folder() / "plate 7.safetensors"
    assert names() == ["nuclei", "nuclei-fast", "plate 7"]
    assert file_hash(path) == before
    assert load_model("plate 7", "cpu").name == "plate 7"
    assert rename("plate 7", "plate 7") == path


def test_a_name_of_another_model_is_never_taken_by_renaming(mine: Path) -> None:
    other = shutil.copy(mine, mine.with_name("other.safetensors"))
    other.write_bytes(b"another model")
    with pytest.raises(ValueError, match="'other', which is taken"):
        rename("mine", "other")
    assert other.read_bytes() == b"another model"
    assert names() == ["nuclei", "nuclei-fast", "mine", "other"]


def test_the_built_in_model_is_neither_renamed_nor_deleted() -> None:
    with pytest.raises(ValueError, match="'nuclei', which cannot be renamed"):
        rename("nuclei", "mine")
    with pytest.raises(ValueError, match="'nuclei', which cannot be deleted"):
        delete("nuclei")
    assert names() == ["nuclei", "nuclei-fast"]


@pytest.mark.parametrize("act", [lambda name: rename(name, "new"), delete])
def test_an_unknown_name_is_told_with_the_known_ones(
    bright_model: Path, act: Callable[[str], Path]
) -> None:
    with pytest.raises(ValueError, match="unknown name 'none'; there is none yet"):
        act("none")
    keep(load_model(bright_model, "cpu"), "mine")
    with pytest.raises(ValueError, match="unknown name 'none'; choose one of mine"):
        act("none")


def test_a_deleted_model_comes_back_as_it_was(mine: Path) -> None:
    content = mine.read_bytes()
    trashed = delete("mine")
    assert names() == ["nuclei", "nuclei-fast"]
    assert [(file.name, file.path) for file in list_deleted()] == [("mine", trashed)]
    assert restore("mine") == mine
    assert mine.read_bytes() == content
    assert list_deleted() == []
    assert list((models_folder().parent / "trash").iterdir()) == []


def test_files_that_the_system_puts_into_the_trash_hinder_nothing(mine: Path) -> None:
    trashed = delete(mine.stem)
    (trashed.parent / ".DS_Store").touch()
    assert restore(trashed) == mine
    assert mine.exists()


def test_of_several_deleted_models_of_one_name_the_last_comes_back_or_the_chosen(
    mine: Path,
) -> None:
    first = delete("mine")
    mine.write_bytes(b"the second")
    delete("mine")
    restore("mine")
    assert mine.read_bytes() == b"the second"
    with pytest.raises(ValueError, match="Expected the name 'mine' to be free"):
        restore(first)
    rename("mine", "other")
    restore(first)
    assert names() == ["nuclei", "nuclei-fast", "mine", "other"]


def test_what_was_never_deleted_cannot_be_restored(mine: Path) -> None:
    with pytest.raises(ValueError, match="got 'mine'; none is in the trash"):
        restore("mine")
    delete("mine")
    with pytest.raises(ValueError, match="got 'other'; choose one of mine"):
        restore("other")


def test_the_trash_keeps_the_models_that_were_deleted_last(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST_IN_TRASH", 2)
    for name in ("a", "b", "c"):
        mine.with_name(f"{name}.safetensors").touch()
        delete(name)
    assert [file.name for file in list_deleted()] == ["c", "b"]
    assert len(list((models_folder().parent / "trash").iterdir())) == 2


def test_a_model_is_exported_as_it_is_to_a_file_or_into_a_folder(
    mine: Path, tmp_path: Path
) -> None:
    assert export("mine", tmp_path) == tmp_path / "mine.safetensors"
    copy = export("mine", tmp_path / "copy.safetensors")
    assert copy.read_bytes() == (tmp_path / "mine.safetensors").read_bytes() == mine.read_bytes()
    assert export("nuclei", tmp_path).stat().st_size > 1_000_000


def test_a_file_is_exported_over_only_if_asked(mine: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.safetensors"
    there.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="Expected a new file"):
        export("mine", there)
    assert there.read_bytes() == b"precious"
    export("mine", there, overwrite=True)
    assert there.read_bytes() == mine.read_bytes()


def test_a_model_is_exported_under_no_other_ending(mine: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.safetensors"):
        export("mine", tmp_path / "mine.pt")
    with pytest.raises(FileNotFoundError, match="make the folder first"):
        export("mine", tmp_path / "none" / "mine.safetensors")
    assert list(tmp_path.glob("mine*")) == []


def test_an_imported_model_takes_its_files_name_a_given_one_or_a_free_one(
    bright_model: Path,
) -> None:
    assert import_model(bright_model).name == "bright.safetensors"
    model = load_model(bright_model, "cpu")
    model.card.training["note"] = "another file"
    other = model.save(bright_model.with_name("Bright.safetensors"), overwrite=True)
    assert import_model(other).name == "Bright v1.safetensors"
    model.card.training["note"] = "a third"
    third = model.save(bright_model.with_name("third.safetensors"))
    with pytest.raises(ValueError, match="'bright', which is taken"):
        import_model(third, "bright")
    assert import_model(third, "plate 7").name == "plate 7.safetensors"
    assert names() == ["nuclei", "nuclei-fast", "Bright v1", "bright", "plate 7"]


def test_a_model_that_is_here_already_is_not_imported_again(bright_model: Path, mine: Path) -> None:
    copy = shutil.copy(mine, bright_model.with_name("copy.safetensors"))
    with pytest.raises(ValueError, match=r"'copy.safetensors', which is here already as 'mine'"):
        import_model(copy)
    assert names() == ["nuclei", "nuclei-fast", "mine"]


def test_a_model_with_damaged_weights_is_not_imported(bright_model: Path) -> None:
    weights = load_file(bright_model)
    weights["head.bias"][0] = float("nan")
    card = load_model(bright_model, "cpu").card
    save_file(weights, bright_model, {HEADER: card_to_json(card)})
    with pytest.raises(ValueError, match="finite weights"):
        import_model(bright_model)
    assert not models_folder().exists()


def test_a_file_that_changes_while_it_is_copied_is_not_imported(
    bright_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "copyfile", lambda _, copy: Path(copy).write_bytes(b"other"))
    with pytest.raises(ValueError, match="stay as it is while it is copied"):
        import_model(bright_model)
    assert list(models_folder().iterdir()) == []
