"""What a training run needs, read from folders and checked before the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input
from napari_unet.learning.augment import Batch, Sample, prepare_sample
from napari_unet.learning.batches import RandomCrops
from napari_unet.learning.checkpoint import checkpoint_beside
from napari_unet.learning.classic import ClassicRecipe, WholeImages, whole_images
from napari_unet.learning.datasets import (
    LabelledImage,
    Pair,
    find_pairs,
    read_pairs,
    split_pairs,
)
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.targets import median_diameter
from napari_unet.network.card import Card
from napari_unet.network.config import UNetConfig
from napari_unet.network.files import check_name
from napari_unet.network.model import Model
from napari_unet.nuclei.instances import InstanceSettings

HELD_OUT = 0.1  # of the images, for validation


@dataclass(frozen=True)
class Scene:
    """A validation plane: normalised ``pixels`` (3, y, x), true ``labels`` (y, x), its name."""

    pixels: NDArray[np.float32]
    labels: NDArray[np.int32]
    name: str = ""


@dataclass(frozen=True)
class Classic:
    """What the classic recipe trains and validates with: ``training``, ``held_out``."""

    training: WholeImages
    held_out: WholeImages


@dataclass(frozen=True)
class TrainingRun:
    """All that a run needs, checked.

    Parameters
    ----------
    samples : list of Sample
        Training planes.
    scenes : list of Scene
        Validation planes, at the scale that the network is to see.
    recipe : Recipe
        How to train.
    config : UNetConfig
        What to train.
    output : Path
        The model file; the checkpoint lies beside it.
    device : str
        Where.
    normalisation : Normalisation
        How the images were brought to one range.
    instances : InstanceSettings
        How labels are made of the network's maps.
    origin : dict
        What the model's card says of the data.
    start : Model, optional
        The model whose weights the run starts from; it stays as it is.
    classic : Classic, optional
        The images of the classic recipe, which are trained with instead of the samples.
    """

    samples: list[Sample]
    scenes: list[Scene]
    recipe: Recipe
    config: UNetConfig
    output: Path
    device: str = "auto"
    normalisation: Normalisation = field(default_factory=Normalisation)
    instances: InstanceSettings = field(default_factory=InstanceSettings)
    origin: dict[str, str | int] = field(default_factory=dict)
    start: Model | None = None
    classic: Classic | None = None

    @property
    def checkpoint(self) -> Path:
        """Where the run's checkpoint lies."""
        return checkpoint_beside(self.output)

    @property
    def report(self) -> Path:
        """The folder of the run's report."""
        return self.output.with_name(f"{self.output.stem}_report")

    @property
    def history(self) -> Path:
        """The table of the run's curves, in its report."""
        return self.report / "history.csv"

    @property
    def score_meaning(self) -> str:
        """What the validation score is, in words; higher is better."""
        return "minus validation loss" if self.classic else "mean AP at IoU 0.5 to 0.9"

    @property
    def batches(self) -> Dataset[Batch]:
        """The batch of every step."""
        return self.classic.training if self.classic else RandomCrops(self.samples, self.recipe)

    @property
    def score_name(self) -> str:
        """What the validation score is called on the model's card."""
        return "negative_loss" if self.classic else "mean_ap"

    @property
    def diameter(self) -> float:
        """Typical diameter, in pixels, of the nuclei that the network is to see."""
        if self.classic:
            return float(np.nanmedian([median_diameter(scene.labels) for scene in self.scenes]))
        low, high = self.recipe.augmentation.diameter
        return float((low * high) ** 0.5)


def prepare_run(
    data: Path,
    output: Path,
    *,
    validation: Path | None = None,
    recipe: Recipe | ClassicRecipe | None = None,
    config: UNetConfig | None = None,
    start: Model | None = None,
    device: str = "auto",
    progress: Callable[[int, int], None] = lambda done, n: None,
) -> TrainingRun:
    """Return a run with all its training data read and checked.

    Parameters
    ----------
    data, validation : Path
        Folders as `find_pairs` takes them; without validation data, a tenth is split off.
    output : Path
        The model file to write.
    recipe : Recipe or ClassicRecipe
        How to train.
    config : UNetConfig
        What to train; the classic recipe has its own.
    start : Model, optional
        The model to start from, instead of `config` and random weights. Its normalisation and
        its settings for instances stay.
    device : str
        "auto", "cuda", "mps" or "cpu".
    progress : callable
        Called with files read and files in all.

    Raises
    ------
    ValueError
        If data are missing or bad, with one line per bad file; if the output is no name of a
        model; if `config` is not that of the model to start from, or of the classic recipe.
    """
    check_name(output)
    recipe = recipe or Recipe()
    config = _config_of(recipe, config, start)
    pairs, held_out = _find(data, validation, recipe.seed)
    images = _read([*pairs, *held_out], progress)
    training, others = images[: len(pairs)], images[len(pairs) :]
    if isinstance(recipe, ClassicRecipe):
        run = _classic_run(training, others, recipe, output)
    else:
        run = _default_run(training, others, recipe, config, output, start.card if start else None)
    origin: dict[str, str | int] = {
        "data": data.resolve().name,
        "images": len(pairs),
        "seed": recipe.seed,
    }
    return replace(run, device=device, origin=origin, start=start)


def _config_of(
    recipe: Recipe | ClassicRecipe, config: UNetConfig | None, start: Model | None
) -> UNetConfig:
    """Return the network to train, unless two are asked for at once."""
    wanted = [start.config] if start else []
    wanted += [UNetConfig.classic()] if isinstance(recipe, ClassicRecipe) else []
    wanted += [config] if config else []
    if any(other != wanted[0] for other in wanted[1:]):
        raise ValueError(
            f"Expected one network to train, got {wanted[0]} by the model or recipe to start from "
            f"and {wanted[-1]}; leave one of the two out."
        )
    return wanted[0] if wanted else UNetConfig()


def _find(data: Path, validation: Path | None, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs to train with and those to validate with."""
    if validation is None:
        return split_pairs(find_pairs(data), HELD_OUT, seed)
    return find_pairs(data), find_pairs(validation)


def _read(pairs: list[Pair], progress: Callable[[int, int], None]) -> list[LabelledImage]:
    """Return all pairs, or raise one error that names every file that cannot be used."""
    images, problems = read_pairs(pairs, progress)
    if problems:
        raise ValueError(
            f"Expected files that can be trained with, got {len(problems)} that cannot; correct "
            "them or take them away:\n" + "\n".join(problems)
        )
    return images


def _default_run(
    training: list[LabelledImage],
    held_out: list[LabelledImage],
    recipe: Recipe,
    config: UNetConfig,
    output: Path,
    card: Card | None,
) -> TrainingRun:
    """Return a run on random crops, which goes on with the settings of an earlier model."""
    normalisation = card.normalisation if card else Normalisation()
    return TrainingRun(
        [prepare_sample(*pair, normalisation) for pair in _planes(training)],
        [
            Scene(network_input(pixels, normalisation), labels, name)
            for (pixels, labels), name in zip(_planes(held_out), _names(held_out), strict=True)
        ],
        recipe,
        config,
        output,
        normalisation=normalisation,
        instances=card.instances if card else InstanceSettings(),
    )


def _classic_run(
    training: list[LabelledImage],
    held_out: list[LabelledImage],
    recipe: ClassicRecipe,
    output: Path,
) -> TrainingRun:
    """Return a run of the classic recipe, on whole images."""
    images = whole_images(_planes(training), recipe)
    others = whole_images(_planes(held_out), recipe)
    names = _names(held_out)
    return TrainingRun(
        [],
        [Scene(*each) for each in zip(others.pixels, others.labels, names, strict=True)],
        recipe.as_recipe(len(images.pixels)),
        UNetConfig.classic(),
        output,
        normalisation=recipe.normalisation,
        instances=recipe.instances,
        classic=Classic(images, others),
    )


def _planes(
    images: list[LabelledImage],
) -> Iterator[tuple[NDArray[np.generic], NDArray[np.int32]]]:
    """Yield every plane with its labels."""
    for image in images:
        yield from zip(image.planes, image.labels, strict=True)


def _names(images: list[LabelledImage]) -> Iterator[str]:
    """Yield the name of every plane: the file's, with a number where it holds several."""
    for image in images:
        for number in range(len(image.planes)):
            yield image.pair.name + (f" plane {number}" if len(image.planes) > 1 else "")
