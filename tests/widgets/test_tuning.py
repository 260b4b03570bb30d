from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_unet.learning.store import Store
from napari_unet.network.keeping import import_model
from napari_unet.segmentation import finish
from napari_unet.widgets.corrections import edited, facts_of
from napari_unet.widgets.messages import Glance, Learned, LearnRequest
from napari_unet.widgets.remembering import NOTHING, corrected_crops, remembered, store_text
from napari_unet.widgets.running import Failed
from napari_unet.widgets.tuning import learn

AddResult = Callable[..., Labels]


@pytest.fixture
def layer(add_squares: AddResult) -> Labels:
    """A result on which one nucleus was painted."""
    layer = add_squares(ViewerModel())
    layer.data[48:60, 10:25] = 7
    return layer


@pytest.fixture
def request_for(add_squares: AddResult, tmp_path: Path) -> Callable[..., LearnRequest]:
    def make(layer: Labels, **changes: Any) -> LearnRequest:
        facts = facts_of(layer)
        pixels = (facts["prediction"] > 0).astype("uint8") * 200
        request = LearnRequest(
            pixels, "YX", None, edited(layer, copied=True), "cells", facts["model_file"], "cpu",
            "bright", 0.5, tmp_path / "data",
        )  # fmt: skip
        return replace(request, **changes)

    return make


def run(request: LearnRequest) -> tuple[list[Glance], Learned | Failed | None]:
    glances: list[Glance] = []
    outcome = finish(learn(request), glances.append)
    return glances, outcome


@pytest.mark.usefixtures("quick")
def test_learning_tells_where_it_stands_and_gives_a_model(
    layer: Labels, request_for: Callable[..., LearnRequest]
) -> None:
    glances, outcome = run(request_for(layer))
    assert isinstance(outcome, Learned)
    assert list(dict.fromkeys(glance.phase for glance in glances)) == [
        "read", "prepare", "learn", "compare",
    ]  # fmt: skip
    marks = [glance for glance in glances if glance.mark is not None]
    assert marks[0].seconds == 0
    assert len(marks) > 1
    assert all(math.isfinite(glance.loss) for glance in glances if glance.loss is not None)
    assert outcome.tuned.model.card.training["steps"] > 0
    assert outcome.note == ""


@pytest.mark.usefixtures("quick")
def test_a_diameter_that_cannot_be_right_is_told_before_anything_is_learned(
    layer: Labels, request_for: Callable[..., LearnRequest]
) -> None:
    request = request_for(layer)
    request.stop.set()
    painted = replace(request.painted, diameter=100.0)
    glances, outcome = run(replace(request, painted=painted))
    assert isinstance(outcome, Learned)
    assert [glance.warning for glance in glances if glance.warning] == [outcome.advice]
    assert [glance.phase for glance in glances if glance.warning] == ["prepare"]
    assert "set Diameter to 15 in Segment nuclei" in outcome.advice
    _, right = run(request)
    assert isinstance(right, Learned)
    assert right.advice == ""


def test_only_steps_without_a_mark_may_be_passed_over() -> None:
    glances = [Glance("prepare"), Glance("learn", loss=1.0), Glance("learn", loss=1.0, mark=0.5)]
    assert [glance.is_rare for glance in glances] == [True, False, True]


@pytest.mark.usefixtures("quick")
def test_a_run_that_is_stopped_concludes_with_what_it_has(
    layer: Labels, request_for: Callable[..., LearnRequest]
) -> None:
    request = request_for(layer, seconds=1e4)
    request.stop.set()
    _, outcome = run(request)
    assert isinstance(outcome, Learned)
    assert outcome.tuned.model.card.training["steps"] == 1


def test_a_run_that_is_cancelled_has_no_outcome(
    layer: Labels, request_for: Callable[..., LearnRequest]
) -> None:
    request = request_for(layer)
    steps = learn(request)
    assert next(steps).phase == "read"
    request.cancelled.set()
    assert list(steps) == []
    assert run(request) == ([], None)


def test_nothing_corrected_a_missing_model_and_a_wrong_image_are_sentences(
    layer: Labels, request_for: Callable[..., LearnRequest]
) -> None:
    request = request_for(layer)
    nothing = replace(request.painted, labels=request.painted.prediction)
    for broken, sentence in [
        (replace(request, painted=nothing), NOTHING),
        (replace(request, model="gone"), "Expected a model, got the unknown name 'gone'"),
        (replace(request, pixels=request.pixels[:9]), "Expected corrections of the image's shape"),
    ]:
        _, outcome = run(broken)
        assert isinstance(outcome, Failed)
        assert outcome.sentence.startswith(sentence)
        assert outcome.sentence.endswith(".")


def crop_of(layer: Labels, request: LearnRequest) -> list[Any]:
    from napari_unet.network.library import load_model

    return corrected_crops(request, request.painted, load_model(request.model, "cpu"))


def test_crops_of_other_results_take_part_and_ones_own_are_replaced(
    layer: Labels, request_for: Callable[..., LearnRequest], tmp_path: Path
) -> None:
    first, second = request_for(layer), request_for(layer, source="another day")
    assert remembered(first, crop_of(layer, first)) == ([], "")
    others, note = remembered(second, crop_of(layer, second))
    assert [crop.source for crop in others] == ["cells"]
    assert note == ""
    assert [crop.source for crop in remembered(first, [])[0]] == ["another day"]
    remembered(first, crop_of(layer, first))
    assert Store.of_line(tmp_path / "data", "bright").size().n_crops == 2
    assert store_text(Store.of_line(tmp_path / "data", "bright")).startswith("2 nuclei, 0.")
    assert store_text(Store.of_line(tmp_path / "data", "other")) == "no nuclei yet"


def test_corrections_that_are_not_to_be_remembered_are_not(
    layer: Labels, request_for: Callable[..., LearnRequest], tmp_path: Path
) -> None:
    request = request_for(layer, data=None)
    assert remembered(request, crop_of(layer, request)) == ([], "")
    assert not (tmp_path / "data").exists()


def test_a_store_that_cannot_be_written_or_read_is_told_and_learning_goes_on(
    layer: Labels, request_for: Callable[..., LearnRequest], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    request = request_for(layer, data=tmp_path / "file")
    others, note = remembered(request, crop_of(layer, request))
    assert others == []
    assert note.startswith("The corrections could not be stored (")
    request = request_for(layer)
    remembered(request, crop_of(layer, request))
    (stored,) = Store.of_line(tmp_path / "data", "bright").folder.glob("*.safetensors")
    stored.write_bytes(b"damaged")
    other = request_for(layer, source="other")
    others, note = remembered(other, crop_of(layer, other))
    assert others == []
    assert note.startswith("Expected a stored correction, got ")


def test_a_network_of_another_program_cannot_learn(
    layer: Labels, request_for: Callable[..., LearnRequest], other_package: Callable[..., Path]
) -> None:
    model = import_model(other_package())
    _, outcome = run(request_for(layer, model=model.stem))
    assert isinstance(outcome, Failed)
    assert outcome.sentence.startswith("Expected a network of napari-unet, got 'other', one of ")
