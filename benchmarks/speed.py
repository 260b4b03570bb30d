"""Speed of the whole click, from an image in memory to its labels, and of each step of it.

    python benchmarks/speed.py [--sizes 512 1024 2048] [--stack 30 1024] [--runs 5]
        [--model nuclei] [--device auto]

Synthetic fields of nuclei, those of more than 2048 pixels a side mirrored, and a stack of planes
(their number, their side) that are each a little shifted; the median of the runs after one that is
not counted. "reading" is how long the walk waits for tiles, of which one is normalised and cut
while the network looks at the one before, "stitching" what is left of the walk
to the maps, "nuclei" seeds, regrowing and linking, "layer" making napari's layer of the labels.
"limit" is the rate that the network would run at if all of its multiplications ran as fast as one
large matrix product of the same precision, measured here in the same run. "memory" is what a
process of its own takes at its fullest moment, beyond what it has when it has loaded model and
image and segmented a small image once; on Linux alone.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from napari.layers import Labels
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from napari_unet.api import model_settings
from napari_unet.images.synthetic import nuclei_field
from napari_unet.images.threads import one_ahead
from napari_unet.network.device import describe_device, precision
from napari_unet.network.library import load_model
from napari_unet.network.model import Model
from napari_unet.segmentation import Progress, finish, predicting, segment

DIAMETER = 22.0  # px, given, so that no time goes into estimating it
DENSITY = 7e-4  # nuclei per pixel
ANISOTROPY = 2.0  # of the stack
SHIFT = 2  # px from plane to plane
STEPS = ("reading", "network", "stitching", "nuclei", "layer")
MATRIX = 2048
LARGEST_FIELD = 2048  # px; larger ones take minutes to draw
SMALL = 256  # px of the image that is segmented first
STATUS = Path("/proc/self/status")


class Clock:
    """Adds up the seconds that are spent in some functions."""

    def __init__(self) -> None:
        self.seconds = defaultdict[str, float](float)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            started = time.perf_counter()
            result = function(*arguments)
            self.seconds[name] += time.perf_counter() - started
            return result

        return call


def time_steps(image: NDArray[np.uint16], model: Model) -> dict[str, float]:
    """Give the seconds of one run by step."""
    clock, marks = Clock(), dict[str, float]()

    def note(progress: Progress) -> None:
        marks[progress.step] = time.perf_counter()

    settings = model_settings(model, diameter=DIAMETER, anisotropy=ANISOTROPY)

    def waited_for(tiles: Iterable[Any]) -> Iterator[Any]:
        source = one_ahead(tiles)
        take = clock.timed("reading", lambda: next(source, None))
        while (tile := take()) is not None:
            yield tile

    started = time.perf_counter()
    with patch.object(predicting, "one_ahead", waited_for):
        steps = segment(
            image, "ZYX"[-image.ndim :], clock.timed("network", model.predict), settings
        )
        labels = finish(steps, note).labels
    ended = time.perf_counter()
    clock.timed("layer", Labels)(labels)
    maps = marks["network"] - started
    return clock.seconds | {
        "whole": ended - started + clock.seconds["layer"],
        "stitching": maps - clock.seconds["network"] - clock.seconds["reading"],
        "nuclei": ended - marks["network"],
    }


def median_of(runs: int, once: Callable[[], dict[str, float]]) -> dict[str, float]:
    once()
    rows = [once() for _ in range(runs)]
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def limit(model: Model) -> float:
    """Give the Mpx/s of the network at the rate of a matrix product of its precision."""
    device, dtype = model.device, precision(model.device)
    one, other = (torch.rand(MATRIX, MATRIX, device=device).to(dtype) for _ in range(2))

    def product() -> dict[str, float]:
        started = time.perf_counter()
        (one @ other)[0, 0].item()
        return {"seconds": time.perf_counter() - started}

    rate = 2 * MATRIX**3 / median_of(5, product)["seconds"]
    counter = FlopCounterMode(display=False)
    side = 512
    with counter:
        model.predict(np.zeros((3, side, side), np.float32))
    return side**2 / 1e6 * rate / counter.get_total_flops()


def field(side: int) -> NDArray[np.uint16]:
    drawn = min(side, LARGEST_FIELD)
    image, _ = nuclei_field((drawn, drawn), n=round(DENSITY * drawn**2), diameter=DIAMETER)
    return np.pad(image, (0, side - drawn), mode="symmetric")


def stack(n_planes: int, side: int) -> NDArray[np.uint16]:
    plane = field(side)
    return np.stack([np.roll(plane, SHIFT * z, axis=1) for z in range(n_planes)])


def kilobytes(entry: str) -> int:
    """Give an entry of what Linux says of this process."""
    rows = dict(row.split(":", 1) for row in STATUS.read_text().splitlines())
    return int(rows[entry].split()[0])


def take_memory(path: Path, model: Model) -> None:
    """Print the megabytes that segmenting an image takes; in a process of its own."""
    image, settings = np.load(path), model_settings(model, diameter=DIAMETER)
    settings = replace(settings, anisotropy=ANISOTROPY)
    axes = "ZYX"[-image.ndim :]
    finish(segment(image[..., :SMALL, :SMALL], axes, model.predict, settings))
    before = kilobytes("VmRSS")
    finish(segment(image, axes, model.predict, settings))
    print((kilobytes("VmHWM") - before) * 1024 / 1e6)


def memory(image: NDArray[np.uint16], options: argparse.Namespace) -> str:
    """Give the megabytes that segmenting an image takes at its fullest moment."""
    if not STATUS.exists():
        return "?"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.npy"
        np.save(path, image)
        choices = ["--model", options.model, "--device", options.device, "--memory-of", path]
        command = [sys.executable, __file__, *choices]
        return f"{float(subprocess.run(command, check=True, capture_output=True).stdout):.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--stack", type=int, nargs=2, metavar=("PLANES", "SIDE"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    model = load_model(options.model, options.device)
    if options.memory_of:
        take_memory(options.memory_of, model)
        return
    print(
        f"{model.card.name} on {describe_device(model.device)}, {torch.get_num_threads()} threads"
    )
    print(f"limit of the network {limit(model):.1f} Mpx/s\n")
    columns = f"whole click s | Mpx/s | network Mpx/s | {' | '.join(STEPS)} | memory MB"
    print(f"| pixels | {columns} |\n|{'---|' * (len(STEPS) + 5)}")
    images = [field(size) for size in options.sizes]
    for image in [*images, *([stack(*options.stack)] if options.stack else [])]:
        seconds = median_of(options.runs, lambda image=image: time_steps(image, model))
        whole, megapixels = seconds["whole"], image.size / 1e6
        shares = " | ".join(f"{seconds[step] / whole:.0%}" for step in STEPS)
        rates = f"{megapixels / whole:.2f} | {megapixels / seconds['network']:.2f}"
        size = "x".join(map(str, image.shape))
        print(f"| {size} | {whole:.3f} | {rates} | {shares} | {memory(image, options)} |")


if __name__ == "__main__":
    main()
