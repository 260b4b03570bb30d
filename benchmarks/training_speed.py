"""Crops a second of training on a graphics card, by how its work is given to it.

    python benchmarks/training_speed.py nuclei:2:32,64,128,256:24 more:2:32,64,128,256:96

Networks are written as in `networks.py`. "launched": one kernel after the other; "recorded": as
`napari-unet train` does it, loss and gradients as one CUDA graph. Crops are made of generated
images on the card.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import torch
from networks import WAYS, Shape, build, shape

from napari_unet.images.intensity import Normalisation
from napari_unet.images.synthetic import nuclei_field
from napari_unet.learning.atlas import Atlas
from napari_unet.learning.augment import Augmentation, Batch, Sample, prepare_sample
from napari_unet.learning.fit import Trainer
from napari_unet.learning.recipe import Recipe
from napari_unet.network.device import choose_device

STEPS_BEFORE = 5
COLUMNS = ("network", "way", "crops a step", "ms a step", "of it crops", "crops a s", "before, s")


def samples(n: int) -> Iterator[Sample]:
    """Yield generated planes of 512 x 512 pixels."""
    for seed in range(n):
        yield prepare_sample(*nuclei_field((512, 512), n=200, seed=seed), Normalisation())


def row(wanted: Shape, way: str, atlas: Atlas, n_steps: int) -> tuple[object, ...]:
    """Return a row of the table."""
    recipe = Recipe(batch=wanted.batch)
    random = torch.Generator(atlas.device).manual_seed(0)
    trainer = Trainer(build(wanted.config, atlas.device), recipe, WAYS[way]())

    def batch() -> Batch:
        return atlas.random_batch(recipe.crop, recipe.batch, Augmentation(), random)

    before = STEPS_BEFORE * seconds(lambda: trainer.step(batch()), STEPS_BEFORE)
    step = seconds(lambda: trainer.step(batch()), n_steps)
    crops = seconds(batch, n_steps)
    numbers = f"{1e3 * step:.1f}", f"{1e3 * crops:.1f}", f"{wanted.batch / step:.0f}"
    return wanted.name, way, wanted.batch, *numbers, f"{before:.0f}"


def seconds(work: Callable[[], object], n: int) -> float:
    """Return how long a piece of work takes, the mean of n."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(n):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / n


def main() -> None:
    """Print a row for every network and way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", type=shape, nargs="+")
    parser.add_argument("--ways", choices=list(WAYS), nargs="+", default=list(WAYS))
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    device = choose_device("cuda")
    atlas = Atlas(list(samples(8)), device)
    print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    for way in options.ways:
        for wanted in options.networks:
            print(
                "|", " | ".join(map(str, row(wanted, way, atlas, options.steps))), "|", flush=True
            )


if __name__ == "__main__":
    main()
