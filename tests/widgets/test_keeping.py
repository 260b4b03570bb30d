from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from napari_unet.network.library import list_models, load_model, models_folder
from napari_unet.widgets.keeping import file_for, free_name, keep, line_of


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


@pytest.mark.parametrize("name", ["", "  ", ".hidden", "a/b", "a\\b", "a:b", "ends.", "new\nline"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="Expected a name"):
        file_for(name, tmp_path)


@pytest.mark.parametrize("name", ["nuclei", "Nuclei", "mine", "mine.checkpoint"])
def test_a_name_that_is_taken_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.safetensors").touch()
    with pytest.raises(ValueError, match="which is taken"):
        file_for(name, tmp_path)


def test_spaces_around_a_name_and_its_ending_do_not_count(tmp_path: Path) -> None:
    assert file_for(" plate 7.safetensors ", tmp_path) == tmp_path / "plate 7.safetensors"


def test_a_kept_model_is_listed_and_remembers_what_its_line_began_with(bright_model: Path) -> None:
    parent = load_model(bright_model, "cpu")
    assert line_of(parent.card) == "bright"
    path = keep(parent, "bright v1", line_of(parent.card))
    assert path == models_folder() / "bright v1.safetensors"
    assert [model.name for model in list_models()] == ["nuclei", "bright v1"]
    kept = load_model("bright v1", "cpu")
    assert kept.card.name == "bright v1"
    assert line_of(kept.card) == "bright"
    assert line_of(replace(kept.card, name="renamed")) == "bright"
    assert parent.card.name == "bright"
    with pytest.raises(ValueError, match="which is taken"):
        keep(parent, "bright v1", "bright")
