"""Accuracy on images with true labels, one table per kind of image.

    python benchmarks/accuracy.py DATA [--model nuclei] [--diameter own|estimated|true]

DATA holds ``images/`` and ``labels/`` with files of the same stem, or the 2018 Data Science
Bowl's ``<id>/images`` and ``<id>/masks``. A table ``index.csv`` in DATA or beside it, with the
columns ``id`` and ``kind``, splits the images by kind.

Every row is scored on the same images: what the step before it lacks is seen in one look.
AP is TP / (TP + FP + FN) at an IoU threshold; "pooled" counts the nuclei of all images
together, with a 95 % interval of 1,000 bootstrap samples of the images; "per image" is the mean.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2gray
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed

from napari_unet.api import model_settings
from napari_unet.learning.datasets import find_pairs, read_pair
from napari_unet.learning.targets import median_diameter
from napari_unet.network.library import load_model
from napari_unet.network.model import Model
from napari_unet.nuclei.metrics import Scores, evaluate
from napari_unet.segmentation import finish, label_maps, segment

Labels = NDArray[np.int32]
N_BOOTSTRAP = 1000
SEEDS = {
    "none": "U-Net, components",
    "border": "U-Net, border seeds",
    "distance": "U-Net, distance seeds",
    "both": "U-Net, both seeds",
}


@dataclass(frozen=True)
class Case:
    """One image with its truth."""

    name: str
    kind: str
    pixels: NDArray[np.generic]
    truth: Labels

    @property
    def axes(self) -> str:
        return "YXS" if self.pixels.ndim == 3 else "YX"


def read_cases(data: Path) -> Iterator[Case]:
    kinds = read_kinds(data)
    for pair in find_pairs(data):
        image = read_pair(pair)
        for pixels, truth in zip(image.planes, image.labels, strict=True):
            yield Case(pair.name, kinds.get(pair.name, "images"), pixels, truth)


def read_kinds(data: Path) -> dict[str, str]:
    for table in (data / "index.csv", data.parent / "index.csv"):
        if table.exists():
            with table.open(newline="", encoding="utf-8") as file:
                return {row["id"]: row["kind"] for row in csv.DictReader(file)}
    return {}


def otsu_and_watershed(case: Case) -> Labels:
    """Otsu's threshold, split by a watershed of the distance: the textbook without learning."""
    grey = rgb2gray(case.pixels[..., :3]) if case.pixels.ndim == 3 else case.pixels
    smooth = gaussian(grey, 1)
    inside = smooth > threshold_otsu(smooth)
    inside = ~inside if inside.mean() > 0.5 else inside
    distance = gaussian(ndimage.distance_transform_edt(inside), 1)
    peaks = peak_local_max(distance, min_distance=5, labels=ndimage.label(inside)[0])
    seeds = np.zeros(inside.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-distance, seeds, mask=inside), np.int32)


def network_rows(case: Case, model: Model, diameter: str) -> dict[str, Labels]:
    """Label one image by the network, with and without each way of telling nuclei apart."""
    wanted = {"own": model.card.diameter, "true": median_diameter(case.truth), "estimated": None}
    settings = model_settings(model, diameter=wanted[diameter])
    ours = finish(segment(case.pixels, case.axes, model.predict, settings))
    rows = {}
    for seeds, name in SEEDS.items():
        alone = replace(settings, instances=replace(settings.instances, seeds=seeds))
        ours_too = " (the model's own)" if seeds == settings.instances.seeds else ""
        rows[name + ours_too] = finish(label_maps(ours.maps, case.axes, alone))
    return rows


def score(cases: list[Case], rows: Callable[[Case], dict[str, Labels]]) -> dict[str, list[Scores]]:
    scores: dict[str, list[Scores]] = {}
    for case in cases:
        for name, labels in rows(case).items():
            scores.setdefault(name, []).append(evaluate(labels, case.truth))
    return scores


def interval(scores: list[Scores], figure: Callable[[Scores], float]) -> tuple[float, float]:
    """Give the 95 % bootstrap interval of a pooled figure; images are drawn, not nuclei."""
    random = np.random.default_rng(0)
    draws = random.integers(0, len(scores), (N_BOOTSTRAP, len(scores)))
    pooled = [figure(sum((scores[i] for i in draw), start=Scores())) for draw in draws]
    low, high = np.percentile(pooled, [2.5, 97.5])
    return float(low), float(high)


def print_table(kind: str, scores: dict[str, list[Scores]]) -> None:
    n_images = len(next(iter(scores.values())))
    print(f"\n{kind}, {n_images} images\n")
    print("| method | AP50 | 95 % | AP75 | mean .5:.9 | F1 | PQ | AP50 per image |")
    print("|---|---|---|---|---|---|---|---|")
    for name, rows in scores.items():
        pooled = sum(rows, start=Scores())
        low, high = interval(rows, lambda s: s.ap50)
        figures = (pooled.ap75, pooled.mean_ap, pooled.f1, pooled.pq)
        rest = " | ".join(f"{figure:.3f}" for figure in figures)
        per_image = np.mean([row.ap50 for row in rows])
        ends = f"{low:.3f} to {high:.3f}"
        print(f"| {name} | {pooled.ap50:.3f} | {ends} | {rest} | {per_image:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--diameter", choices=("own", "estimated", "true"), default="estimated")
    options = parser.parse_args()
    model = load_model(options.model, options.device)
    cases = list(read_cases(options.data))
    print(f"model {model.card.name} {model.sha256[:12]}, diameter {options.diameter}")
    rows = {
        case.name: {
            "Otsu, watershed": otsu_and_watershed(case),
            **network_rows(case, model, options.diameter),
        }
        for case in cases
    }
    kinds = sorted({case.kind for case in cases})
    for kind in [*kinds, *(["all"] if len(kinds) > 1 else [])]:
        chosen = [case for case in cases if kind in ("all", case.kind)]
        print_table(kind, score(chosen, lambda case: rows[case.name]))


if __name__ == "__main__":
    main()
