"""Nuclei of stacks: AP50 and AP75 by the link of planes and the views of the network.

python benchmarks/volumes.py [--model nuclei] [--looks touching embryo] [--links volume overlap]
    [--seeds 4 5] [--told none] [--stack IMAGE LABELS]

The diameter of the nuclei is estimated, and the anisotropy where it is not known. A look is taken
if its name begins with one that is given.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.api import model_settings
from napari_unet.images.files import read_image, read_labels
from napari_unet.images.spacing import anisotropy
from napari_unet.images.synthetic import SyntheticSettings, nuclei_stack
from napari_unet.network.library import load_model
from napari_unet.network.model import Model
from napari_unet.nuclei.metrics import evaluate
from napari_unet.segmentation import VIEWS, finish, label_maps, predict_maps, with_sizes


@dataclass(frozen=True)
class Look:
    """A generated stack; ``empty`` planes without nuclei lie below and above it."""

    shape: tuple[int, int, int]
    n: int
    diameter: float
    anisotropy: float
    empty: int = 0
    settings: SyntheticSettings = field(default_factory=SyntheticSettings)


TOUCHING = SyntheticSettings(touching=0.9, elongation=2.5)
LOOKS = {
    "touching, 1": Look((64, 160, 160), 190, 18.0, 1.0, settings=TOUCHING),
    "touching, 2": Look((32, 160, 160), 190, 18.0, 2.0, settings=TOUCHING),
    "touching, 5": Look((13, 160, 160), 190, 18.0, 5.0, settings=TOUCHING),
    "fading, 2": Look(
        (32, 160, 160), 150, 18.0, 2.0, settings=replace(TOUCHING, fading=0.9, contrast=3.0)
    ),
    "embryo, 10": Look(
        (24, 320, 320), 45, 44.0, 10.0, empty=6,
        settings=SyntheticSettings(
            touching=0.3, elongation=6.0, blur=1.5, photons=40, contrast=3.0, fading=0.6,
            brightness_spread=0.6,
        ),
    ),
    "few large cells, 5": Look(
        (10, 320, 320), 22, 60.0, 5.0,
        settings=SyntheticSettings(
            touching=0.4, elongation=4.0, blur=1.5, photons=60, texture=0.5, contrast=4.0
        ),
    ),
}  # fmt: skip


def stack_of(look: Look, seed: int) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Return image and labels, with the empty planes as noise of the background."""
    image, labels = nuclei_stack(
        look.shape, look.n, look.diameter, look.anisotropy, seed, look.settings
    )
    if not look.empty:
        return image, labels
    shape = (look.empty, *look.shape[1:])
    nothing = nuclei_stack(shape, 0, look.diameter, look.anisotropy, seed, look.settings)[0]
    around = ((look.empty, look.empty), (0, 0), (0, 0))
    return np.concatenate([nothing, image, nothing]), np.pad(labels, around)


def share_touching(labels: NDArray[np.int32]) -> float:
    """Return the share of nuclei that another one shares a face of a voxel with."""
    touching = set()
    for axis in range(3):
        ahead = np.moveaxis(labels, axis, 0)
        pairs = (ahead[1:] != ahead[:-1]) & (ahead[1:] > 0) & (ahead[:-1] > 0)
        touching |= {*np.unique(ahead[1:][pairs]), *np.unique(ahead[:-1][pairs])}
    return len(touching) / max(1, np.count_nonzero(np.unique(labels)))


Case = tuple[str, NDArray[Any], NDArray[np.int32], float | None]


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Give name, image, labels and anisotropy, None if that is not known, of all stacks."""
    for name, look in LOOKS.items():
        if name.startswith(tuple(options.looks)):
            for seed in options.seeds:
                told = {"true": look.anisotropy, "none": None}
                distance = told.get(options.told, options.told)
                yield name, *stack_of(look, seed), None if distance is None else float(distance)
    if options.stack:
        image = read_image(options.stack[0])
        distance = anisotropy(image.scale, image.units)
        yield options.stack[0].name, image.data, read_labels(options.stack[1]), distance


def scored(case: Case, model: Model, links: list[str]) -> dict[tuple[str, str], list[float]]:
    """Return AP50, AP75 and seconds by views and link; the maps of a view are made once."""
    _, image, truth, distance = case
    found = {}
    settings = model_settings(model, anisotropy=distance)
    settings = finish(with_sizes(image, "ZYX", model.predict, settings))
    for views in VIEWS:
        settings = replace(settings, views=views)
        started = time.process_time()
        maps = finish(predict_maps(image, "ZYX", model.predict, settings))
        network = time.process_time() - started
        for link in links:
            started = time.process_time()
            labels = finish(label_maps(maps, "ZYX", replace(settings, link=link)))
            seconds = network + time.process_time() - started
            scores = evaluate(labels, truth)
            found[views, link] = [scores.ap50, scores.ap75, seconds]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--looks", nargs="*", default=[""])
    parser.add_argument("--links", nargs="+", default=["volume", "overlap", "none"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[4, 5])
    parser.add_argument("--told", default="true", help="anisotropy: true, none or a number")
    parser.add_argument("--stack", type=Path, nargs=2, metavar=("IMAGE", "LABELS"))
    options = parser.parse_args()
    model = load_model(options.model)
    columns = [(views, link) for views in VIEWS for link in options.links]
    heads = [f"{link}, {views}" for views, link in columns]
    print("AP50 / AP75 / seconds of processor time, means over the seeds")
    print("| stack, anisotropy | nuclei | touching |", " | ".join(heads), "|")
    print("|---" * (3 + len(columns)) + "|")
    results: dict[str, list[tuple[int, float, dict[tuple[str, str], list[float]]]]] = {}
    for case in cases(options):
        n_nuclei = np.count_nonzero(np.unique(case[2]))
        scores = scored(case, model, options.links)
        results.setdefault(case[0], []).append((n_nuclei, share_touching(case[2]), scores))
    for name, runs in results.items():
        cells = [np.mean([run[2][column] for run in runs], axis=0) for column in columns]
        shown = [f"{ap50:.3f} / {ap75:.3f} / {seconds:.1f}" for ap50, ap75, seconds in cells]
        n_nuclei, touching = sum(run[0] for run in runs), np.mean([run[1] for run in runs])
        print(f"| {name} | {n_nuclei} | {touching:.0%} |", " | ".join(shown), "|", flush=True)


if __name__ == "__main__":
    main()
