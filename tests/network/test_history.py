"""Where models come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unet.network.card import Card
from napari_unet.network.config import UNetConfig
from napari_unet.network.history import (
    Branch,
    Version,
    ancestry,
    as_json,
    compare,
    describe,
    list_versions,
    parent_of,
    parent_text,
    read_version,
    walk,
)
from napari_unet.network.keeping import delete, keep, rename, restore
from napari_unet.network.library import ModelFile, load_model, models_folder
from napari_unet.network.model import Model


def version(name: str, parent: str | None = None, sha256: str = "", **training: object) -> Version:
    """Return a model whose hash is its name in capitals, if no other is given."""
    card = Card(name, UNetConfig(), 20.0, training=dict(training), parent=parent)
    file = ModelFile(name, Path(f"{name}.safetensors"), built_in=False)
    return Version(file, sha256 or name.upper(), card)


def outline(versions: list[Version]) -> list[str]:
    """Return ancestry as indented names, in brackets where the model is gone."""
    return [
        "  " * depth + (branch.name if branch.version else f"[{branch.name}]")
        for depth, branch in walk(ancestry(versions))
    ]


def test_models_stand_below_their_parents_the_oldest_first() -> None:
    versions = [
        version("b", "A", date="2026-11-25T10:00:00+00:00"),
        version("c", "A", date="2026-11-24"),
        version("a"),
        version("d", "B"),
        version("e"),
    ]
    assert outline(versions) == ["a", "  c", "  b", "    d", "e"]


def test_a_parent_that_is_gone_stands_above_all_its_children() -> None:
    versions = [
        version("b", "A", parent_name="old"),
        version("c", "A"),
        version("d", "0123456789"),
        version("e", "B"),
    ]
    assert outline(versions) == ["[old]", "  b", "    e", "  c", "[model 01234567]", "  d"]


def test_of_two_copies_of_a_file_the_first_has_the_children() -> None:
    versions = [version("a", sha256="A"), version("copy", sha256="A"), version("b", "A")]
    assert outline(versions) == ["a", "  b", "copy"]


def test_a_damaged_model_has_neither_parent_nor_children() -> None:
    file = ModelFile("bad", Path("bad.safetensors"), built_in=False)
    bad = Version(file, problem="It is damaged.")
    assert outline([bad, version("a")]) == ["bad", "a"]
    assert ancestry([bad]) == (Branch("bad", bad),)
    assert describe(bad, [])["problem"] == "It is damaged."
    assert as_json(bad, [])["diameter"] is None


def test_one_goes_back_to_the_parent() -> None:
    parent, child = version("a"), version("b", "A", parent_name="a")
    assert parent_of(child, [child, parent]) is parent
    assert parent_text(child, [child, parent]) == "a"
    with pytest.raises(ValueError, match="'a' was not tuned from another model"):
        parent_of(parent, [child, parent])
    assert parent_text(parent, [child, parent]) == ""
    with pytest.raises(ValueError, match="Expected 'a', from which 'b' was tuned, got no such"):
        parent_of(child, [child])
    assert parent_text(child, [child]) == "a (gone)"


def test_what_is_known_is_told_in_words() -> None:
    child = version(
        "b",
        "A",
        line="a",
        parent_name="a",
        date="2026-11-24",
        image_names=["x.tif", "y.tif"],
        n_nuclei=7,
        steps=60,
        seconds=59.7,
        held_out=False,
        before={"corrected": 0.41, "kept": 1.0, "rehearsed": 0.8},
        after={"corrected": 0.72, "kept": 0.956, "rehearsed": 0.81},
    )
    facts = {name: text for name, text in describe(child, [child]).items() if text}
    assert facts == {
        "parent": "a (gone)",
        "line": "a",
        "date": "2026-11-24",
        "images": "x.tif, y.tif",
        "corrections": "7 nuclei",
        "corrected nuclei": "0.41 -> 0.72",
        "what was kept": "1.00 -> 0.96",
        "drawn nuclei": "0.80 -> 0.81",
        "judged by": "the nuclei that it learned from",
        "steps": "60",
        "learned for": "60 s",
        "diameter": "20.0 px",
        "network": "unet",
        "file": "b.safetensors",
        "SHA-256": "B",
    }


@pytest.mark.parametrize(
    "value", [None, "7", True, [1], {"corrected": "high"}, float("nan"), 10**400]
)
def test_facts_of_a_type_that_was_not_expected_are_not_known(value: object) -> None:
    names = ("parent_name", "date", "image_names", "n_nuclei", "steps", "seconds", "before")
    strange = version("b", **dict.fromkeys(names, value), after=value, held_out="yes")
    facts = as_json(strange, [strange])
    unknown = ("corrections", "steps", "seconds", "held_out")
    assert [facts[name] for name in unknown] == [None] * 4
    assert facts["before"] == facts["after"] == {}
    assert describe(strange, [strange])["corrected nuclei"] == ""
    strange.card.scores["ap50"] = value
    assert "ap50" not in describe(strange, [strange])


def test_what_a_file_says_moves_no_cursor() -> None:
    strange = version("b", line="\x1b[2Ja", image_names=["a\nb.tif", 7])
    assert describe(strange, [])["line"] == "[2Ja"
    assert describe(strange, [])["images"] == "ab.tif"


def test_a_date_with_a_zone_is_told_in_that_of_the_user() -> None:
    moment = version("a", date="2026-11-25T10:00:00+00:00").learned
    local = moment.when
    assert local.startswith("2026-11-2")
    assert len(local) == len("2026-11-25 10:00")
    assert version("a", date="some day").learned.when == "some day"


def test_two_models_are_compared_by_what_one_of_them_says() -> None:
    one, other = version("a", n_nuclei=3), version("b", "A", parent_name="a")
    rows = compare(one, other, [one, other])
    assert rows[:4] == [
        ("parent", "", "a"),
        ("line", "a", "b"),
        ("corrections", "3 nuclei", ""),
        ("diameter", "20.0 px", "20.0 px"),
    ]


def tuned_from(parent: Model, name: str) -> Path:
    """Keep a child of a model."""
    card = Card(name, parent.card.config, 20.0, parent=parent.sha256)
    card.training["parent_name"] = parent.name
    return keep(Model(parent.network, card), name)


def test_ancestry_survives_renaming_deleting_and_restoring(bright_model: Path) -> None:
    keep(load_model(bright_model, "cpu"), "first")
    tuned_from(load_model("first", "cpu"), "second")
    tuned_from(load_model("second", "cpu"), "third")
    rename("second", "middle")
    assert outline(list_versions()) == ["nuclei", "nuclei-fast", "first", "  middle", "    third"]
    delete("middle")
    assert outline(list_versions()) == ["nuclei", "nuclei-fast", "first", "[second]", "  third"]
    restore("middle")
    assert outline(list_versions()) == ["nuclei", "nuclei-fast", "first", "  middle", "    third"]


def test_a_file_that_is_no_model_has_a_problem() -> None:
    models_folder().mkdir()
    (models_folder() / "bad.safetensors").write_bytes(b"no model")
    bad = list_versions()[-1]
    assert (bad.name, bad.card, bad.sha256) == ("bad", None, "")
    assert "bad.safetensors" in bad.problem
    gone = read_version(ModelFile("gone", Path("gone.safetensors"), built_in=False))
    assert "check the path" in gone.problem
