"""Images with labels on disk: folders of both, or the competition's stage1_train layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import label_shape, planes
from napari_unet.images.files import ImageFile, image_files, read_image, read_labels

__all__ = ["Pair", "check_pairs", "find_pairs", "read_pair", "split_pairs"]


@dataclass(frozen=True)
class Pair:
    """One image file and where its labels are.

    Parameters
    ----------
    image : Path
        The image file.
    labels : tuple of Path
        One label file, or one mask file per nucleus; empty if there is none.
    """

    image: Path
    labels: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The image file's stem."""
        return self.image.stem


def find_pairs(folder: Path) -> list[Pair]:
    """Give the images of a folder with their labels.

    Parameters
    ----------
    folder : Path
        Holds ``images/`` and ``labels/`` with files of the same stem, or the layout of the
        2018 Data Science Bowl: ``<id>/images/*`` and ``<id>/masks/*``, one file per nucleus.

    Raises
    ------
    ValueError
        If it holds neither.
    """
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        labels = {path.stem: path for path in image_files(folder / "labels")}
        return [
            Pair(image, (labels[image.stem],) if image.stem in labels else ())
            for image in image_files(folder / "images")
        ]
    cases = sorted(folder.glob("*/images")) if folder.is_dir() else []
    if not cases:
        raise ValueError(
            f"training data needs images/ and labels/, or <id>/images/ and <id>/masks/, "
            f"found neither in {folder}; arrange the files like that."
        )
    return [
        Pair(image, tuple(sorted((case.parent / "masks").glob("*.png"))))
        for case in cases
        for image in image_files(case)
    ]


def split_pairs(pairs: list[Pair], fraction: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Split into training and validation pairs at random; both get at least one."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    n_validation = min(max(1, round(fraction * len(pairs))), len(pairs) - 1)
    return [pairs[i] for i in order[n_validation:]], [pairs[i] for i in order[:n_validation]]


def read_pair(pair: Pair) -> tuple[list[NDArray[np.generic]], list[NDArray[np.int32]]]:
    """Give the planes of an image, (y, x) or (y, x, s), and their labels, (y, x) int32.

    Raises
    ------
    ValueError
        If a file is unreadable, sizes differ, or the labels are none or not one per nucleus.
    """
    if not pair.labels:
        raise ValueError("has no label file of the same name")
    image = grey_if_equal(read_image(pair.image))
    walk = list(planes(image.axes, image.data.shape))
    labels = read_masks(pair.labels) if len(pair.labels) > 1 else read_labels(pair.labels[0])
    size = label_shape(image.axes, image.data.shape)
    if labels.shape != size:
        raise ValueError(f"the image is {size} and its labels are {labels.shape}")
    if not labels.any():
        raise ValueError("no nucleus is labelled")
    if is_binary(labels):
        raise ValueError("the label image is binary: it needs one value per nucleus")
    return [image.data[p.read] for p in walk], [labels[p.write] for p in walk]


def grey_if_equal(image: ImageFile) -> ImageFile:
    """Drop the colour axis of an image whose colours are all the same, as many grey PNGs are."""
    data = image.data
    if not image.axes.endswith("S") or (data[..., :3] != data[..., :1]).any():
        return image
    return replace(image, data=data[..., 0], axes=image.axes[:-1])


def read_masks(paths: Iterable[Path]) -> NDArray[np.int32]:
    """Give one label image from one mask file per nucleus; the later file wins an overlap."""
    labels: NDArray[np.int32] | None = None
    for label, path in enumerate(paths, start=1):
        mask = read_image(path).data
        mask = mask[..., 0] if mask.ndim == 3 else mask
        if labels is None:
            labels = np.zeros(mask.shape, np.int32)
        if mask.shape != labels.shape:
            raise ValueError(f"mask {path.name} is {mask.shape}, the first one {labels.shape}")
        labels[mask > 0] = label
    if labels is None:
        raise ValueError("has no mask file")
    return labels


def is_binary(labels: NDArray[np.int32]) -> bool:
    """Tell whether one value stands for several nuclei that lie far apart."""
    from scipy import ndimage

    values = np.unique(labels)
    return len(values) == 2 and ndimage.label(labels)[1] > 2


def check_pairs(
    pairs: list[Pair], progress: Callable[[int, int], None] = lambda done, n: None
) -> Iterator[tuple[Pair, list[NDArray[np.generic]], list[NDArray[np.int32]]] | str]:
    """Read every pair: give (pair, planes, labels), or one sentence on what is wrong with it."""
    for done, pair in enumerate(pairs, start=1):
        try:
            yield (pair, *read_pair(pair))
        except (ValueError, OSError) as error:
            yield f"{pair.image}: {error}"
        progress(done, len(pairs))
