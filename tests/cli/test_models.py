"""``napari-unet models``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tifffile

from napari_unet.images.synthetic import nuclei_field
from napari_unet.network.card import Card
from napari_unet.network.library import list_models, load_model, models_folder
from napari_unet.network.model import Model

COMMANDS = ("show", "compare", "rename", "delete", "restore", "export", "import", "import-state")


@pytest.fixture
def folder() -> Path:
    models_folder().mkdir()
    return models_folder()


@pytest.fixture
def mine(folder, model) -> Path:
    path = folder / "mine.safetensors"
    path.write_bytes(model.read_bytes())
    return path


@pytest.fixture
def tuned(folder, mine) -> Path:
    """A model that was tuned from `mine`."""
    parent = load_model(mine, "cpu")
    training = {
        "line": "mine",
        "parent_name": "mine",
        "date": "2026-11-24",
        "image_names": ["a.tif"],
        "n_nuclei": 7,
        "held_out": True,
        "before": {"corrected": 0.41, "kept": 1.0, "rehearsed": 0.8},
        "after": {"corrected": 0.72, "kept": 0.95, "rehearsed": 0.81},
    }
    card = Card("old", parent.card.config, 18.0, training=training, parent=parent.sha256)
    return Model(parent.network, card).save(folder / "mine v1.safetensors")


def names() -> list[str]:
    return [model.name for model in list_models()]


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_models_are_listed_and_a_damaged_one_is_reported(run, mine):
    mine.with_name("broken.safetensors").write_bytes(b"no model")
    result = run("models", "--json")
    assert result.exit_code == 1
    assert "broken.safetensors" in result.stderr
    facts = {row["name"]: row for row in json.loads(result.stdout)}["mine"]
    assert (facts["diameter"], facts["scores"]) == (18.0, {"mean_ap": 0.25})
    assert facts["path"] == str(mine)
    assert facts["parent"] is None
    listed = run("models").stdout
    assert ["mine", "mean_ap", "0.250"] in cells(listed)
    assert listed.endswith(f"\nYour own models are in {mine.parent}\n")


def test_a_tuned_model_stands_below_its_parent_with_what_it_brought(run, tuned):
    lines = run("models").stdout.splitlines()
    assert [line.partition("  ")[0] for line in lines[1:4]] == ["nuclei", "nuclei-fast", "mine"]
    assert lines[4].startswith("  mine v1 ")
    assert lines[4].split()[2:4] == ["mine", "2026-11-24"]
    assert " 7 nuclei  overlap 0.41 -> 0.72" in lines[4]
    facts = json.loads(run("models", "--json").stdout)[3]
    assert facts["parent"] == {"name": "mine", "sha256": load_model("mine", "cpu").sha256}
    assert facts["after"] == {"corrected": 0.72, "kept": 0.95, "rehearsed": 0.81}
    assert (facts["corrections"], facts["images"], facts["held_out"]) == (7, ["a.tif"], True)


def test_a_parent_that_is_gone_is_told(run, tuned):
    assert run("models", "delete", "mine").exit_code == 0
    rows = cells(run("models").stdout)
    assert ["mine", "(gone)"] in rows
    assert ["mine", "v1", "mine", "(gone)", "2026-11-24"] in [row[:5] for row in rows]


def test_one_model_is_shown_by_name_and_by_file(run, tuned):
    for model in ("mine v1", str(tuned)):
        rows = cells(run("models", "show", model).stdout)
        assert ["corrected", "nuclei", "0.41", "->", "0.72"] in rows
        assert ["judged", "by", "nuclei", "held", "back"] in rows
        assert json.loads(run("models", "show", model, "--json").stdout)[0]["line"] == "mine"


def test_two_models_are_compared_side_by_side(run, tuned):
    rows = cells(run("models", "compare", "mine", "mine v1").stdout)
    assert rows[0] == ["mine", "mine", "v1"]
    assert ["diameter", "18.0", "px", "18.0", "px"] in rows
    assert ["corrections", "7", "nuclei"] in rows
    both = json.loads(run("models", "compare", "mine", "mine v1", "--json").stdout)
    assert [facts["name"] for facts in both] == ["mine", "mine v1"]


def test_a_renamed_model_stays_the_parent_of_its_children(run, tuned):
    result = run("models", "rename", "mine", "plate 7")
    assert (result.exit_code, result.stdout) == (0, "mine is now plate 7\n")
    assert names() == ["nuclei", "nuclei-fast", "mine v1", "plate 7"]
    assert json.loads(run("models", "show", "mine v1", "--json").stdout)[0]["parent"]["name"] == (
        "plate 7"
    )


def test_a_deleted_model_is_restored(run, mine):
    content = mine.read_bytes()
    assert "models restore" in run("models", "delete", "mine").stdout
    assert names() == ["nuclei", "nuclei-fast"]
    result = run("models", "restore", "mine")
    assert (result.exit_code, result.stdout) == (0, f"{mine}\n")
    assert mine.read_bytes() == content


def test_an_exported_model_is_imported_under_another_name(run, mine, tmp_path):
    copy = tmp_path / "copy.safetensors"
    assert run("models", "export", "mine", copy).stdout == f"{copy}\n"
    run("models", "delete", "mine")
    result = run("models", "import", copy, "--name", "again")
    assert (result.exit_code, result.stdout) == (0, f"{models_folder() / 'again.safetensors'}\n")
    assert names() == ["nuclei", "nuclei-fast", "again"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("show", "none"), 2, "unknown name 'none'"),
        (("show", "none.safetensors"), 1, "existing model file"),
        (("compare", "nuclei", "none"), 2, "unknown name 'none'"),
        (("rename", "none", "other"), 2, "unknown name 'none'"),
        (("rename", "nuclei", "other"), 2, "cannot be renamed"),
        (("rename", "mine", "nuclei"), 2, "is taken"),
        (("rename", "mine", "a/b"), 2, "Expected a name"),
        (("delete", "nuclei"), 2, "cannot be deleted"),
        (("restore", "mine"), 2, "none is in the trash"),
        (("export", "none", "a.safetensors"), 2, "unknown name 'none'"),
        (("export", "mine", "a.pt"), 2, "ends in .safetensors"),
        (("import", "none.safetensors"), 1, "check the path"),
        (("import", "model.pt"), 1, "can run code"),
        (("import", "none.safetensors", "--name", "mine"), 2, "is taken"),
    ],
)
def test_what_cannot_be_done_is_refused(run, assert_refused, mine, arguments, status, words):
    assert_refused(run("models", *arguments), status, words)
    assert names() == ["nuclei", "nuclei-fast", "mine"]


def test_a_file_is_exported_over_only_if_that_is_wanted(run, assert_refused, mine, tmp_path):
    there = tmp_path / "there.safetensors"
    there.write_bytes(b"precious")
    assert_refused(run("models", "export", "mine", there), 1, "existing")
    assert there.read_bytes() == b"precious"
    assert run("models", "export", "mine", there, "--overwrite").exit_code == 0
    assert there.read_bytes() == mine.read_bytes()


def test_a_package_for_the_zoo_is_imported_again(run, assert_refused, mine, tmp_path):
    package = tmp_path / "plate 7.zip"
    assert run("export", "mine", "-o", package).exit_code == 0
    run("models", "delete", "mine")
    result = run("models", "import", package)
    assert (result.exit_code, result.stdout) == (0, f"{models_folder() / 'plate 7.safetensors'}\n")
    package.write_bytes(b"no zip")
    assert_refused(run("models", "import", package), 1, "Expected a package")


def test_a_damaged_file_is_not_imported(run, assert_refused, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no model")
    assert_refused(run("models", "import", tmp_path / "bad.safetensors"), 1, "Expected a model")
    assert names() == ["nuclei", "nuclei-fast"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run, command):
    result = run("models", command, "--help")
    assert result.exit_code == 0
    assert f"Example: napari-unet models {command} " in result.stdout


def test_weights_of_torch_are_taken_in_on_demand(run, assert_refused, tmp_path, model):
    import torch

    from napari_unet.network.library import load_model

    state = load_model(model, "cpu").network.state_dict()
    torch.save(state, tmp_path / "weights.pt")
    assert_refused(run("models", "import", tmp_path / "weights.pt"), 1, "import-state")
    assert_refused(run("models", "import-state", tmp_path / "weights.pt"), 1, "do not fit")
    assert names() == ["nuclei", "nuclei-fast"]
    arguments = ("import-state", tmp_path / "weights.pt", "--like", model, "--name", "mine")
    assert run("models", *arguments).stdout == f"{models_folder() / 'mine.safetensors'}\n"
    kept = load_model("mine", "cpu").network.state_dict()
    assert all(torch.allclose(kept[name], weight, atol=1e-3) for name, weight in state.items())


def test_a_package_of_another_program_is_imported_and_segments(
    run, assert_refused, other_package, tmp_path
):
    package = other_package()
    done = run("models", "import", package, "--name", "bright", "--diameter", "20")
    assert done.exit_code == 0, done.output
    assert "bright" in run("models").stdout
    assert "Byron A, Bright nuclei, 2026" in run("models", "show", "bright").stdout
    image, labels = nuclei_field((96, 112), n=6, diameter=20.0)
    tifffile.imwrite(tmp_path / "a.tif", image)
    found = tmp_path / "found.tif"
    done = run("segment", tmp_path / "a.tif", "-o", found, "--model", "bright", "--diameter", "20")
    assert done.exit_code == 0, done.output
    assert tifffile.imread(found).max() > 1
    tifffile.imwrite(tmp_path / "b.tif", labels)
    words = "'bright', one of another program, which can segment but cannot learn"
    output = ("-o", tmp_path / "new.safetensors")
    teach = run("finetune", "bright", tmp_path / "a.tif", tmp_path / "b.tif", *output)
    assert_refused(teach, 2, words)
    assert_refused(run("export", "bright", "-o", tmp_path / "new.onnx"), 2, words)
