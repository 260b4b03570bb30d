"""How well the network's confidence tells wrong nuclei from right ones.

    python benchmarks/confidence.py DATA [--model nuclei]

DATA and its ``index.csv`` are as for ``benchmarks/accuracy.py``. A nucleus is wrong if its IoU
with every true one is below 0.5. The figures are areas under the ROC curve of "wrong" by 1 -
confidence: 0.5 is chance, 1 puts every wrong nucleus before every right one. "all" takes the
nuclei of all images together; "per image" is the mean over images with nuclei of both sorts,
which is what a user who looks through one image sees. A second table says how many of the nuclei
below a confidence are wrong, which is where `nuclei/doubtful.py` has its limit from.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from accuracy import read_cases
from numpy.typing import NDArray
from scipy.stats import rankdata

from napari_unet.api import model_settings
from napari_unet.network.library import load_model
from napari_unet.network.model import Model
from napari_unet.nuclei.confidence import confidence
from napari_unet.nuclei.metrics import overlaps
from napari_unet.segmentation import Segmentation, finish, segment

Floats = NDArray[np.floating]


def inside(result: Segmentation) -> Floats:
    """Give the mean nucleus probability of each nucleus."""
    return confidence(result.maps[:1], result.labels)[1:]


def depth(result: Segmentation) -> Floats:
    """Give the highest distance within each nucleus."""
    return confidence(result.maps, result.labels)[1:] ** 2 / inside(result)


def outline(result: Segmentation) -> Floats:
    """Give the mean border probability along the outline of each nucleus.

    Of both pixels at a step from one label to another the higher; the rim of the image has none.
    """
    labels, border = result.labels, result.maps[1] / 255
    ids, values = [np.arange(labels.max() + 1)], [np.zeros(labels.max() + 1)]
    for axis in range(labels.ndim):
        a, b = _neighbours(labels, axis)
        higher = np.maximum(*_neighbours(border, axis))
        ids += [a[a != b], b[a != b]]
        values += [higher[a != b]] * 2
    every = np.concatenate(ids)
    sums = np.bincount(every, weights=np.concatenate(values))
    return (sums / np.maximum(np.bincount(every) - 1, 1))[1:]


def _neighbours(array: NDArray[np.generic], axis: int) -> tuple[NDArray, NDArray]:
    moved = np.moveaxis(array, axis, 0)
    return moved[:-1], moved[1:]


KEPT = "geometric mean of the first two (kept)"
LIMITS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)
CANDIDATES: dict[str, Callable[[Segmentation], Floats]] = {
    "mean nucleus probability": inside,
    "deepest pixel": depth,
    "border along the outline": outline,
    KEPT: lambda it: it.confidence[1:],
    "geometric mean of all three": lambda it: np.cbrt(inside(it) * depth(it) * outline(it)),
}


def wrong_nuclei(labels: NDArray[np.int32], truth: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell of each nucleus, in ascending order, whether it is no true one."""
    iou = overlaps(labels, truth)
    if iou.shape[1] == 0:
        return np.ones(iou.shape[0], bool)
    return np.asarray(iou.max(axis=1).todense()).reshape(-1) < 0.5


def area(confidences: Floats, wrong: NDArray[np.bool_]) -> float:
    """Give the area under the ROC curve, NaN where all or none are wrong.

    It is how often a right nucleus is surer than a wrong one (Hanley and McNeil 1982); ties count
    half.
    """
    if not has_both(wrong):
        return float("nan")
    n_wrong, n_right = np.count_nonzero(wrong), np.count_nonzero(~wrong)
    ranks = rankdata(-confidences)[wrong].sum() - n_wrong * (n_wrong + 1) / 2
    return float(ranks / (n_wrong * n_right))


def has_both(wrong: NDArray[np.bool_]) -> bool:
    return 0 < np.count_nonzero(wrong) < len(wrong)


def print_table(kinds: list[str], wrong: list[NDArray[np.bool_]], rows: dict[str, list]) -> None:
    names = ["all", *sorted(set(kinds))]
    print(
        "| confidence | " + " | ".join(names) + " | per image |\n|---|" + "---|" * (len(names) + 1)
    )
    for name, values in rows.items():
        figures = []
        for chosen in names:
            at = [i for i, kind in enumerate(kinds) if chosen in ("all", kind)]
            figures.append(
                area(*(np.concatenate([each[i] for i in at]) for each in (values, wrong)))
            )
        images = [area(v, w) for v, w in zip(values, wrong, strict=True) if has_both(w)]
        figures.append(float(np.mean(images)))
        print(f"| {name} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |")


def print_limits(wrong: NDArray[np.bool_], confidences: Floats) -> None:
    print(
        "\n| confidence below | nuclei | of them wrong | of all that are wrong |\n|---|---|---|---|"
    )
    for limit in LIMITS:
        below = wrong[confidences < limit]
        n = np.count_nonzero(below)
        shares = f"{n} ({n / max(len(below), 1):.0%}) | {n / np.count_nonzero(wrong):.0%}"
        print(f"| {limit:g} | {len(below)} | {shares} |")


def measured(data: Path, model: Model) -> tuple[list[str], list, dict[str, list]]:
    """Give the kind of every image, which of its nuclei are wrong, and how sure each is of them."""
    kinds, wrong = [], []
    rows: dict[str, list] = {name: [] for name in CANDIDATES}
    for case in read_cases(data):
        result = finish(segment(case.pixels, case.axes, model.predict, model_settings(model)))
        kinds.append(case.kind)
        wrong.append(wrong_nuclei(result.labels, case.truth))
        for name, candidate in CANDIDATES.items():
            rows[name].append(candidate(result))
    return kinds, wrong, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    kinds, wrong, rows = measured(options.data, load_model(options.model, options.device))
    every = np.concatenate(wrong)
    print(f"{len(kinds)} images, {len(every)} nuclei, {np.count_nonzero(every)} of them wrong\n")
    print_table(kinds, wrong, rows)
    print_limits(every, np.concatenate(rows[KEPT]))


if __name__ == "__main__":
    main()
