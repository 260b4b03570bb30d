"""Images with labels on disk, good and bad."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_unet.learning.datasets import (
    Pair,
    find_pairs,
    read_masks,
    read_pair,
    read_pairs,
    read_truth,
    split_pairs,
)

LABELS = np.zeros((12, 16), np.uint8)
LABELS[1:4, 1:5] = 1
LABELS[6:10, 2:6] = 2
IMAGE = LABELS * 100


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        photometric = "rgb" if pixels.shape[-1] == 3 else "minisblack"
        tifffile.imwrite(path, pixels, photometric=photometric)
    else:
        iio.imwrite(path, pixels)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a", "b"):
        write(tmp_path / "images" / f"{name}.png", IMAGE)
        write(tmp_path / "labels" / f"{name}.tif", LABELS)
    return tmp_path


def pair_of(tmp_path: Path, image: np.ndarray, labels: np.ndarray, suffix: str = ".tif") -> Pair:
    files = (
        write(tmp_path / kind / f"a{suffix}", pixels)
        for kind, pixels in (("images", image), ("labels", labels))
    )
    image_file, label_file = files
    return Pair(image_file, (label_file,))


def test_images_and_labels_of_one_stem_belong_together(folder):
    pairs = find_pairs(folder)
    assert [pair.name for pair in pairs] == ["a", "b"]
    assert [pair.image.name for pair in pairs] == ["a.png", "b.png"]
    assert [pair.labels for pair in pairs] == [
        (folder / "labels" / "a.tif",),
        (folder / "labels" / "b.tif",),
    ]


def test_the_competitions_layout_has_one_mask_per_nucleus(tmp_path):
    for case in ("id2", "id1"):
        write(tmp_path / case / "images" / f"{case}.png", IMAGE)
        for nucleus in (1, 2):
            mask = (nucleus == LABELS) * np.uint8(255)
            write(tmp_path / case / "masks" / f"{nucleus}.png", mask)
    (tmp_path / "id1" / "masks" / "._1.png").write_bytes(b"left by macOS")
    pairs = find_pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["id1", "id2"]
    assert all(pair.one_per_nucleus for pair in pairs)
    image = read_pair(pairs[0])
    np.testing.assert_array_equal(image.labels, [LABELS])
    np.testing.assert_array_equal(image.planes, [IMAGE])


def test_one_mask_is_one_nucleus_even_in_colour_and_in_pieces(tmp_path):
    colour = np.zeros((12, 16, 4), np.uint8)
    colour[::4] = 255
    write(tmp_path / "id" / "images" / "id.png", IMAGE)
    write(tmp_path / "id" / "masks" / "1.png", colour)
    (pair,) = find_pairs(tmp_path)
    np.testing.assert_array_equal(read_pair(pair).labels[0], colour[..., 0] > 0)


def test_the_later_mask_wins_an_overlap(tmp_path):
    paths = [write(tmp_path / f"{n}.png", np.eye(4, k=n, dtype=np.uint8)[:, :3]) for n in range(2)]
    paths.append(write(tmp_path / "2.png", np.array([[0, 9, 9]] + [[0, 0, 0]] * 3, np.uint8)))
    assert read_masks(paths).tolist() == [[1, 3, 3], [0, 1, 2], [0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize("make", [[], ["images"], ["labels"], ["images", "labels"], ["id/masks"]])
def test_a_folder_without_images_is_refused(tmp_path, make):
    for name in make:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(ValueError, match="Expected images in images/ and labels in labels/"):
        find_pairs(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="got none in"):
        find_pairs(tmp_path / "none")


def pairs_named(n: int) -> list[Pair]:
    return [Pair(Path(f"{i}.png"), ()) for i in range(n)]


@pytest.mark.parametrize(("n", "n_held_out"), [(2, 1), (5, 1), (20, 2), (100, 10)])
def test_a_part_is_held_out_and_nothing_is_lost(n, n_held_out):
    training, held_out = split_pairs(pairs_named(n), 0.1, seed=0)
    assert len(held_out) == n_held_out
    assert {*training, *held_out} == {*pairs_named(n)}
    assert len(training) + len(held_out) == n


def test_the_seed_decides_the_split():
    first, same, other = (split_pairs(pairs_named(50), 0.2, seed) for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_images_cannot_be_split(n):
    with pytest.raises(ValueError, match=f"at least two images, got {n}"):
        split_pairs(pairs_named(n), 0.1, seed=0)


def test_a_stack_is_read_plane_by_plane(tmp_path):
    stack = np.stack([LABELS, LABELS[::-1], LABELS * 0])
    image = read_pair(pair_of(tmp_path, stack * 10, stack))
    np.testing.assert_array_equal(image.planes, stack * 10)
    np.testing.assert_array_equal(image.labels, stack)
    assert image.labels[0].dtype == np.int32


def test_colour_stays_and_grey_saved_as_colour_becomes_grey(tmp_path):
    grey = np.stack([IMAGE] * 3, axis=-1)
    assert read_pair(pair_of(tmp_path, grey, LABELS, ".png")).planes[0].shape == (12, 16)
    colour = grey.copy()
    colour[0, 0, 1] = 7
    assert read_pair(pair_of(tmp_path, colour, LABELS, ".png")).planes[0].shape == (12, 16, 3)


@pytest.mark.parametrize(
    ("image", "labels", "sentence"),
    [
        (IMAGE, LABELS[:, :-1], r"shape \(12, 16\), got \(12, 15\)"),
        (IMAGE, LABELS * 0, "at least one labelled nucleus, got none"),
        (IMAGE, np.indices((12, 16), np.uint8).sum(0) % 2 * 255, "got a binary label image"),
        (IMAGE, LABELS + 0.5, "Expected whole numbers"),
        (IMAGE, np.stack([LABELS] * 3, axis=-1), r"shape \(12, 16\)|colours"),
        (IMAGE * 1j, LABELS, "real intensities, got complex"),
    ],
)
def test_data_that_cannot_be_learnt_from_are_refused(tmp_path, image, labels, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        read_pair(pair_of(tmp_path, image, labels))
    assert "\n" not in str(caught.value)


def test_a_single_nucleus_is_not_taken_for_a_binary_image(tmp_path):
    image = read_pair(pair_of(tmp_path, IMAGE, (LABELS == 1).astype(np.uint8)))
    assert image.labels[0].max() == 1


@pytest.mark.parametrize("one_per_nucleus", [True, False])
def test_an_image_without_labels_is_refused(one_per_nucleus):
    with pytest.raises(ValueError, match=r"Expected .*(mask|label) file.*, got none"):
        read_truth(Pair(Path("a.png"), (), one_per_nucleus))


def test_masks_of_different_sizes_are_refused(tmp_path):
    paths = [write(tmp_path / f"{n}.png", np.ones((4, n), np.uint8)) for n in (3, 4)]
    with pytest.raises(ValueError, match=r"shape \(4, 3\), got \(4, 4\) in '4.png'"):
        read_masks(paths)


def test_no_masks_are_no_labels():
    with pytest.raises(ValueError, match="at least one mask file, got none"):
        read_masks([])


def test_every_bad_file_gets_its_sentence_and_the_good_ones_are_read(folder):
    write(folder / "images" / "c.png", IMAGE)
    write(folder / "images" / "d.png", IMAGE)
    write(folder / "labels" / "d.tif", LABELS * 0)
    (folder / "images" / "e.tif").write_bytes(b"")
    write(folder / "labels" / "e.tif", LABELS)
    reported: list[tuple[int, int]] = []
    images, problems = read_pairs(find_pairs(folder), lambda *done: reported.append(done))
    assert [image.pair.name for image in images] == ["a", "b"]
    assert [problem.split(": ")[0] for problem in problems] == [
        str(folder / "images" / name) for name in ("c.png", "d.png", "e.tif")
    ]
    for problem, sentence in zip(problems, ("same name", "none", "empty file"), strict=True):
        assert sentence in problem
        assert "\n" not in problem
    assert reported == [(n, 5) for n in range(1, 6)]
