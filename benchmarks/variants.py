"""The networks of the U-Net's family, each trained for the same time on the same data.

    python benchmarks/variants.py DATA VALIDATION --minutes 20 -o FOLDER [--variants unet dense]

DATA and VALIDATION hold ``images/`` and ``labels/`` as for ``napari-unet train``. Every variant
has the same filters, recipe and seed, and all ends with the time: a slower network sees fewer
crops. FOLDER keeps each model; one that is there is not trained again, and a run that was
stopped goes on from its checkpoint.

"Crops seen" are those up to the model kept, the best on VALIDATION; the scores are pooled over
the nuclei of all its images, at their own scale. Mpx/s is the median of five predictions of a
plane of 1024x1024 pixels, taken in turn over the variants.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_unet.learning.recipe import Recipe
from napari_unet.learning.runs import TrainingRun, prepare_run
from napari_unet.learning.train import score_scenes, train
from napari_unet.network import SUFFIX, VARIANTS
from napari_unet.network.device import choose_device, describe_device
from napari_unet.network.model import Model, load_model_file
from napari_unet.network.unet import UNetConfig

SIDE, RUNS = 1024, 5
ENDLESS = 10**9  # steps: only the time ends a run
VALIDATIONS = 2  # they take from the same time, and of a short run most of it if there are many


def trained(run: TrainingRun) -> Model:
    """Train, unless the run's model is there and whole; return the model."""
    if not run.output.exists() or run.checkpoint.exists():
        for step in train(run, resume=run.checkpoint.exists()):
            if step.score is not None:
                print(f"{run.output.stem}: {step.fraction:.0%}, {step.score:.3f}", file=sys.stderr)
        run.checkpoint.unlink()
    model = load_model_file(run.output, run.device)
    minutes = model.card.training["recipe"]["minutes"]
    if minutes != run.recipe.minutes:
        sys.exit(f"{run.output} was trained for {minutes} minutes; choose another folder.")
    return model


def megapixels_per_second(models: dict[str, Model]) -> dict[str, float]:
    plane = np.random.default_rng(0).random((3, SIDE, SIDE), np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    # In turn, so that whatever else the computer does slows all alike; the first warms up.
    for _ in range(1 + RUNS):
        for name, model in models.items():
            started = time.perf_counter()
            model.predict(plane)
            seconds[name].append(time.perf_counter() - started)
    return {name: SIDE**2 / 1e6 / statistics.median(each[1:]) for name, each in seconds.items()}


def print_table(models: dict[str, Model], run: TrainingRun) -> None:
    rates = megapixels_per_second(models)
    print("| variant | parameters | Mpx/s | crops seen | AP50 | AP75 | mean .5:.9 |")
    print("|---|---|---|---|---|---|---|")
    for name, model in models.items():
        n = sum(parameter.numel() for parameter in model.network.parameters())
        crops = model.card.training["crops"]
        scores = score_scenes(model, run.scenes, run.instances)
        figures = " | ".join(f"{f:.3f}" for f in (scores.ap50, scores.ap75, scores.mean_ap))
        print(f"| {name} | {n:,} | {rates[name]:.1f} | {crops:,} | {figures} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("validation", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(
        minutes=options.minutes, steps=ENDLESS, seed=options.seed, validations=VALIDATIONS
    )
    run = prepare_run(
        options.data,
        options.output / f"any{SUFFIX}",
        validation=options.validation,
        recipe=recipe,
        device=options.device,
    )
    models = {}
    for name in options.variants:
        own = replace(
            run, config=UNetConfig(variant=name), output=options.output / f"{name}{SUFFIX}"
        )
        models[name] = trained(own)
    device = describe_device(choose_device(options.device))
    print(f"{options.minutes:g} minutes each, seed {options.seed}, {device}\n")
    print_table(models, run)


if __name__ == "__main__":
    main()
