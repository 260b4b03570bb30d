"""Accuracy on images with true labels, one table per kind of image.

    python benchmarks/accuracy.py DATA [--model nuclei] [--diameter own|estimated|true]
        [--train FOLDER] [--zoom 0.5 1 2]

DATA holds ``images/`` and ``labels/`` with files of the same stem, or the 2018 Data Science
Bowl's ``<id>/images`` and ``<id>/masks``. A table ``index.csv`` in DATA or beside it, with the
columns ``id`` and ``kind``, splits the images by kind.

Every row is scored on the same images: what the step before it lacks is seen in one look.
AP is TP / (TP + FP + FN) at an IoU threshold; "pooled" counts the nuclei of all images
together, with a 95 % interval of 1,000 bootstrap samples of the images; "per image" is the mean.

``--train`` adds a random forest on pixel features, trained on images of another folder of the
same layout; it needs ``pip install ".[bench]"``. ``--zoom`` adds tables of how well images that
were resampled by these factors are segmented, when nothing but the pixels is given.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from baselines import (
    Forests,
    Labels,
    forest_and_components,
    otsu_and_watershed,
    sort_of,
    train_forests,
)
from numpy.typing import NDArray

from napari_unet.api import model_settings
from napari_unet.images.planes import zoomed
from napari_unet.learning.datasets import find_pairs, read_pair
from napari_unet.learning.targets import median_diameter
from napari_unet.network.library import load_model
from napari_unet.network.model import Model
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.nuclei.metrics import Scores, evaluate
from napari_unet.segmentation import finish, label_maps, segment

Row = dict[str, Scores]
N_BOOTSTRAP = 1000
LARGEST_WHOLE_ZOOM = 2.0  # images are cropped before they are resampled by more
CROPPED_SIDE = 256  # px
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


def network_rows(case: Case, model: Model, diameter: str) -> dict[str, Labels]:
    """Label one image by the network, with and without each way of telling nuclei apart."""
    wanted = {"own": model.card.diameter, "true": median_diameter(case.truth), "estimated": None}
    settings = model_settings(model, diameter=wanted[diameter])
    ours = finish(segment(case.pixels, case.axes, model.predict, settings))
    rows: dict[str, Labels] = {}
    for seeds, name in SEEDS.items():
        is_own = seeds == settings.instances.seeds
        # The thresholds that suit the model's own way need not suit another.
        alone = settings.instances if is_own else InstanceSettings(seeds=seeds)
        labels = finish(label_maps(ours.maps, case.axes, replace(settings, instances=alone)))
        rows[f"{name} (the model's own)" if is_own else name] = labels
    best = replace(settings, quality="best", diameter=ours.diameter)
    walk = segment(case.pixels, case.axes, model.predict, best)
    rows["U-Net, best quality"] = finish(walk).labels
    return rows


def method_row(case: Case, model: Model, diameter: str, forests: Forests) -> Row:
    """Score every method on one image."""
    labels = {"Otsu, watershed": otsu_and_watershed(case.pixels)}
    if forests:
        labels["random forest, components"] = forest_and_components(case.pixels, forests)
    labels |= network_rows(case, model, diameter)
    return {name: evaluate(found, case.truth) for name, found in labels.items()}


def zoom_row(case: Case, model: Model, zooms: list[float]) -> Row:
    """Score the network on one image at several scales, always at the image's own size."""
    row = {}
    for zoom in zooms:
        part = cropped(case) if zoom > LARGEST_WHOLE_ZOOM else case
        channels = part.pixels.reshape(*part.truth.shape, -1).transpose(2, 0, 1)
        pixels = zoomed(channels.astype(np.float32), zoom).transpose(1, 2, 0)
        pixels = pixels.reshape(*pixels.shape[:2], *part.pixels.shape[2:])
        walk = segment(pixels, part.axes, model.predict, model_settings(model))
        row[f"{zoom:g}"] = evaluate(at_size(finish(walk).labels, part.truth.shape), part.truth)
    return row


def cropped(case: Case) -> Case:
    """Give the middle of an image."""
    starts = [max(0, (n - CROPPED_SIDE) // 2) for n in case.truth.shape]
    part = tuple(slice(start, start + CROPPED_SIDE) for start in starts)
    return replace(case, pixels=case.pixels[part], truth=case.truth[part])


def at_size(labels: Labels, shape: tuple[int, ...]) -> Labels:
    """Give labels at another size; each pixel takes the label that is nearest to its middle."""
    places = [(np.arange(n) + 0.5) * m // n for n, m in zip(shape, labels.shape, strict=True)]
    return labels[np.ix_(*(place.astype(np.intp) for place in places))]


def gathered(kind: str, cases: list[Case], rows: list[Row]) -> dict[str, list[Scores]]:
    """Give the scores of all images of a kind, method by method."""
    chosen = [row for case, row in zip(cases, rows, strict=True) if kind in ("all", case.kind)]
    return {name: [row[name] for row in chosen] for name in chosen[0]}


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


def print_zooms(kind: str, scores: dict[str, list[Scores]]) -> None:
    n_images = len(next(iter(scores.values())))
    is_cropped = any(float(zoom) > LARGEST_WHOLE_ZOOM for zoom in scores)
    note = f"; above {LARGEST_WHOLE_ZOOM:g} their middle {CROPPED_SIDE} px" if is_cropped else ""
    print(f"\n{kind}, {n_images} images resampled by a factor{note}\n")
    print("| factor | AP50 | AP75 | mean .5:.9 |")
    print("|---|---|---|---|")
    for zoom, rows in scores.items():
        pooled = sum(rows, start=Scores())
        print(f"| {zoom} | {pooled.ap50:.3f} | {pooled.ap75:.3f} | {pooled.mean_ap:.3f} |")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--diameter", choices=("own", "estimated", "true"), default="estimated")
    parser.add_argument("--train", type=Path, help="images and labels for a random forest")
    parser.add_argument("--zoom", type=float, nargs="+", default=[], help="factors, such as 0.5 2")
    return parser.parse_args()


def forests_for(cases: list[Case], folder: Path | None) -> Forests:
    """Train what the images need, if there is a folder to train on."""
    forests = train_forests(folder) if folder else {}
    missing = {sort_of(case.pixels) for case in cases} - set(forests)
    if folder and missing:
        raise ValueError(
            f"Expected {min(missing)} images in {str(folder)!r} too, got none; add some, or leave "
            "--train out."
        )
    return forests


def main() -> None:
    options = read_options()
    model = load_model(options.model, options.device)
    cases = list(read_cases(options.data))
    forests = forests_for(cases, options.train)
    print(f"model {model.card.name} {model.sha256[:12]}, diameter {options.diameter}")
    kinds = sorted({case.kind for case in cases})
    kinds += ["all"] if len(kinds) > 1 else []
    rows = [method_row(case, model, options.diameter, forests) for case in cases]
    for kind in kinds:
        print_table(kind, gathered(kind, cases, rows))
    if options.zoom:
        rows = [zoom_row(case, model, options.zoom) for case in cases]
        for kind in kinds:
            print_zooms(kind, gathered(kind, cases, rows))


if __name__ == "__main__":
    main()
