"""What fine-tuning brings a user who corrects k nuclei, and what it costs elsewhere.

    python benchmarks/finetune.py DATA --corrected 3 [--kind histology] [--relief 0.3] [--old VAL]

DATA holds ``images/`` and ``labels/``, with a table ``index.csv`` (id, kind) in it or beside it if
`--kind` is given. The first images, in a random order, are corrected, the others are scored.

Nuclei that the model has wrong (no label of it overlaps them by an IoU of .5) are painted as in
the truth, on the model's own labels; whatever lay mostly under them is erased. Nothing else is
confirmed. "all" paints the whole truth and confirms it. OLD holds images on which the model must
not get worse; they are scored at the diameters that the model estimated before. `--relief` makes
images of a kind that the model has never seen: scaled by a factor, and lit from one side as by
differential interference contrast.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
from accuracy import Case, read_cases
from numpy.typing import NDArray
from scipy import ndimage

from napari_unet.api import model_settings
from napari_unet.learning.corrections import Corrections, corrections
from napari_unet.learning.crops import Crop, correction_crops
from napari_unet.learning.finetune import FineTune, FineTuneSettings, FineTuning
from napari_unet.network.library import load_model
from napari_unet.network.model import Model
from napari_unet.nuclei.metrics import Scores, evaluate, overlaps
from napari_unet.segmentation import Segmentation, finish, segment

Labels = NDArray[np.int32]
COUNTS = (1, 2, 5, 10, 20, 50)
HEADER = (
    "nuclei", "draw", "gain", "kept", "share", "old", "corrected", "same", "steps", "s", "objection"
)  # fmt: skip


@dataclass(frozen=True)
class Corrected:
    """An image to correct, and what the model made of it."""

    case: Case
    result: Segmentation

    def wrong(self) -> list[int]:
        """Give the true nuclei that the model has not found."""
        iou = overlaps(self.result.labels, self.case.truth)
        best = iou.max(axis=0).toarray() if iou.shape[0] else np.zeros(iou.shape[1])
        return [int(i) for i in np.unique(self.case.truth[self.case.truth > 0])[best < 0.5]]

    def painted(self, nuclei: list[int]) -> Corrections:
        """Give the corrections of a user who paints some nuclei."""
        edited = self.result.labels.copy()
        highest = edited.max()
        area = np.isin(self.case.truth, nuclei)
        sizes, covered = (
            np.bincount(part.ravel(), minlength=edited.max() + 1) for part in (edited, edited[area])
        )
        edited[np.isin(edited, np.flatnonzero(2 * covered > sizes))] = 0
        edited[area] = self.case.truth[area] + highest
        return corrections(self.result.labels, edited)

    def crops(self, known: Corrections, model: Model) -> list[Crop]:
        return correction_crops(
            self.case.pixels,
            self.case.axes,
            known,
            diameter=self.result.diameter,
            normalisation=model.card.normalisation,
            source=self.case.name,
        )


def relief(case: Case, zoom: float) -> Case:
    """Give an image of one channel scaled, and lit from one side."""
    rows, columns = (np.arange(round(zoom * n)) / zoom for n in case.truth.shape)
    truth = case.truth[np.ix_(rows.astype(int), columns.astype(int))]
    small = ndimage.zoom(ndimage.gaussian_filter(case.pixels.astype(float), 0.4 / zoom), zoom)
    height = ndimage.gaussian_filter(np.log1p(small.clip(0)), 1.2)
    light = ndimage.sobel(height, 0) + ndimage.sobel(height, 1)
    light /= np.percentile(np.abs(light), 99.5)
    light += np.random.default_rng(0).normal(0, 0.08, light.shape)
    return replace(case, pixels=(127 + 100 * light).clip(0, 255).astype(np.uint8), truth=truth)


def run_model(model: Model, case: Case, diameter: float | None = None) -> Segmentation:
    settings = model_settings(model, diameter=diameter)
    return finish(segment(case.pixels, case.axes, model.predict, settings))


@dataclass(frozen=True)
class Scored:
    """Images to score, with their diameters as the parent estimated them, or None for anew."""

    cases: list[Case]
    diameters: list[float | None]

    def mean_ap(self, model: Model) -> float:
        pairs = zip(self.cases, self.diameters, strict=True)
        rows = (evaluate(run_model(model, c, d).labels, c.truth) for c, d in pairs)
        return sum(rows, Scores()).mean_ap


@dataclass(frozen=True)
class Row:
    """One fine-tune: how many nuclei were painted, what came of it, and what it cost."""

    count: str
    draw: int
    gain: float
    old: float
    tuned: FineTune
    seconds: float

    @property
    def kept_gain(self) -> float:
        """Of the model that the gate keeps: nothing where the parent stays."""
        return 0.0 if self.tuned.objection else self.gain

    def cells(self) -> tuple[object, ...]:
        before, after = self.tuned.before, self.tuned.after
        return (
            self.count,
            self.draw,
            f"{self.gain:+.3f}",
            f"{self.kept_gain:+.3f}",
            self.tuned.share,
            f"{self.old:+.3f}",
            f"{before.corrected:.2f} to {after.corrected:.2f}",
            f"{after.kept:.2f}",
            len(self.tuned.history),
            round(self.seconds),
            self.tuned.objection,
        )


def draws(
    images: list[Corrected], counts: tuple[int, ...], n: int
) -> Iterator[tuple[str, int, list[Corrections]]]:
    """Give what is painted: how many nuclei, the draw, and the corrections of every image.

    Counts of as many as are wrong, or more, are one and the same.
    """
    wrong = [(i, nucleus) for i, image in enumerate(images) for nucleus in image.wrong()]
    for count in [count for count in counts if count < len(wrong)]:
        for draw in range(n):
            order = np.random.default_rng(draw).permutation(len(wrong))[:count]
            yield str(count), draw, painted(images, [wrong[i] for i in order])
    if max(counts) >= len(wrong):
        yield f"{len(wrong)}, all that are wrong", 0, painted(images, wrong)
    everything = [
        corrections(image.result.labels, image.case.truth, np.ones(image.case.truth.shape, bool))
        for image in images
    ]
    yield "all, confirmed", 0, everything


def painted(images: list[Corrected], chosen: list[tuple[int, int]]) -> list[Corrections]:
    """Give the corrections of every image for some nuclei, each given by image and label."""
    return [
        image.painted([nucleus for j, nucleus in chosen if j == i])
        for i, image in enumerate(images)
    ]


def tune(model: Model, crops: list[Crop], seconds: float) -> tuple[FineTune, float]:
    started = time.monotonic()
    run = FineTuning(model, crops, FineTuneSettings(seconds=seconds))
    for _ in run.steps():
        pass
    return run.conclude(), time.monotonic() - started


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--corrected", type=int, default=3)
    parser.add_argument("--kind")
    parser.add_argument("--relief", type=float, help="factor that the images are scaled by")
    parser.add_argument("--old", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--seconds", type=float, default=FineTuneSettings.seconds)
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--draws", type=int, default=3)
    return parser.parse_args()


def read_old(model: Model, folder: Path | None) -> Scored:
    cases = [case for case in read_cases(folder) if case.kind == "fluorescence"] if folder else []
    return Scored(cases, [run_model(model, case).diameter for case in cases])


def rows(
    model: Model, images: list[Corrected], scored: Scored, old: Scored, options: argparse.Namespace
) -> Iterator[Row]:
    """Give one row after the other, and print each."""
    before, known = scored.mean_ap(model), old.mean_ap(model)
    print(
        f"before: mean AP {before:.3f} on {len(scored.cases)} images, {known:.3f} on the old ones"
    )
    print(
        "\n| nuclei | draw | gain | kept | share | old | corrected | same | steps | s | objection |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for count, draw, found in draws(images, tuple(options.counts), options.draws):
        pairs = zip(images, found, strict=True)
        crops = [crop for image, painted_ in pairs for crop in image.crops(painted_, model)]
        tuned, seconds = tune(model, crops, options.seconds)
        after = scored.mean_ap(tuned.model), old.mean_ap(tuned.model)
        row = Row(count, draw, after[0] - before, after[1] - known, tuned, seconds)
        print("| " + " | ".join(str(cell) for cell in row.cells()) + " |", flush=True)
        yield row


def print_summary(done: list[Row]) -> None:
    """Print the mean over the draws of each count, and its part of what all labels bring."""
    whole = done[-1].gain
    print("\n| nuclei | gain, mean | part of all | kept: mean, lowest | old, lowest | s, longest |")
    print("|---|---|---|---|---|---|")
    for count in dict.fromkeys(row.count for row in done):
        same = [row for row in done if row.count == count]
        gain, kept = fmean(row.gain for row in same), fmean(row.kept_gain for row in same)
        print(
            f"| {count} | {gain:+.3f} | {gain / whole:.0%} | {kept:+.3f}, "
            f"{min(row.kept_gain for row in same):+.3f} | {min(row.old for row in same):+.3f} | "
            f"{max(row.seconds for row in same):.0f} |"
        )


def main() -> None:
    options = read_options()
    model = load_model(options.model)
    cases = [case for case in read_cases(options.data) if options.kind in (None, case.kind)]
    cases = [cases[i] for i in np.random.default_rng(0).permutation(len(cases))]
    if options.relief:
        cases = [relief(case, options.relief) for case in cases]
    images = [Corrected(case, run_model(model, case)) for case in cases[: options.corrected]]
    rest = cases[options.corrected :]
    scored, old = Scored(rest, [None] * len(rest)), read_old(model, options.old)
    print_summary(list(rows(model, images, scored, old, options)))


if __name__ == "__main__":
    main()
