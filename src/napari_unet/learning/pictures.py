"""Pictures of a training run: its curves, and a page of validation images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from napari_unet.images.atomic import overwriting
from napari_unet.learning.fit import STEPS_OF_LOSS
from napari_unet.learning.history import Row
from napari_unet.nuclei.metrics import overlaps

LARGEST_SIDE = 256  # px of an image that are shown
LONGEST_NAME = 32  # characters
MATCH = 0.5  # IoU from which a nucleus counts as found
# Two colours that stand apart for colour-blind eyes, on black, grey and stained images.
FOUND, WRONG = (0.0, 0.85, 0.95), (1.0, 0.35, 0.0)
LEGEND = (
    (f"true and predicted outlines agree (IoU {MATCH} or more)", FOUND),
    ("missed nucleus, or predicted where there is none", WRONG),
)
SMALL: dict[str, Any] = {"fontsize": 8, "loc": "left", "parse_math": False}
DOTS_PER_INCH = 120


@dataclass(frozen=True)
class Example:
    """A validation image for the page.

    Parameters
    ----------
    name : str
        Of the image.
    pixels : (3, y, x) float32
        Normalised intensities; shown from 0 to 1.
    truth, predicted : (y, x) int
        Labels.
    """

    name: str
    pixels: NDArray[np.float32]
    truth: NDArray[np.integer]
    predicted: NDArray[np.integer]


def draw_curves(rows: Sequence[Row], title: str, score_name: str) -> Figure:
    """Return training loss and validation score over the steps, the best score marked.

    Parameters
    ----------
    rows : sequence of Row
        The history of the run.
    title, score_name : str
        What stands above, and beside the scores.
    """
    figure = Figure(figsize=(7, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot([row.step for row in rows], [row.loss for row in rows], color="tab:gray")
    figure.suptitle(title, parse_math=False)
    above.set_title(f"Training loss, the mean over {STEPS_OF_LOSS} steps: lower is better", **SMALL)
    above.set_ylabel("loss")
    scored = [(row.step, row.score) for row in rows if row.score is not None]
    below.plot(*_columns(scored), "o-", color="tab:blue", markersize=4)
    if scored:
        step, score = max(scored, key=lambda each: each[1])
        label = f"best: {score:.3f}, the model that is kept"
        below.plot([step], [score], "*", color="tab:orange", markersize=14, label=label)
        below.legend(loc="best")
    below.set_title(f"Validation score, {score_name}: higher is better", **SMALL)
    below.set_ylabel("score")
    below.set_xlabel("training steps")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return figure


def draw_examples(examples: Sequence[Example], seed: int) -> Figure:
    """Return a page with a row for each image: the image, its true and its predicted nuclei.

    Nuclei that agree, with an IoU of at least 0.5, are outlined in one colour, those that were
    missed or do not exist in another. Of a large image a part is shown, around a nucleus.

    Parameters
    ----------
    examples : sequence of Example
        At least one.
    seed : int
        Of the choice of the part that is shown.
    """
    random = np.random.default_rng(seed)
    figure = Figure(figsize=(9, 3.3 * len(examples) + 0.5), layout="constrained")
    places = figure.subplots(len(examples), 3, squeeze=False)
    for row, example in zip(places, examples, strict=True):
        _draw_example(row, example, random)
    for text, colour in LEGEND:
        places[0, 0].plot([], [], color=colour, linewidth=3, label=text)
    handles, texts = places[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside upper center", ncols=2, frameon=False)
    return figure


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with overwriting(path) as temporary, warnings.catch_warnings():
        # Names of files are in all scripts of the world, the font is not.
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(temporary, dpi=DOTS_PER_INCH)


def _columns(pairs: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def _draw_example(places: NDArray[Any], example: Example, random: np.random.Generator) -> None:
    """Draw one row of the page."""
    shown = _part(example.truth, random)
    pixels = np.clip(example.pixels[:, *shown], 0, 1).transpose(1, 2, 0)
    found_truth, found_predicted = agreeing(example.predicted, example.truth)
    layers = ((example.truth, found_truth), (example.predicted, found_predicted))
    places[0].imshow(pixels)
    for place, (labels, found) in zip(places[1:], layers, strict=True):
        place.imshow(outlined(pixels, labels[shown], found))
    n_truth, n_predicted = (len(np.unique(labels[labels > 0])) for labels, _ in layers)
    is_part = pixels.shape[:2] != example.truth.shape
    part, whole = (" (part)", " (whole image)") if is_part else ("", "")
    titles = (
        _short(example.name) + part,
        f"truth: {len(found_truth)} of {n_truth} nuclei found{whole}",
        f"prediction: {len(found_predicted)} of {n_predicted} nuclei right{whole}",
    )
    for place, title in zip(places, titles, strict=True):
        place.set_title(title, **SMALL)
        place.set_axis_off()


def agreeing(
    predicted: NDArray[np.integer], truth: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return the labels of the true and of the predicted nuclei that agree, IoU 0.5 or more.

    Examples
    --------
    >>> agreeing(np.array([7, 7, 0, 9]), np.array([3, 3, 4, 0]))
    (array([3]), array([7]))
    """
    iou = overlaps(predicted, truth).tocoo()
    good = iou.data >= MATCH
    true_ids, predicted_ids = (np.unique(labels[labels > 0]) for labels in (truth, predicted))
    return true_ids[np.unique(iou.col[good])], predicted_ids[np.unique(iou.row[good])]


def outlined(
    pixels: NDArray[np.floating], labels: NDArray[np.integer], found: NDArray[np.integer]
) -> NDArray[np.floating]:
    """Return an image with its nuclei outlined, the found ones in another colour than the rest.

    Parameters
    ----------
    pixels : (y, x, 3) float
        In 0..1.
    labels : (y, x) int
        Of which the edge's inner pixels are coloured.
    found : (n,) int
        Labels of the nuclei that agree.
    """
    edges = find_boundaries(labels, mode="inner")
    right = edges & np.isin(labels, found)
    drawn = pixels.copy()
    drawn[edges] = WRONG
    drawn[right] = FOUND
    return drawn


def _part(labels: NDArray[np.integer], random: np.random.Generator) -> tuple[slice, slice]:
    """Return a part of an image that is small enough to see its nuclei, around one of them."""
    centre = random.choice(np.argwhere(labels > 0)) if labels.any() else (0, 0)
    starts = [
        int(np.clip(middle - LARGEST_SIDE // 2, 0, max(0, side - LARGEST_SIDE)))
        for middle, side in zip(centre, labels.shape, strict=True)
    ]
    first, second = (slice(start, start + LARGEST_SIDE) for start in starts)
    return first, second


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
