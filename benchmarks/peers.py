"""Speed of a whole click against StarDist and Cellpose 3, on the CPU.

    python benchmarks/peers.py ENVIRONMENTS [--model nuclei --model nuclei-fast]

Each peer is installed into an environment of its own in the folder ENVIRONMENTS, if it is not there
yet. Whole processes are taken in turn, as many times as there are rounds; each gives the median of
its clicks after one that is not counted, and the table the median of the rounds. All see the same
synthetic field of nuclei, whose diameter is given.

No weights are fetched: the peers' networks have random ones, which take as long as trained ones.
What follows the network would take any time then, so that of StarDist only the prediction counts
(network of the shape of 2D_versatile_fluo), and Cellpose's masks (network of the shape of its
nuclei model) are made from the flows of the true labels. Ours is the whole click, with the
built-in model, or with each that `--model` names.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = {"stardist": ["stardist>=0.9", "tensorflow-cpu"], "cellpose": ["cellpose<4", "torch"]}
DIAMETER, DENSITY = 22.0, 7e-4  # px; nuclei per pixel
CELLPOSE_DIAMETER = 17.0  # px, of its nuclei model
FLOW_SCALE = 5.0  # its network gives flows of this length

Clock = Callable[[np.ndarray, np.ndarray], tuple[str, Callable[[], Any]]]


def ours(name: str, image: np.ndarray, labels: np.ndarray) -> tuple[str, Callable[[], Any]]:
    import napari_unet as nu

    model = nu.load_model(name)
    click = lambda: nu.segment(image, "YX", model=model, diameter=DIAMETER)  # noqa: E731
    return "image to labels", click


def stardist(image: np.ndarray, labels: np.ndarray) -> tuple[str, Callable[[], Any]]:
    from csbdeep.utils import normalize
    from stardist.models import Config2D, StarDist2D

    config = Config2D(n_rays=32, grid=(2, 2), n_channel_in=1)
    model = StarDist2D(config, name="random", basedir=tempfile.mkdtemp())
    return "normalising and network", lambda: model.predict(normalize(image, 1, 99.8))


def cellpose(image: np.ndarray, labels: np.ndarray) -> tuple[str, Callable[[], Any]]:
    import torch
    from cellpose import dynamics, models, transforms
    from cellpose.resnet_torch import CPnet

    file = Path(tempfile.mkdtemp()) / "random"
    CPnet([2, 32, 64, 128, 256], 3, 3, diam_mean=CELLPOSE_DIAMETER).save_model(str(file))
    model = models.CellposeModel(gpu=False, pretrained_model=str(file))
    side = round(len(labels) * CELLPOSE_DIAMETER / DIAMETER)
    small = transforms.resize_image(labels.astype(np.float32), side, side, interpolation=0)
    flows = dynamics.labels_to_flows([small.astype(np.int32)], device=torch.device("cpu"))[0]
    inside = 10 * (flows[1] > 0) - 5.0

    def click() -> None:
        model.eval(image, channels=[0, 0], diameter=DIAMETER, compute_masks=False)
        masks = dynamics.compute_masks(FLOW_SCALE * flows[2:], inside)
        transforms.resize_image(np.asarray(masks, np.float32), *image.shape, interpolation=0)

    return "image to labels, flows of the truth", click


PEERS: dict[str, Clock] = {"stardist": stardist, "cellpose": cellpose}


def clock(name: str, field: Path, clicks: int) -> None:
    """Print the seconds of clicks of a peer or a model in this process, and what is in them."""
    prepare = PEERS.get(name) or partial(ours, name)
    with np.load(field) as arrays:
        what, click = prepare(arrays["image"], arrays["labels"])
    click()
    seconds = []
    for _ in range(clicks):
        started = time.perf_counter()
        click()
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"what": what, "seconds": statistics.median(seconds)}))


def python_of(name: str, environments: Path) -> Path:
    """Give the Python of a peer's environment, made if it is not there; of a model this one."""
    if name not in PEERS:
        return Path(sys.executable)
    folder = environments / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "-qq", *PACKAGES[name]], check=True)
    return python


def timed(python: Path, name: str, field: Path, clicks: int) -> dict[str, Any]:
    """Run one process; what a library prints before the last line does not count."""
    command = [python, __file__, "--clock", name, "--field", field, "--clicks", str(clicks)]
    seen = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return dict(json.loads(seen.stdout.splitlines()[-1]))


def known_models(names: list[str] | None) -> list[str]:
    """Give the models to time, once it is known that there are such ones."""
    from napari_unet.network.library import BUILT_IN, load_model

    models = list(dict.fromkeys(names or [BUILT_IN]))
    for name in models:
        load_model(name, "cpu")
    return models


def compare(models: list[str], environments: Path, side: int, rounds: int, clicks: int) -> None:
    from napari_unet.images.synthetic import nuclei_field

    names = [*models, *PEERS]
    pythons = {name: python_of(name, environments) for name in names}
    image, labels = nuclei_field((side, side), n=round(DENSITY * side**2), diameter=DIAMETER)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        field = Path(folder) / "field.npz"
        np.savez(field, image=image, labels=labels)
        for _ in range(rounds):
            for name, python in pythons.items():
                found[name].append(timed(python, name, field, clicks))
    seconds = {name: statistics.median(row["seconds"] for row in found[name]) for name in found}
    heads = " | ".join(f"{model} is faster by" for model in models)
    print(f"{side}x{side} pixels\n\n| program | what | s | Mpx/s | {heads} |")
    print("|---" * (4 + len(models)) + "|")
    for name, each in seconds.items():
        what, rate = found[name][0]["what"], side**2 / 1e6 / each
        ratios = ["" if name == model else f"{each / seconds[model]:.1f}" for model in models]
        program = name if name in PEERS else f"napari-unet, {name}"
        print(f"| {program} | {what} | {each:.3f} | {rate:.2f} | {' | '.join(ratios)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("environments", type=Path, nargs="?")
    parser.add_argument("--model", action="append", help="name of one of ours; may be repeated")
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clicks", type=int, default=5)
    parser.add_argument("--clock", help=argparse.SUPPRESS)
    parser.add_argument("--field", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.clock:
        clock(options.clock, options.field, options.clicks)
    elif options.environments is None:
        parser.error("Expected a folder for the peers' environments; give one.")
    else:
        try:
            models = known_models(options.model)
        except ValueError as error:
            parser.error(str(error))
        compare(models, options.environments, options.side, options.rounds, options.clicks)


if __name__ == "__main__":
    main()
