"""The facts in a model file's header."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from napari_unet.images.intensity import Normalisation
from napari_unet.network.card import Card, card_from_json, card_to_json
from napari_unet.network.unet import UNetConfig
from napari_unet.nuclei.instances import InstanceSettings


def full_card() -> Card:
    return Card(
        name="plate 7",
        config=UNetConfig.classic(),
        diameter=17.5,
        normalisation=Normalisation(low=2, high=98.0, per="stack"),
        instances=InstanceSettings(threshold=0.4, min_size=30),
        training={"data": "CC0", "recipe": {"steps": 3}},
        scores={"mean_ap": 0.61, "ap50": 1},
        parent="ab" * 32,
    )


def changed(**facts: object) -> str:
    return json.dumps(json.loads(card_to_json(full_card())) | facts)


def test_a_card_comes_back_from_its_text():
    assert card_from_json(card_to_json(full_card())) == full_card()


def test_what_an_older_file_does_not_say_is_as_by_default():
    text = changed(config={}, normalisation={}, instances={"border": 0.3})
    card = card_from_json(text)
    assert card.config == UNetConfig()
    assert card.normalisation == Normalisation()
    assert card.instances == InstanceSettings(border=0.3)


def test_a_line_of_models_is_named_after_the_one_it_began_with():
    assert full_card().line == "plate 7"
    assert replace(full_card(), training={"line": "nuclei"}).line == "nuclei"


@pytest.mark.parametrize("diameter", [1.9, 1001, float("nan"), float("inf")])
def test_a_diameter_no_nucleus_has_is_refused(diameter):
    with pytest.raises(ValueError, match="from 2 to 1000 pixels"):
        Card("a", UNetConfig(), diameter)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{}",
        "[" * 100_000,
        changed(format=2),
        changed(name=5),
        changed(diameter="20"),
        changed(diameter=0.5),
        changed(scores=[1]),
        changed(scores={"ap50": "high"}),
        changed(training=None),
        changed(parent=5),
        changed(extra=1),
        changed(config=3),
        changed(config={"filters": 4, "dropout": [0]}),
        changed(config={"batch_norm": "no"}),
        changed(config={"maps": "nucleus"}),
        changed(config={"dropout": ["0.1", 0, 0, 0, 0, 0, 0]}),
        changed(config={"filters": [10**9], "dropout": [0]}),
        changed(normalisation={"low": "1"}),
        changed(normalisation={"per": ["plane"]}),
        changed(instances={"threshold": 7}),
        changed(instances={"min_size": "12"}),
        changed(instances={"unknown": 1}),
    ],
)
def test_a_text_that_is_no_card_is_refused_in_one_sentence(text):
    with pytest.raises(ValueError, match=r"^Expected the facts of a napari-unet model") as caught:
        card_from_json(text)
    assert "\n" not in str(caught.value)


def test_the_refusal_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"UNetConfig\.batch_norm is 'no'"):
        card_from_json(changed(config={"batch_norm": "no"}))
    with pytest.raises(ValueError, match="'format' is missing"):
        card_from_json("{}")
    with pytest.raises(ValueError, match="newer version"):
        card_from_json(changed(format=2))
