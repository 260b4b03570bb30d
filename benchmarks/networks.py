"""Train networks of several shapes side by side on one graphics card, for the same time.

For example, two networks for nine minutes:

    python benchmarks/networks.py TRAIN -o FOLDER --minutes 9 nuclei:2:32,64,128,256:16 \
        small:2:24,48,96,192:16

Each is named, with the side of its pixel blocks, its filters and its crops a step. For the last
part of the time noise, blur and changes of light are weaker by a sixth to a third. The model files
in FOLDER are written anew once a minute. With ``--start EARLIER`` a network begins with the weights
of the file of its name in that folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from napari_unet.images.intensity import Normalisation
from napari_unet.learning.atlas import Atlas
from napari_unet.learning.augment import Augmentation, Batch, Sample, prepare_sample
from napari_unet.learning.batches import step_random
from napari_unet.learning.datasets import Pair, find_pairs, read_pair
from napari_unet.learning.fit import Loss, Trainer, batch_loss, fit, loss_of_heads
from napari_unet.learning.losses import LossWeights
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.recorded import RecordedLoss
from napari_unet.network.card import Card
from napari_unet.network.config import UNetConfig
from napari_unet.network.device import autocast, choose_device, place
from napari_unet.network.model import Model, load_model_file
from napari_unet.network.unet import UNet
from napari_unet.network.variants import build_network

SECONDS_BETWEEN_FILES = 60.0
STRONG = Augmentation()
WEAK = replace(
    STRONG,
    noise=0.08, p_noise=0.3, blur=1.2, p_blur=0.2, gamma=0.4, contrast=0.4, p_shade=0.25,
)  # fmt: skip
WEAK_FROM = 0.7  # of the time


class CompiledLoss:
    """The loss of a batch, compiled by `torch.compile`, which fuses its small kernels."""

    def __init__(self) -> None:
        self.compiled = torch.compile(_loss_of_parts, dynamic=False)

    def __call__(self, network: UNet, batch: Batch, weights: LossWeights) -> torch.Tensor:
        """Return the loss of a network in training on a batch; see `fit.batch_loss`."""
        parts = (batch.image, batch.labels, batch.distance, batch.known)
        with autocast(batch.image.device, training=True):
            return self.compiled(network, weights, *parts)


def _loss_of_parts(network: UNet, weights: LossWeights, *parts: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch in its four parts."""
    batch = Batch(*parts)
    image = batch.image.contiguous(memory_format=torch.channels_last)
    return loss_of_heads(network.heads(image), batch, weights)


WAYS: dict[str, Callable[[], Loss]] = {
    "launched": lambda: batch_loss,
    "recorded": RecordedLoss,
    "compiled": CompiledLoss,
}


@dataclass(frozen=True)
class Shape:
    """A network to train: its name, configuration and crops a step."""

    name: str
    config: UNetConfig
    batch: int


def shape(text: str) -> Shape:
    """Return the network that an argument describes."""
    name, stem, filters, batch = text.split(":")
    widths = tuple(int(n) for n in filters.split(","))
    depth = len(widths)
    dropout = tuple(0.1 if level == depth - 1 else 0.0 for level in range(2 * depth - 1))
    return Shape(name, UNetConfig(filters=widths, dropout=dropout, stem=int(stem)), int(batch))


def read_samples(folder: Path, processes: int) -> list[Sample]:
    """Return all planes of a folder with their targets."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = [plane for some in pool.imap(read, find_pairs(folder), 8) for plane in some]
    return [Sample(*map(torch.from_numpy, arrays), diameter) for arrays, diameter in found]


def read(pair: Pair) -> list[tuple[list[NDArray[Any]], float]]:
    """Return the parts of each sample of an image, as arrays: these need no shared memory."""
    image = read_pair(pair)
    samples = (
        prepare_sample(pixels, labels, Normalisation())
        for pixels, labels in zip(image.planes, image.labels, strict=True)
    )
    return [
        ([part.numpy() for part in (it.pixels, it.labels, it.distance, it.known)], it.diameter)
        for it in samples
    ]


def batches(trainer: Trainer, atlas: Atlas) -> Iterator[Batch]:
    """Yield a batch for every step."""
    recipe = trainer.recipe
    while True:
        random = step_random(recipe.seed, trainer.number, atlas.device)
        settings = STRONG if trainer.fraction < WEAK_FROM else WEAK
        yield atlas.random_batch(recipe.crop, recipe.batch, settings, random)


def train(wanted: Shape, options: argparse.Namespace) -> None:
    """Train one network for the time given."""
    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = True
    samples = read_samples(options.train, options.processes)
    device = choose_device(options.device)
    torch.manual_seed(options.seed)
    recipe = Recipe(
        batch=wanted.batch,
        steps=10**7,
        minutes=options.minutes,
        learning_rate=options.learning_rate,
        warm_up=500,
        averaging=0.9995,
        validations=1,
        seed=options.seed,
    )
    start = load_model_file(options.start / f"{wanted.name}.safetensors") if options.start else None
    trainer = Trainer(build(wanted.config, device, start), recipe, WAYS[options.way]())
    print(wanted.name, len(samples), "planes", time.strftime("%H:%M:%S"), flush=True)
    saved = time.monotonic()
    for step in fit(trainer, batches(trainer, Atlas(samples, device)), lambda network: 0.0):
        if time.monotonic() - saved > SECONDS_BETWEEN_FILES or step.fraction == 1:
            saved = time.monotonic()
            save(trainer, wanted, options.o, start)
            print(
                f"{wanted.name} {step.fraction:.2f} {step.number} steps {step.mean_loss:.4f} "
                f"waited {step.waiting:.2f}",
                flush=True,
            )


def build(config: UNetConfig, device: torch.device, start: Model | None = None) -> UNet:
    """Return a network on a device, of random weights or those of a model."""
    network = build_network(config)
    if start is not None:
        network.load_state_dict(start.network.state_dict())
    place(network, device)
    return network


def save(trainer: Trainer, wanted: Shape, folder: Path, start: Model | None) -> None:
    """Write the averaged network."""
    earlier = {"before": start.card.training} if start else {}
    training = {
        "recipe": asdict(trainer.recipe),
        "last_part": {"from": WEAK_FROM, "augmentation": asdict(WEAK)},
        "seconds": round(trainer.seconds),
        "crops": trainer.number * trainer.recipe.batch,
        "date": time.strftime("%Y-%m-%d"),
        **earlier,
    }
    low, high = STRONG.diameter
    parent = start.sha256 if start else None
    card = Card(wanted.name, wanted.config, (low * high) ** 0.5, training=training, parent=parent)
    Model(trainer.averaged, card).save(folder / f"{wanted.name}.safetensors", overwrite=True)


def main() -> None:
    """Train every network in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("train", type=Path)
    parser.add_argument("networks", type=shape, nargs="+")
    parser.add_argument("-o", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="folder of models to go on from")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--way", choices=list(WAYS), default="recorded", help="see training_speed")
    parser.add_argument("--processes", type=int, default=4, help="that read images, per network")
    parser.add_argument("--seed", type=int, default=41)
    options = parser.parse_args()
    options.o.mkdir(exist_ok=True)
    context = multiprocessing.get_context("spawn")
    runs = [context.Process(target=train, args=(each, options)) for each in options.networks]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    if failed := [it.name for it, run in zip(options.networks, runs, strict=True) if run.exitcode]:
        raise SystemExit(f"Expected all networks to be trained, got errors for {failed}.")


if __name__ == "__main__":
    main()
