"""What holds for any input: found by hypothesis, beside the properties next to each module."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from skimage.draw import disk

import napari_unet as nu
from napari_unet.images.files import read_labels, write_labels
from napari_unet.images.synthetic import nuclei_field
from napari_unet.images.tiling import tiles
from napari_unet.learning.autosave import Autosaves, Note
from napari_unet.learning.corrections import corrections
from napari_unet.learning.crop_files import read_crop, write_crop
from napari_unet.learning.crops import Crop
from napari_unet.network.card import Card, card_from_json, card_to_json
from napari_unet.network.config import UNetConfig
from napari_unet.nuclei.cleaning import number_in_reading_order
from napari_unet.nuclei.splitting import parts_of
from napari_unet.segmentation import SegmentSettings, finish, segment

SIZES = st.integers(1, 300)
SETTINGS = SegmentSettings(diameter=22.0, tile=64, overlap=16, grid=1)
TURNS = st.tuples(st.integers(0, 3), st.booleans())


@given(SIZES, SIZES, st.integers(8, 96), st.integers(0, 7), st.sampled_from([1, 2, 8]))
def test_tiles_cover_each_pixel(
    height: int, width: int, tile: int, overlap: int, grid: int
) -> None:
    n_covering = np.zeros((height, width), int)
    for each in tiles((height, width), tile, overlap, grid):
        n_covering[each.read] += 1
    assert n_covering.min() >= 1


@given(arrays.arrays(np.uint8, (3, 12, 14)), st.sampled_from([0.3, 0.5, 0.8]))
def test_instances_lie_within_the_threshold_in_reading_order(
    maps: np.ndarray, threshold: float
) -> None:
    how = nu.InstanceSettings(threshold=threshold, min_size=0, fill_holes=False)
    labels = nu.instances(maps, how)
    assert (maps[0][labels > 0] > threshold * 255).all()
    np.testing.assert_array_equal(labels, number_in_reading_order(labels))
    first = [np.flatnonzero(labels == label)[0] for label in range(1, labels.max() + 1)]
    assert first == sorted(first)


def as_seen(pixels: np.ndarray) -> np.ndarray:
    """Stand for a network that sees each pixel for itself: bright is nucleus."""
    bright = np.clip(pixels[0], 0, 1)
    return np.stack([bright, 0 * bright, bright]).astype(np.float32)


def turned(array: np.ndarray, turn: tuple[int, bool]) -> np.ndarray:
    n_quarters, is_flipped = turn
    array = np.rot90(array, n_quarters)
    return np.ascontiguousarray(array[::-1] if is_flipped else array)


@settings(max_examples=20)
@given(st.integers(0, 100), TURNS)
def test_a_turned_image_has_the_turned_nuclei(seed: int, turn: tuple[int, bool]) -> None:
    image, _ = nuclei_field((96, 130), n=6, diameter=22, seed=seed)
    labels = finish(segment(image, "YX", as_seen, SETTINGS)).labels
    again = finish(segment(turned(image, turn), "YX", as_seen, SETTINGS)).labels
    expected = turned(labels, turn)
    # A watershed's ties go by the order of the pixels, and so do the pixels on a line between.
    np.testing.assert_array_equal(again > 0, expected > 0)
    if labels.any():
        assert nu.evaluate(again, expected).f1 == pytest.approx(1)


@settings(max_examples=30)
@given(st.integers(6, 14), st.integers(6, 14), st.floats(0.6, 0.9), TURNS)
def test_a_nucleus_that_is_split_and_joined_again_is_the_same(
    one: int, other: int, share: float, turn: tuple[int, bool]
) -> None:
    whole = np.zeros((40, 60), np.int32)
    whole[disk((20, 16), one)] = whole[disk((20, 16 + share * (one + other)), other)] = 1
    whole = turned(whole, turn)
    try:
        parts = parts_of(np.stack(np.nonzero(whole)))
    except ValueError:  # nearly round
        return
    split = whole.copy()
    split[whole > 0] = parts
    assert (np.diff(np.bincount(parts)[1:]) <= 0).all()
    assert all(ndimage.label(split == part)[1] == 1 for part in range(1, split.max() + 1))
    found = corrections(whole, split)
    assert (found.n_added, found.n_removed, found.n_reshaped) == (split.max() - 1, 0, 1)
    assert corrections(whole, np.minimum(split, 1)).summary() == "nothing corrected yet"


LABELS = arrays.arrays(
    st.sampled_from([np.int32, np.uint8, np.int64]),
    arrays.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=9),
    elements=st.integers(0, 100),
)


@given(LABELS, st.sampled_from([".tif", ".ome.tif"]))
def test_labels_come_back_from_their_file(labels: np.ndarray, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        write_labels(path, labels, "ZYX"[-labels.ndim :])
        np.testing.assert_array_equal(read_labels(path), labels)


PLANES = arrays.arrays(np.int32, (5, 7), elements=st.integers(0, 2**31 - 1))
FINITE = {"allow_nan": False}
PIXELS = st.one_of(
    arrays.arrays(st.sampled_from([np.uint8, np.uint16, np.int16, np.bool_]), (5, 7)),
    arrays.arrays(np.float32, (5, 7), elements=FINITE),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(PIXELS, PLANES, arrays.arrays(bool, (5, 7)), TEXT, st.floats(0.1, 1000))
def test_a_correction_comes_back_from_its_file(
    pixels: np.ndarray, labels: np.ndarray, known: np.ndarray, source: str, diameter: float
) -> None:
    date = datetime.now(UTC).isoformat(timespec="seconds")
    crop = Crop(pixels, labels, known, diameter, (0.0, 1.0), source, "place", date)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        write_crop(crop, path)
        read = read_crop(path)
    for name in ("pixels", "labels", "known"):
        np.testing.assert_array_equal(getattr(read, name), getattr(crop, name))
        assert getattr(read, name).dtype == getattr(crop, name).dtype
    assert (read.source, read.date, read.diameter) == (source, date, diameter)


TEXTS = ("axes", "model", "model_file", "model_sha256", "line", "device_choice", "result")
RUN = {"diameter": 9.0, "channel": None, "link": "auto", "instances": {}}


@given(PLANES, PLANES, TEXT)
def test_what_is_painted_comes_back_from_the_autosave(
    prediction: np.ndarray, painted: np.ndarray, text: str
) -> None:
    facts = {**dict.fromkeys(TEXTS, text), "settings": RUN}
    places = np.flatnonzero(prediction != painted).astype(np.int64)
    values = painted.reshape(-1)[places]
    note = Note("a" * 32, "0123abcd", facts, 1, (), places, values, datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder:
        saves = Autosaves(Path(folder))
        saves.save(note, prediction)
        (read,), problems = saves.of_image(note.image)
        np.testing.assert_array_equal(read.labels(saves.prediction(read)), painted)
    assert (problems, read.facts) == ([], facts)


CONFIGS = st.lists(st.integers(1, 64), min_size=1, max_size=4).flatmap(
    lambda filters: st.builds(
        UNetConfig,
        filters=st.just(tuple(filters)),
        dropout=st.tuples(*[st.floats(0, 1)] * (2 * len(filters) - 1)),
        batch_norm=st.booleans(),
        stem=st.integers(1, 4),
    )
)


@given(CONFIGS, TEXT, st.floats(2, 1000), st.dictionaries(TEXT, st.floats(0, 1), max_size=3))
def test_a_card_comes_back_from_its_text(
    config: UNetConfig, name: str, diameter: float, scores: dict[str, float]
) -> None:
    card = Card(name, config, diameter, scores=scores, training={"data": name})
    assert card_from_json(card_to_json(card)) == card
