"""Images larger than memory: time and memory by size, workers, blocks against each other, kills.

    python benchmarks/scale.py sizes   [--megapixels 1 16 64 100 225 400] [--side 1024]
    python benchmarks/scale.py workers [--megapixels 100]
    python benchmarks/scale.py blocks  [--pixels 2000] [--sides 256 512 1000]
    python benchmarks/scale.py kills   [--megapixels 100] [--runs 10]

Crowded synthetic fields of nuclei, made block by block by dask and written as OME-Zarr. Every run
is a process of its own, ``napari-unet segment``; its time is that of the whole process, and s/Mpx
is time of the processor, less what a process takes for nearly no image right after it; beside it,
how much that is of the smallest image's. Of images of less than 16 megapixels it is the median of
five such pairs. Its memory is the largest that it had. The diameter is given. Images and labels are
in a temporary folder, which is deleted at the end, and when the program is stopped.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import dask.array
import numpy as np
import zarr
from numpy.typing import NDArray

from napari_unet.images.synthetic import SyntheticSettings, nuclei_field
from napari_unet.nuclei.metrics import evaluate

DIAMETER = 22.0  # px
DENSITY = 1.4e-3  # nuclei per pixel that are tried: half of the image is nuclei
FIELD = 500  # px, side of what is generated at once
FIELDS = 16  # that are different; generating all anew takes longer than segmenting
SHORT_RUNS = 5
LONG = 16  # Mpx from which on one run is enough
CROWDED = SyntheticSettings(touching=0.8)


@lru_cache(maxsize=FIELDS)
def drawn(seed: int) -> NDArray[np.uint16]:
    return nuclei_field((FIELD, FIELD), round(DENSITY * FIELD**2), DIAMETER, seed, CROWDED)[0]


def field(block_info: dict[int, dict[str, tuple[int, ...]]]) -> NDArray[np.uint16]:
    """Return one field of an image; which one depends on its place alone."""
    y, x = block_info[None]["chunk-location"]
    seed = (7 * y + 3 * x) % FIELDS
    height, width = block_info[None]["chunk-shape"]
    return drawn(seed)[:height, :width]


def write_image(path: Path, side: int) -> None:
    """Write an image of a side in pixels, of which one field at a time is in memory."""
    chunks = [(FIELD,) * (side // FIELD) + ((side % FIELD,) if side % FIELD else ())] * 2
    image = dask.array.map_blocks(field, chunks=chunks, dtype=np.uint16, meta=np.zeros((0, 0)))
    axes = [{"name": name, "type": "space"} for name in "yx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    about = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": datasets}]}
    group = zarr.create_group(path, zarr_format=2, attributes=about)
    store = group.create_array("0", shape=image.shape, chunks=(FIELD, FIELD), dtype=np.uint16)
    dask.array.store(image, store, scheduler="synchronous")


def command(image: Path, out: Path, *options: object) -> list[str]:
    how = ["-o", out, "--diameter", DIAMETER, "--quiet", *options]
    return [sys.executable, "-m", "napari_unet.cli", "segment", *map(str, [image, *how])]


@dataclass(frozen=True)
class Measured:
    """Seconds by the clock and of the processor, largest memory of one process in GB."""

    seconds: float
    busy: float
    memory: float


def measured(arguments: list[str]) -> Measured:
    """Run a command to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(arguments)
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    seconds, busy = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    return Measured(seconds, busy, usage.ru_maxrss * 1024 / 1e9)


def median_pair(
    image: Path, nothing: Path, folder: Path, *options: object, n_runs: int
) -> tuple[Measured, float]:
    """Segment an image and nearly nothing in turn, several times.

    Return the run whose pair differs by the middle time of the processor, and that time.
    """
    pairs = []
    for n in range(n_runs):
        run = measured(command(image, folder / f"{n}.zarr", *options))
        start = measured(command(nothing, folder / f"start{n}.zarr", *options))
        pairs.append((run, run.busy - start.busy))
    return sorted(pairs, key=lambda pair: pair[1])[n_runs // 2]


def labels_of(path: Path) -> NDArray[np.uint32]:
    return np.asarray(zarr.open_array(path / "0", mode="r"))


@contextmanager
def image_of(side: int) -> Iterator[tuple[Path, Path]]:
    """Yield a new image and a folder for what is made of it."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.ome.zarr"
        write_image(image, side)
        yield image, Path(folder)


def side_of(megapixels: float) -> int:
    return round((megapixels * 1e6) ** 0.5)


def sizes(options: argparse.Namespace) -> None:
    print("| Mpx | seconds | of the processor | s/Mpx | of the first | GB |", flush=True)
    print("|---|---|---|---|---|---|", flush=True)
    first = 0.0
    for megapixels in options.megapixels:
        with image_of(64) as (nothing, _), image_of(side_of(megapixels)) as (image, folder):
            how = ("--blocks", options.side, "--model", options.model)
            n_runs = SHORT_RUNS if megapixels < LONG else 1
            run, busy = median_pair(image, nothing, folder, *how, n_runs=n_runs)
        rate = busy / megapixels
        first = first or rate
        times = f"{run.seconds:.1f} | {run.busy:.1f} | {rate:.2f} | {rate / first:.2f}"
        print(f"| {megapixels:g} | {times} | {run.memory:.2f} |", flush=True)


def workers(options: argparse.Namespace) -> None:
    print("| workers | seconds | speed |\n|---|---|---|", flush=True)
    with image_of(side_of(options.megapixels[0])) as (image, folder):
        first = 0.0
        for n in (1, 2):
            how = ("--workers", n, "--model", options.model)
            seconds = measured(command(image, folder / f"{n}.zarr", *how)).seconds
            first = first or seconds
            print(f"| {n} | {seconds:.1f} | {first / seconds:.2f} |", flush=True)


def blocks(options: argparse.Namespace) -> None:
    with image_of(options.pixels) as (image, folder):
        found = {}
        for side in (*options.sides, options.pixels):
            out = folder / f"{side}.zarr"
            measured(command(image, out, "--blocks", side, "--model", options.model))
            found[side] = labels_of(out).astype(np.int32)
            print(f"blocks of {side}: {found[side].max()} nuclei", flush=True)
    print("| blocks | blocks | AP50 | pixels that differ |\n|---|---|---|---|")
    for one, other in combinations(found, 2):
        score = evaluate(found[one], found[other]).ap50
        n_other = np.count_nonzero(found[one] != found[other])
        print(f"| {one} | {other} | {score:.4f} | {n_other} |")


def kills(options: argparse.Namespace) -> None:
    with image_of(side_of(options.megapixels[0])) as (image, folder):
        how = ("--blocks", options.side, "--model", options.model)
        seconds = measured(command(image, folder / "whole.zarr", *how)).seconds
        whole = labels_of(folder / "whole.zarr")
        rng = random.Random(0)
        for run in range(options.runs):
            out = folder / "out.zarr"
            process = subprocess.Popen(command(image, out, *how))
            moment = rng.uniform(0.05, 0.95) * seconds
            try:
                time.sleep(moment)
            finally:
                process.kill()
                process.wait()
            again = measured(command(image, out, *how, "--resume")).seconds
            same = np.array_equal(labels_of(out), whole)
            print(
                f"{run + 1}: killed after {moment:.1f} of {seconds:.1f} s, resumed in "
                f"{again:.1f} s: {'the same' if same else 'NOT THE SAME'}",
                flush=True,
            )
            shutil.rmtree(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=["sizes", "workers", "blocks", "kills"])
    parser.add_argument("--megapixels", type=float, nargs="+")
    parser.add_argument("--side", type=int, default=1024, help="of blocks")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512, 1000])
    parser.add_argument("--pixels", type=int, default=2000, help="side of the image of blocks")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--model", default="nuclei")
    options = parser.parse_args()
    usual = {"sizes": [1, 16, 64, 100, 225, 400], "workers": [100], "kills": [100], "blocks": []}
    # An exception, so that temporary folders are deleted and no process is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    options.megapixels = options.megapixels or usual[options.part]
    {"sizes": sizes, "workers": workers, "blocks": blocks, "kills": kills}[options.part](options)


if __name__ == "__main__":
    main()
