"""What fine-tuning brings a user who corrects k nuclei, and what it costs elsewhere.

    python benchmarks/finetune.py DATA --corrected 3 [--kind histology] [--old VAL]

DATA holds ``images/`` and ``labels/``, with a table ``index.csv`` (id, kind) in it or beside it if
`--kind` is given. The first images, in a random order, are corrected, the others are scored.

Nuclei that the model has wrong (no label of it overlaps them by an IoU of .5) are painted as in
the truth, on the model's own labels; whatever lay mostly under them is erased. Nothing else is
confirmed. `all` paints the whole truth and confirms it. OLD holds images on which the model must
not get worse.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accuracy import Case, read_cases
from numpy.typing import NDArray

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


def run_model(model: Model, case: Case) -> Segmentation:
    return finish(segment(case.pixels, case.axes, model.predict, model_settings(model)))


def score(model: Model, cases: list[Case]) -> Scores:
    return sum((evaluate(run_model(model, case).labels, case.truth) for case in cases), Scores())


def draws(
    images: list[Corrected], counts: tuple[int, ...], n: int
) -> Iterator[tuple[str, int, list[Corrections]]]:
    """Give what is painted: a name, the draw, and the corrections of every image."""
    wrong = [(i, nucleus) for i, image in enumerate(images) for nucleus in image.wrong()]
    for count in counts:
        for draw in range(n):
            order = np.random.default_rng(draw).permutation(len(wrong))[:count]
            chosen = [wrong[i] for i in order]
            name = (
                f"{len(chosen)}" if len(chosen) == count else f"{count} (only {len(chosen)} wrong)"
            )
            yield (
                name,
                draw,
                [
                    image.painted([nucleus for j, nucleus in chosen if j == i])
                    for i, image in enumerate(images)
                ],
            )
    everything = [
        corrections(image.result.labels, image.case.truth, np.ones(image.case.truth.shape, bool))
        for image in images
    ]
    yield "all", 0, everything


def tune(model: Model, crops: list[Crop], seconds: float) -> tuple[FineTune, float]:
    started = time.monotonic()
    run = FineTuning(model, crops, FineTuneSettings(seconds=seconds))
    for _ in run.steps():
        pass
    return run.conclude(), time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--corrected", type=int, default=3)
    parser.add_argument("--kind")
    parser.add_argument("--old", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--seconds", type=float, default=FineTuneSettings.seconds)
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args()
    model = load_model(options.model)
    cases = [case for case in read_cases(options.data) if options.kind in (None, case.kind)]
    cases = [cases[i] for i in np.random.default_rng(0).permutation(len(cases))]
    old = (
        [case for case in read_cases(options.old) if case.kind == "fluorescence"]
        if options.old
        else []
    )
    images = [Corrected(case, run_model(model, case)) for case in cases[: options.corrected]]
    scored = cases[options.corrected :]
    before, known = score(model, scored).mean_ap, score(model, old).mean_ap
    print(f"before: mean AP {before:.3f} on {len(scored)} images, {known:.3f} on the old ones\n")
    print("| nuclei | draw | mean AP | gain | share | old | corrected | kept | s | objection |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, draw, painted in draws(images, tuple(options.counts), options.draws):
        crops = [
            crop
            for image, known_ in zip(images, painted, strict=True)
            for crop in image.crops(known_, model)
        ]
        tuned, seconds = tune(model, crops, options.seconds)
        after = score(tuned.model, scored).mean_ap
        cells = (
            name,
            draw,
            f"{after:.3f}",
            f"{after - before:+.3f}",
            tuned.share,
            f"{score(tuned.model, old).mean_ap:.3f}",
            f"{tuned.before.corrected:.2f} to {tuned.after.corrected:.2f}",
            f"{tuned.after.kept:.2f}",
            round(seconds),
            tuned.objection,
        )
        print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
