"""Kills a program at random moments: what was saved stays, and no half file is read.

``python benchmarks/kills.py 50 [--seed 0] [--job segment]`` does so with segmenting to a file,
training, a fine-tune that goes on where it was saved, and the autosave. The job runs in a process
of its own (a fork, so not on Windows), which tells what it has saved; it is killed with SIGKILL,
all that it left is read, and the next one goes on from there. Prints how many kills each job got,
how many of them came in the middle of a write, and what was wrong; ends with status 1 if anything
was.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_unet.api import model_settings
from napari_unet.batch import segment_files
from napari_unet.images.files import read_labels
from napari_unet.images.synthetic import nuclei_field
from napari_unet.jobs import Job
from napari_unet.learning.augment import Batch
from napari_unet.learning.autosave import Autosaves, Note
from napari_unet.learning.checkpoint import restore_checkpoint, save_checkpoint
from napari_unet.learning.crops import Crop
from napari_unet.learning.finetune import FineTuneSettings, FineTuning
from napari_unet.learning.fit import Trainer, fit
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.store import Store
from napari_unet.network.card import Card
from napari_unet.network.model import Model, load_model_file
from napari_unet.network.unet import UNet, UNetConfig

LONGEST = 1.0  # s after which a job is killed; each saves many times in it
CONFIG = UNetConfig(filters=(4, 8), dropout=(0.0,) * 3)
IMAGE, TRUTH = nuclei_field((160, 160), n=9, diameter=18, seed=1)
CROP = Crop(IMAGE, TRUTH, TRUTH > 0, 18.0, (0.0, float(IMAGE.max())), "image", "place")
TEXTS = ("axes", "model", "model_file", "model_sha256", "line", "device_choice", "result")
SETTINGS = {"diameter": 18.0, "channel": None, "link": "auto", "instances": {}}
FACTS = {**dict.fromkeys(TEXTS, "a"), "settings": SETTINGS}
WHICH, TOKEN = "a" * 32, "0123abcd"


def small_model() -> Model:
    torch.manual_seed(0)
    return Model(UNet(CONFIG).eval(), Card("small", CONFIG, 18.0))


@dataclass(frozen=True)
class Work:
    """A job that saves over and over.

    Parameters
    ----------
    run : callable
        Yields the number of what is saved in a folder by now; goes on from what is there.
    saved : callable
        Reads everything in the folder, and returns that number; 0 if nothing is there.
    """

    run: Callable[[Path], Iterator[int]]
    saved: Callable[[Path], int]


def segment(folder: Path) -> Iterator[int]:
    model = small_model()
    job = Job(folder / "image.tif", folder / "labels.tif")
    if not job.source.exists():
        tifffile.imwrite(job.source, IMAGE)
    for _ in count():
        settings = model_settings(model, diameter=18.0)
        (result,) = segment_files([job], model.predict, settings, overwrite=True)
        if result.error is not None:
            raise result.error
        yield 1


def labels_in(folder: Path) -> int:
    path = folder / "labels.tif"
    if not path.exists():
        return 0
    if read_labels(path).shape != IMAGE.shape:
        raise ValueError("the labels have another shape")
    return 1


def trainer() -> Trainer:
    return Trainer(small_model().network, Recipe(crop=32, batch=2, steps=10**9))


def batches() -> Iterator[Batch]:
    """Yield crops of noise: what is learned of them does not matter."""
    size = (2, 32, 32)
    while True:
        labels, known = torch.randint(3, size, dtype=torch.int32), torch.ones(size, dtype=bool)
        yield Batch(torch.rand(2, 3, 32, 32), labels, torch.rand(size), known)


def train(folder: Path) -> Iterator[int]:
    path, own = folder / "run.checkpoint.safetensors", trainer()
    if path.exists():
        restore_checkpoint(path, own)
    for step in fit(own, batches(), lambda network: 0.0):
        save_checkpoint(path, own)
        yield step.number


def checkpoint_in(folder: Path) -> int:
    path, own = folder / "run.checkpoint.safetensors", trainer()
    if not path.exists():
        return 0
    restore_checkpoint(path, own)
    return own.number


def finetune(folder: Path) -> Iterator[int]:
    path = folder / "tune.checkpoint.safetensors"
    run = FineTuning(PARENT, [CROP], TUNING)
    if path.exists():
        run.restore(path)
    for step in run.steps():
        Store(folder / "store").add([CROP])
        run.parent.save(folder / "model.safetensors", overwrite=True)
        run.save(path)
        yield step.number


def finetune_in(folder: Path) -> int:
    path = folder / "tune.checkpoint.safetensors"
    if not path.exists():
        return 0
    run = FineTuning(PARENT, [CROP], TUNING)
    run.restore(path)
    load_model_file(folder / "model.safetensors", "cpu")
    crops, problems = Store(folder / "store").read()
    if problems or len(crops) != 1:
        raise ValueError(f"{len(crops)} corrections, {problems}")
    return run.trainer.number


def autosave(folder: Path) -> Iterator[int]:
    saves, prediction = Autosaves(folder), np.zeros((400, 400), np.int32)
    notes, _ = saves.of_image(WHICH)
    beside = notes[0].beside if notes else ""
    for number in count(1 + (int(notes[0].values[0]) if notes else 0)):
        places = np.random.default_rng(number).permutation(prediction.size)[:20_000]
        values = np.full(len(places), number, np.int32)
        date = datetime.now(UTC)
        note = Note(WHICH, TOKEN, FACTS, 1, (), places, values, date, beside)
        beside = saves.save(note, prediction)
        yield number


def autosave_in(folder: Path) -> int:
    saves = Autosaves(folder)
    if not any(folder.glob("[!.]*")):
        return 0
    notes, problems = saves.of_image(WHICH)
    if problems or len(notes) > 1:
        raise ValueError(f"{len(notes)} notes, {problems}")
    if not notes:
        return 0
    if (notes[0].values != notes[0].values[0]).any() or saves.prediction(notes[0]).any():
        raise ValueError("the labels are a mixture")
    return int(notes[0].values[0])


PARENT = small_model()
TUNING = FineTuneSettings(seconds=1e6, crop=32, batch=2)
WORKS = {
    "segment": Work(segment, labels_in),
    "train": Work(train, checkpoint_in),
    "finetune": Work(finetune, finetune_in),
    "autosave": Work(autosave, autosave_in),
}


def work(job: Work, folder: Path, told: Connection) -> None:
    """Tell what is saved, until the end."""
    torch.set_num_threads(1)
    for number in job.run(folder):
        told.send(number)


def kill_once(job: Work, folder: Path, seconds: float) -> int:
    """Kill a job so long after it has saved first; return what it has told last."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=work, args=(job, folder, theirs))
    process.start()
    theirs.close()
    last = ours.recv()
    time.sleep(seconds)
    process.kill()
    process.join()
    try:
        while True:
            last = ours.recv()
    except EOFError:
        return int(last)


def problem_of(job: Work, folder: Path, last: int) -> str:
    """Say what is wrong with what was left, if anything."""
    try:
        there = job.saved(folder)
    # Whatever reading a half file raises is what is looked for.
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "" if there in (last, last + 1) else f"{last} was saved, {there} is there"


def leftovers(folder: Path) -> list[Path]:
    """Return and remove the hidden files of writes that were not finished."""
    files = [path for path in folder.rglob(".*") if path.is_file() and path.name != ".lock"]
    for path in files:
        path.unlink()
    return files


def kills(name: str, n: int, seed: int) -> tuple[int, list[str]]:
    """Kill a job so many times; return how often in the middle of a write, and what was wrong."""
    job, rng = WORKS[name], random.Random(f"{name} {seed}")
    n_in_writes, problems = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(n):
            last = kill_once(job, Path(folder), rng.uniform(0, LONGEST))
            problem = problem_of(job, Path(folder), last)
            n_in_writes += bool(leftovers(Path(folder)))
            problems += [problem] if problem else []
    return n_in_writes, problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n", type=int, help="kills of each job")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--job", choices=WORKS, action="append")
    options = parser.parse_args()
    torch.set_num_threads(1)
    wrong = False
    for name in options.job or WORKS:
        n_in_writes, problems = kills(name, options.n, options.seed)
        print(f"{name}: {options.n} kills, {n_in_writes} in the middle of a write,", end=" ")
        print(f"{len(problems)} problems", *problems, sep="\n  ", flush=True)
        wrong = wrong or bool(problems)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
