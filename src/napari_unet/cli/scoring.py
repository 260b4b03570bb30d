"""Predicted labels against true ones, image by image: what ``napari-unet evaluate`` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.batch import read_input, read_label_input, segment_image
from napari_unet.images.axes import label_axes
from napari_unet.images.ome_zarr import is_zarr
from napari_unet.jobs import LABELS, images_in, stem_of
from napari_unet.learning.datasets import Pair, find_pairs, read_truth
from napari_unet.nuclei.comparison import Comparison, compare, depth_axis, n_by_kind
from napari_unet.nuclei.errors import Kind
from napari_unet.nuclei.metrics import Scores
from napari_unet.segmentation import Predict, Progress, SegmentSettings, finish

Labels = NDArray[np.int32]
Named = tuple[Labels, str]
"""Labels, and one letter for each of their axes; none where that is not known."""

Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Case:
    """One image to score.

    Parameters
    ----------
    name : str
        What the user calls it.
    read : callable
        Gives its predicted and its true labels, and what their axes are called, as far as that is
        known; reports on the walk where there is one.
    """

    name: str
    read: Callable[[Report], tuple[Labels, Labels, str]]


@dataclass(frozen=True)
class ImageScore:
    """The scores of one image and its nuclei by kind, or why there are none."""

    name: str
    scores: Scores | None = None
    kinds: Mapping[Kind, int] = field(default_factory=dict)
    error: Exception | None = None


def file_cases(predicted: Path, truth: Path) -> list[Case]:
    """Pair the label files of two folders, or two files; OME-Zarr counts as a file.

    Files of a folder are paired by their stems, "_labels" left aside: a_labels.tif and a.png
    belong together. Predictions without truth are left out. The truth may also be a folder as
    :func:`find_pairs` takes it.

    Raises
    ------
    ValueError
        If one is a file and the other a folder, or two files of a folder have one stem.
    FileNotFoundError
        If there is no such file or folder.
    """
    if _is_folder(predicted) != _is_folder(truth):
        raise ValueError(
            f"Expected two files or two folders, got {predicted} and {truth}; give two of a kind."
        )
    if not _is_folder(truth):
        return [Case(truth.name, lambda report: _both(_read(predicted), _read(truth)))]
    found = by_stem(predicted)

    def read(
        stem: str, true_labels: Callable[[], Named], report: Report
    ) -> tuple[Labels, Labels, str]:
        return _both(_read(named(stem, found)), true_labels())

    return [
        Case(stem, partial(read, stem, labels)) for stem, labels in truth_by_stem(truth).items()
    ]


def _is_folder(path: Path) -> bool:
    """Tell whether a path is a folder of label files, not of OME-Zarr."""
    return path.is_dir() and not is_zarr(path)


def _read(path: Path) -> Named:
    """Return the labels in a file, and their axes."""
    labels = read_label_input(path)
    return labels.data, labels.axes


def _both(found: Named, truth: Named) -> tuple[Labels, Labels, str]:
    """Return both labels, and their axes: of two files, one may not say that it is a movie."""
    axes = next((names for _, names in (found, truth) if "T" in names), found[1])
    return found[0], truth[0], axes


def truth_by_stem(folder: Path) -> dict[str, Callable[[], Named]]:
    """Return how to read the true labels of each image: label files, or a training data set."""
    files = by_stem(folder)
    if files:
        return {stem: partial(_read, path) for stem, path in files.items()}
    return {pair.name: partial(_truth_of, pair) for pair in find_pairs(folder)}


def _truth_of(pair: Pair) -> Named:
    """Return the true labels of a pair, whose axes are not known."""
    return read_truth(pair), ""


def by_stem(folder: Path) -> dict[str, Path]:
    """Return the label files of a folder by stem; beside their images, only the label files."""
    files = images_in(folder)
    labels = [file for file in files if stem_of(file).endswith(LABELS)]
    found: dict[str, Path] = {}
    for file in labels or files:
        stem = stem_of(file).removesuffix(LABELS)
        if stem in found:
            raise ValueError(
                f"Expected one label file for {stem!r} in {folder}, got {found[stem].name} and "
                f"{file.name}; move one of them away."
            )
        found[stem] = file
    return found


def named(stem: str, found: dict[str, Path]) -> Path:
    """Return the prediction of that name."""
    if stem not in found:
        raise FileNotFoundError(
            f"Expected a prediction named {stem!r}, got none; segment its image first."
        )
    return found[stem]


def model_cases(data: Path, predict: Predict, settings: SegmentSettings) -> list[Case]:
    """Pair the true labels of a data set with what a network makes of its images.

    Parameters
    ----------
    data : Path
        A folder as :func:`find_pairs` takes it.
    predict, settings
        As for :func:`napari_unet.segmentation.segment`.
    """

    def read(pair: Pair, report: Report) -> tuple[Labels, Labels, str]:
        truth, image = read_truth(pair), read_input(pair.image)
        found = segment_image(image, predict, settings, report)
        return found.labels, truth, label_axes(image.axes)

    return [Case(pair.name, partial(read, pair)) for pair in find_pairs(data)]


def score_cases(
    cases: Iterable[Case],
    progress: Callable[[Case, Progress], None],
    *,
    each_plane: bool = False,
    done: Callable[[Case, Comparison], None] = lambda case, comparison: None,
) -> Iterator[ImageScore]:
    """Score image after image; one that fails does not stop the others.

    Parameters
    ----------
    cases : iterable of Case
        The images.
    progress : callable
        Called as a network goes on with one of them.
    each_plane : bool
        Take every plane for itself, instead of volumes along Z; frames are so in any case.
    done : callable, optional
        Called with what came of each image.
    """
    for case in cases:
        try:
            found, truth, axes = case.read(partial(progress, case))
            depth = None if each_plane else depth_axis(axes, found.shape)
            comparison = finish(compare(found, truth, depth))
            done(case, comparison)
            yield ImageScore(case.name, comparison.scores, n_by_kind(comparison.findings))
        # As for segmenting: whatever one file does, the next may be fine.
        except Exception as error:
            yield ImageScore(case.name, error=error)


def pool(rows: Iterable[ImageScore]) -> Scores:
    """Return the scores over the nuclei of all images that have scores."""
    return sum((row.scores for row in rows if row.scores is not None), start=Scores())


def pool_kinds(rows: Iterable[ImageScore]) -> dict[Kind, int]:
    """Return the nuclei of all images by kind."""
    counts: Counter[Kind] = Counter()
    for row in rows:
        counts.update(row.kinds)
    return {kind: counts[kind] for kind in Kind}


def facts(scores: Scores) -> dict[str, Any]:
    """Return scores as JSON holds them."""
    names = ("n_predicted", "n_truth", "ap50", "ap75", "mean_ap", "mean_ap_95", "f1", "pq", "dice")
    return {name: getattr(scores, name) for name in (*names, "precision", "recall")} | {
        "ap": {f"{iou:.2f}": ap for iou, ap in zip(scores.thresholds, scores.ap, strict=True)}
    }
