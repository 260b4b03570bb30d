"""What a tuned model's card says of how it came about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import napari_unet as nu
from napari_unet.learning.crops import Crop
from napari_unet.learning.facts import count_nuclei, image_name, tuning_facts
from napari_unet.learning.gate import Marks
from napari_unet.network.history import Version
from napari_unet.network.library import ModelFile, load_model
from napari_unet.network.model import Model

LAYER = "123e4567-e89b-12d3-a456-426614174000"
BEFORE, AFTER = Marks(0.4, True, 1.0, 0.8), Marks(0.7, True, 0.95, 0.81)


def crop(source: str, *labels: int) -> Crop:
    """Return a crop that vouches for some nuclei of one pixel each, and shows one more."""
    row = np.array([[*labels, 99]], np.int32)
    return Crop(np.zeros((1, len(labels) + 1)), row, row != 99, 20.0, (0.0, 1.0), source)


@pytest.fixture
def parent(bright_model: Path) -> Model:
    return load_model(bright_model, "cpu")


def test_the_facts_are_read_as_they_were_written(parent: Model) -> None:
    crops = [crop(f"/home/ada/b.tif {LAYER}", 1, 2), crop("a.tif", 0, 2)]
    facts = tuning_facts(parent, crops, BEFORE, AFTER, steps=60, seconds=59.96)
    card = replace(parent.card, training=facts)
    learned = Version(ModelFile("a", Path("a"), built_in=False), "", card).learned
    assert card.line == learned.parent_name == "bright"
    assert learned.images == ("a.tif", "b.tif")
    assert (learned.n_nuclei, learned.steps, learned.seconds) == (3, 60, 60.0)
    assert learned.held_out is True
    assert learned.before == {"corrected": 0.4, "kept": 1.0, "rehearsed": 0.8}
    assert learned.after == {"corrected": 0.7, "kept": 0.95, "rehearsed": 0.81}
    moment = datetime.fromisoformat(learned.date)
    assert timedelta(0) <= datetime.now(UTC) - moment < timedelta(minutes=1)


def test_it_is_told_whether_the_score_is_that_of_nuclei_held_out(parent: Model) -> None:
    learned = replace(AFTER, held_out=False)
    facts = tuning_facts(parent, [crop("a", 1)], BEFORE, learned, steps=1, seconds=1.0)
    assert facts["held_out"] is False


def test_the_parent_is_called_as_its_file_is_now_and_its_line_as_it_began(
    parent: Model, bright_model: Path
) -> None:
    renamed = bright_model.rename(bright_model.with_name("plate 7.safetensors"))
    facts = tuning_facts(load_model(renamed, "cpu"), [], BEFORE, AFTER, steps=1, seconds=1.0)
    assert (facts["parent_name"], facts["line"]) == ("plate 7", "bright")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("cells", "cells"),
        (f"cells {LAYER}", "cells"),
        (f"C:\\data\\plate 7.tif {LAYER}", "plate 7.tif"),
        ("/data/plate.ome.zarr/", "plate.ome.zarr"),
        ("/", "/"),
        ("", "image"),
    ],
)
def test_an_image_is_named_without_its_folders_and_its_layers_id(source: str, name: str) -> None:
    assert image_name(source) == name


def test_a_nucleus_that_two_crops_show_counts_once() -> None:
    assert count_nuclei([crop("a", 0, 1, 2), crop("a", 2, 3), crop("b", 2)]) == 4
    assert count_nuclei([]) == 0


def test_python_names_the_images_in_the_card(parent: Model) -> None:
    image = np.zeros((64, 64), np.uint8)
    labels = np.zeros((64, 64), np.int32)
    image[20:36, 20:36], labels[20:36, 20:36] = 200, 1

    def names(**options: list[str]) -> list[str]:
        tuned = nu.fine_tune(
            parent, [image, image], [labels, labels], seconds=0.01, diameter=16, **options
        )
        assert tuned.model.card.line == "bright"
        return tuned.model.card.training["image_names"]

    assert names() == ["image 1", "image 2"]
    assert names(names=["b.tif", "a.tif"]) == ["a.tif", "b.tif"]
    with pytest.raises(ValueError, match=r"different names of 2 images, got a\.tif"):
        names(names=["a.tif"])
