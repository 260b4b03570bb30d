"""Images with labels on disk: folders of both, or the competition's stage1_train layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_unet.images.axes import label_shape, planes
from napari_unet.images.files import ImageFile, image_files, read_image, read_labels


@dataclass(frozen=True)
class Pair:
    """One image file and where its labels are.

    Parameters
    ----------
    image : Path
        The image file.
    labels : tuple of Path
        One label file, or one mask file per nucleus; empty if there is none.
    one_per_nucleus : bool
        Whether `labels` are masks, each of one nucleus.
    """

    image: Path
    labels: tuple[Path, ...]
    one_per_nucleus: bool = False

    @property
    def name(self) -> str:
        """The image file's stem."""
        return self.image.stem


@dataclass(frozen=True)
class LabelledImage:
    """What the files of a pair hold, plane by plane.

    Parameters
    ----------
    pair : Pair
        The files.
    planes : list of (y, x) or (y, x, s)
        Intensities, as they are in the file.
    labels : list of (y, x) int32
        One label per nucleus, 0 is background.
    """

    pair: Pair
    planes: list[NDArray[Any]]
    labels: list[NDArray[np.int32]]


def find_pairs(folder: Path) -> list[Pair]:
    """Return the images of a folder with their labels.

    Parameters
    ----------
    folder : Path
        Holds ``images/`` and ``labels/`` with files of the same stem, or the layout of the
        2018 Data Science Bowl: ``<id>/images/*`` and ``<id>/masks/*``, one file per nucleus.

    Raises
    ------
    ValueError
        If it holds neither, or no image.
    """
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        pairs = _pairs_by_stem(folder / "images", folder / "labels")
    else:
        cases = sorted(folder.glob("*/images")) if folder.is_dir() else []
        pairs = [pair for case in cases for pair in _pairs_with_masks(case)]
    if not pairs:
        raise ValueError(
            f"Expected images in images/ and labels in labels/, or <id>/images/ and <id>/masks/, "
            f"got none in {str(folder)!r}; arrange the files like that."
        )
    return pairs


def split_pairs(pairs: list[Pair], fraction: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Return pairs for training and for validation, split at random; both get at least one.

    Raises
    ------
    ValueError
        If there are fewer than two pairs.
    """
    if len(pairs) < 2:
        raise ValueError(
            f"Expected at least two images, got {len(pairs)}; add some, or give others for "
            "validation."
        )
    order = np.random.default_rng(seed).permutation(len(pairs))
    n_validation = min(max(1, round(fraction * len(pairs))), len(pairs) - 1)
    return [pairs[i] for i in order[n_validation:]], [pairs[i] for i in order[:n_validation]]


def read_pairs(
    pairs: list[Pair], progress: Callable[[int, int], None] = lambda done, n: None
) -> tuple[list[LabelledImage], list[str]]:
    """Return all pairs that can be used, and one sentence for each that cannot.

    Parameters
    ----------
    pairs : list of Pair
        The files.
    progress : callable
        Called with the number of pairs read and that of all.
    """
    images, problems = [], []
    for done, pair in enumerate(pairs, start=1):
        try:
            images.append(read_pair(pair))
        except (ValueError, OSError) as error:
            problems.append(f"{pair.image}: {error}")
        progress(done, len(pairs))
    return images, problems


def read_pair(pair: Pair) -> LabelledImage:
    """Return the planes of an image and their labels.

    Raises
    ------
    ValueError
        If a file is unreadable, sizes differ, or the labels are none or not one per nucleus.
    """
    labels = read_truth(pair)
    image = _grey_if_equal(read_image(pair.image))
    shape = label_shape(image.axes, image.data.shape)
    if image.data.dtype.kind not in "biuf":
        raise ValueError(f"Expected real intensities, got {image.data.dtype}; convert the image.")
    if labels.shape != shape:
        raise ValueError(
            f"Expected labels of the image's shape {shape}, got {labels.shape}; check that they "
            "belong together."
        )
    if not labels.any():
        raise ValueError("Expected at least one labelled nucleus, got none; label it or drop it.")
    if not pair.one_per_nucleus and _is_binary(labels):
        raise ValueError(
            "Expected one value per nucleus, got a binary label image; number its nuclei."
        )
    walk = list(planes(image.axes, image.data.shape))
    return LabelledImage(pair, [image.data[p.read] for p in walk], [labels[p.write] for p in walk])


def read_truth(pair: Pair) -> NDArray[np.int32]:
    """Return the labels of a pair in the shape of its files.

    Raises
    ------
    ValueError
        If there are none, or they are unreadable or of different sizes.
    """
    if not pair.labels:
        wanted = "mask files" if pair.one_per_nucleus else "a label file of the same name"
        raise ValueError(f"Expected {wanted}, got none; add the labels or take the image away.")
    return read_masks(pair.labels) if pair.one_per_nucleus else read_labels(pair.labels[0])


def read_masks(paths: Iterable[Path]) -> NDArray[np.int32]:
    """Return one label image of one mask file per nucleus; the later file wins an overlap.

    Raises
    ------
    ValueError
        If there is none, one is unreadable, or their sizes differ.
    """
    labels: NDArray[np.int32] | None = None
    for label, path in enumerate(paths, start=1):
        mask = _read_mask(path)
        if labels is None:
            labels = np.zeros(mask.shape, np.int32)
        if mask.shape != labels.shape:
            raise ValueError(
                f"Expected masks of the shape {labels.shape}, got {mask.shape} in {path.name!r}; "
                "check that it belongs to this image."
            )
        labels[mask] = label
    if labels is None:
        raise ValueError("Expected at least one mask file, got none; add one per nucleus.")
    return labels


def _pairs_by_stem(images: Path, labels: Path) -> list[Pair]:
    by_stem = {path.stem: path for path in image_files(labels)}
    return [
        Pair(image, (by_stem[image.stem],) if image.stem in by_stem else ())
        for image in image_files(images)
    ]


def _pairs_with_masks(images: Path) -> list[Pair]:
    folder = images.parent / "masks"
    masks = tuple(image_files(folder)) if folder.is_dir() else ()
    return [Pair(image, masks, one_per_nucleus=True) for image in image_files(images)]


def _read_mask(path: Path) -> NDArray[np.bool_]:
    mask = read_image(path).data
    return np.asarray((mask[..., 0] if mask.ndim == 3 else mask) > 0)


def _grey_if_equal(image: ImageFile) -> ImageFile:
    """Return an image without its colour axis if all colours are the same, as in many PNGs."""
    data = image.data
    if not image.axes.endswith("S") or (data[..., :3] != data[..., :1]).any():
        return image
    return replace(image, data=data[..., 0], axes=image.axes[:-1])


def _is_binary(labels: NDArray[np.int32]) -> bool:
    """Tell whether one value stands for several nuclei that lie apart."""
    return len(np.unique(labels)) == 2 and ndimage.label(labels)[1] > 2
