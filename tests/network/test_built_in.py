"""What the model that comes with the package says of itself, in its file and in its card."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unet.network.library import BUILT_INS, load_model
from napari_unet.network.model import Model

CARDS = Path(__file__).parents[2] / "docs" / "models"


@pytest.fixture(scope="module", params=BUILT_INS)
def model(request: pytest.FixtureRequest) -> Model:
    return load_model(request.param, "cpu")


def card_of(model: Model) -> str:
    return (CARDS / f"{model.name}.md").read_text(encoding="utf-8")


def test_the_file_says_what_the_model_was_trained_on_and_how(model):
    facts = model.card.training
    assert facts["licence"] == "CC0"
    assert "BBBC038" in facts["data"]
    assert facts["crops"] == sum(run["crops"] for run in facts["runs"])
    assert facts["seconds"] == sum(run["seconds"] for run in facts["runs"])
    assert all(run["recipe"]["crop"] == 256 and run["date"] for run in facts["runs"])
    assert facts["limits"]


def test_the_card_is_that_of_the_file(model):
    text = card_of(model)
    assert model.sha256 in text
    assert f"{model.card.training['crops']:,} crops" in text
    assert model.card.training["date"] in text


@pytest.mark.parametrize("kind", ["fluorescence", "histology", "brightfield", "all"])
def test_the_scores_in_the_card_are_those_in_the_file(model, kind):
    rows = card_of(model).split(f"\n{kind}, ")[1].splitlines()
    own = next(row for row in rows if "(the model's own)" in row).split(" | ")
    suffix = "" if kind == "all" else f"_{kind}"
    figures = [float(own[column]) for column in (1, 3, 4)]
    assert figures == [model.card.scores[name + suffix] for name in ("ap50", "ap75", "mean_ap")]
