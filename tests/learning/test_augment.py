"""Random crops whose image, labels and targets stay together."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from napari_unet.images.intensity import Normalisation
from napari_unet.learning.augment import (
    FALLBACK_DIAMETER,
    Augmentation,
    Sample,
    prepare_sample,
    random_batch,
)
from napari_unet.learning.light import vary_light
from napari_unet.learning.targets import median_diameter

CHANCES = [field.name for field in fields(Augmentation) if field.name.startswith("p_")]
SAME_LIGHT = Augmentation(
    gamma=0,
    contrast=0,
    brightness=0,
    **{name: 0.0 for name in CHANCES if name != "p_elastic"},
)
UNCHANGED = replace(SAME_LIGHT, diameter=(16.0, 16.0), zoom=(1.0, 1.0), stretch=0.0, p_elastic=0.0)


def discs(shape: tuple[int, int] = (96, 80), radius: int = 8) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for number, (cy, cx) in enumerate(np.ndindex(shape[0] // 20, shape[1] // 20), start=1):
        labels[np.hypot(y - 20 * cy - 10, x - 20 * cx - 10) < radius] = number
    return labels


def sample(labels: np.ndarray | None = None, colours: int = 1) -> Sample:
    """Return a plane that is 1 in its nuclei and 0 elsewhere, known in its nuclei only."""
    labels = discs() if labels is None else labels
    inside = labels > 0
    plane = np.stack([inside] * 3, axis=-1) if colours == 3 else inside
    return prepare_sample(plane, labels, Normalisation(), known=inside)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_sample_holds_the_plane_and_its_targets():
    labels = discs()
    made = prepare_sample(labels * 100, labels, Normalisation())
    assert made.pixels.shape == made.labels.shape == made.distance.shape == (1, 96, 80)
    assert made.known.min() == 1
    assert made.diameter == pytest.approx(median_diameter(labels))
    assert torch.equal(made.distance > 0, made.labels > 0)
    assert made.pixels.dtype == torch.float16


def test_a_sample_of_a_colour_plane_keeps_its_colours_and_drops_alpha():
    plane = np.random.default_rng(0).integers(0, 255, (96, 80, 4), dtype=np.uint8)
    plane[..., 3] = 255
    with_alpha = prepare_sample(plane, discs(), Normalisation())
    without = prepare_sample(plane[..., :3], discs(), Normalisation())
    assert with_alpha.pixels.shape == (3, 96, 80)
    assert torch.equal(with_alpha.pixels, without.pixels)


def test_a_sample_without_a_nucleus_has_the_usual_diameter():
    assert sample(np.zeros((30, 30), np.int32)).diameter == FALLBACK_DIAMETER


def test_labels_that_float32_cannot_tell_apart_stay_apart():
    labels = np.array([[2**24, 2**24 + 1, 0, 2**31 - 1]], np.int32)
    assert sample(labels).labels.tolist() == [[[1, 2, 0, 3]]]


@pytest.mark.parametrize("p_elastic", [0.0, 1.0])
@pytest.mark.parametrize("colours", [1, 3])
def test_image_labels_distance_and_known_are_warped_alike(p_elastic, colours):
    settings = replace(SAME_LIGHT, p_elastic=p_elastic)
    batch = random_batch([sample(colours=colours)], 64, 12, settings, generator())
    inside = batch.labels > 0
    assert batch.image.shape == (12, 3, 64, 64)
    assert 0.2 < inside.float().mean() < 0.8
    # Between 0 and 1 the image is interpolated over an edge.
    sure = (batch.image < 0.01) | (batch.image > 0.99)
    assert sure.float().mean() > 0.75
    assert torch.equal((batch.image > 0.5)[sure], inside[:, None].expand_as(sure)[sure])
    assert torch.equal(batch.known > 0, inside)
    assert not batch.distance[~inside].any()
    assert batch.distance[inside].min() >= 0


def test_every_label_keeps_its_own_pixels():
    labels = discs()
    shades = np.where(labels > 0, 10 * labels, 0)
    plane = prepare_sample(shades, labels, Normalisation(low=0, high=100))
    batch = random_batch([plane], 64, 8, replace(SAME_LIGHT, p_elastic=1.0), generator())
    expected = (batch.labels / labels.max())[:, None]
    # Away from the edges a bilinear and a nearest sample of a flat nucleus are the same.
    core = (batch.distance > 0.5)[:, None].expand_as(batch.image)
    np.testing.assert_allclose(batch.image[core], expected.expand_as(core)[core], atol=2e-3)


def test_nuclei_are_scaled_into_the_range_of_diameters():
    settings = replace(UNCHANGED, diameter=(30.0, 30.0), zoom=(0.1, 10.0))
    batch = random_batch([sample(discs((200, 200)))], 96, 8, settings, generator())
    largest = max(
        np.bincount(labels.ravel().int().numpy())[1:].max(initial=0) for labels in batch.labels
    )
    assert 2 * np.sqrt(largest / np.pi) == pytest.approx(30, rel=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (5, 7), (300, 12)])
def test_planes_of_any_shape_give_crops(shape):
    batch = random_batch([sample(np.ones(shape, np.int32))], 32, 4, Augmentation(), generator())
    assert batch.image.shape == (4, 3, 32, 32)
    assert torch.isfinite(batch.image).all()
    assert (batch.labels == 1).all()


def test_the_same_seed_gives_the_same_batch_and_another_another():
    planes = [sample(), sample(colours=3)]
    first, same, other = (
        random_batch(planes, 32, 6, Augmentation(), generator(seed)) for seed in (7, 7, 8)
    )
    for name in ("image", "labels", "distance", "known"):
        assert torch.equal(getattr(first, name), getattr(same, name))
    assert not torch.equal(first.image, other.image)


def test_nothing_but_its_generator_decides_a_batch():
    batches = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        batches.append(random_batch([sample()], 32, 4, Augmentation(), generator()))
    assert torch.equal(batches[0].image, batches[1].image)


def test_large_planes_are_drawn_more_often():
    small, large = sample(np.ones((10, 10), np.int32)), sample(np.full((90, 90), 0, np.int32))
    batch = random_batch([small, large], 8, 200, UNCHANGED, generator())
    n_small = int(batch.labels.flatten(1).all(1).sum())
    assert n_small == pytest.approx(20, abs=12)


@pytest.mark.parametrize("name", CHANCES)
@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_every_probability_may_be_0_or_1(name, probability):
    settings = replace(Augmentation(), **{name: probability})
    planes = [sample(), sample(colours=3)]
    image = random_batch(planes, 32, 8, settings, generator()).image
    assert torch.isfinite(image).all()
    assert image.min() >= 0
    assert image.max() <= 4


@pytest.mark.parametrize("level", [0.0, 4.0])
@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_intensities_stay_finite_and_in_their_range(level, probability):
    settings = replace(Augmentation(), **dict.fromkeys(CHANCES, probability))
    for seed in range(5):
        image = torch.rand(4, 3, 24, 24) * level
        image[:2] = image[:2, :1]
        varied = vary_light(image, settings, generator(seed))
        assert torch.isfinite(varied).all()
        assert varied.min() >= 0
        assert varied.max() <= 4


def test_no_change_of_light_leaves_the_image():
    image = torch.rand(3, 3, 16, 16).clamp(min=0.01)
    torch.testing.assert_close(vary_light(image, SAME_LIGHT, generator()), image)


def test_inversion_swaps_light_and_dark():
    image = torch.rand(3, 3, 16, 16).clamp(0.01, 0.99)
    settings = replace(SAME_LIGHT, p_invert=1.0)
    torch.testing.assert_close(vary_light(image, settings, generator()), 1 - image)


def test_colour_becomes_grey_and_grey_becomes_coloured():
    colour = torch.rand(2, 3, 8, 8) + 0.1
    grey = vary_light(colour, replace(SAME_LIGHT, p_grey=1.0), generator())
    torch.testing.assert_close(grey, colour.mean(1, keepdim=True).expand_as(grey))
    tinted = vary_light(grey, replace(SAME_LIGHT, p_tint=1.0), generator())
    assert (tinted[:, :1] != tinted).any()
    torch.testing.assert_close(tinted.amax(1), grey[:, 0])


def test_stains_are_mixed_in_coloured_images_only():
    settings = replace(SAME_LIGHT, p_stain=1.0)
    colour = torch.rand(2, 3, 8, 8) * 0.5 + 0.25
    assert (vary_light(colour, settings, generator()) - colour).abs().max() > 0.01
    grey = colour[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(vary_light(grey, settings, generator()), grey)


def test_blur_smooths_and_noise_roughens():
    image = (torch.rand(4, 1, 32, 32) * 0.5 + 0.25).expand(-1, 3, -1, -1)
    blurred = vary_light(image, replace(SAME_LIGHT, p_blur=1.0), generator())
    noisy = vary_light(image, replace(SAME_LIGHT, p_noise=1.0), generator())
    assert (blurred.var((1, 2, 3)) < image.var((1, 2, 3))).all()
    assert (noisy.var((1, 2, 3)) > image.var((1, 2, 3))).all()
    assert blurred.mean() == pytest.approx(image.mean().item(), rel=0.02)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_smallest_crops_can_be_blurred(size):
    image = torch.full((2, 3, size, size), 0.5)
    varied = vary_light(image, replace(SAME_LIGHT, p_blur=1.0), generator())
    torch.testing.assert_close(varied, image)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"diameter": (20.0, 10.0)}, "diameter to be 0 < low <= high"),
        ({"zoom": (0.0, 1.0)}, "zoom to be 0 < low <= high"),
        ({"p_blur": 1.1}, "p_blur to be a probability"),
        ({"p_blur": float("nan")}, "p_blur to be a probability"),
        ({"noise": -0.1}, "noise to be 0 or more"),
        ({"elastic": float("inf")}, "elastic to be 0 or more"),
    ],
)
def test_a_value_out_of_range_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        Augmentation(**change)
