"""Fine-tuning: learn what a user corrected, and leave the rest as it was."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from napari_unet.learning.augment import Augmentation, Batch, Sample, random_batch
from napari_unet.learning.batches import batches_from, step_random
from napari_unet.learning.checkpoint import reading, restore_checkpoint, save_checkpoint
from napari_unet.learning.crops import Crop, digest
from napari_unet.learning.facts import tuning_facts
from napari_unet.learning.fit import Step, Trainer, fit, targets
from napari_unet.learning.gate import (
    Exam,
    Marks,
    between,
    comparison,
    label_scene,
    objection,
)
from napari_unet.learning.lessons import (
    Found,
    Nucleus,
    lessons_of,
    n_judged,
    rehearsal,
    rehearsed,
)
from napari_unet.learning.losses import LossWeights, cross_entropy, map_loss
from napari_unet.learning.recipe import Recipe
from napari_unet.learning.runs import Scene
from napari_unet.network.device import autocast
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet

FIELDS_JUDGED = slice(1, None, 3)  # one of each look, of the middle diameter
NO_END = 1_000_000  # steps: the time ends the run
REHEARSAL = 6.0  # weight of the synthetic crops beside the corrected ones
FEW = 40  # nuclei to learn from


@dataclass(frozen=True)
class FineTuneSettings:
    """How a model is tuned.

    Parameters
    ----------
    seconds : float
        Time of the run.
    learning_rate, epsilon : float
        Of AdamW, see `Recipe`. A large epsilon: where the pull balances what is learned,
        gradients are small and only noise, which AdamW would follow as far as any other.
    crop : int
        Side of the crops in pixels.
    batch : int
        Crops per step, corrected and synthetic ones, see `n_rehearsed`; two at least.
    validations : int
        How often the marks are taken during the run.
    seed : int
        Of everything random.
    live : bool
        Whether the run goes on until it is stopped, at a learning rate that stays.

    Raises
    ------
    ValueError
        If the batch is less than two.
    """

    seconds: float = 60.0
    learning_rate: float = 3e-3
    epsilon: float = 1e-3
    crop: int = 192
    batch: int = 4
    validations: int = 4
    seed: int = 0
    live: bool = False

    def __post_init__(self) -> None:
        """Check the batch."""
        if self.batch < 2:
            raise ValueError(
                f"Expected a batch of 2 crops or more, got {self.batch}; one of them is synthetic."
            )

    @property
    def augmentation(self) -> Augmentation:
        """What is varied of the corrected crops: little, they are to be learned as they are."""
        return Augmentation(
            diameter=(0.8, 1.25),
            zoom=(0.7, 1.4),
            stretch=0.1,
            elastic=4.0,
            gamma=0.3,
            contrast=0.3,
            brightness=0.05,
            noise=0.06,
            stain=0.1,
            p_invert=0.0,
            p_grey=0.0,
            p_tint=0.0,
        )

    def n_rehearsed(self, n_nuclei: int) -> int:
        """Return how many crops of a step are synthetic, by the nuclei that a run begins with.

        A few nuclei are soon learned, and then the model only forgets: half of the crops.

        Examples
        --------
        >>> FineTuneSettings().n_rehearsed(10), FineTuneSettings().n_rehearsed(100)
        (2, 1)
        """
        return max(1, self.batch // (2 if n_nuclei < FEW else 4))

    def recipe(self) -> Recipe:
        """Return the same in the terms of the training loop."""
        return Recipe(
            crop=self.crop,
            batch=self.batch,
            steps=NO_END,
            minutes=None if self.live else self.seconds / 60,
            learning_rate=self.learning_rate,
            epsilon=self.epsilon,
            cosine=not self.live,
            warm_up=10,
            averaging=0.98,
            clip=1.0,
            validations=self.validations,
            patience=self.validations,
            seed=self.seed,
        )


@dataclass(frozen=True)
class FineTune:
    """What came out.

    Parameters
    ----------
    model : Model
        The tuned model, whatever the gate says of it.
    before, after : Marks
        Of the parent and of the tuned model.
    share : float
        How far from the parent to the end of the run its weights lie, 0..1.
    objection : str
        Why the parent should stay, in one sentence; empty if the tuned model is better.
    history : tuple of Step
        The run, step by step.
    """

    model: Model
    before: Marks
    after: Marks
    share: float
    objection: str
    history: tuple[Step, ...] = ()

    @property
    def comparison(self) -> str:
        """What it brought, in one sentence."""
        return comparison(self.before, self.after)


class FineTuning:
    """A fine-tune that can be watched, stopped at any step, and concluded then.

    Parameters
    ----------
    parent : Model
        Stays as it is.
    crops : sequence of Crop
        What was corrected; at least one.
    settings : FineTuneSettings, optional
        How.

    Raises
    ------
    ValueError
        If there is no crop in which something is known.
    """

    def __init__(
        self, parent: Model, crops: Sequence[Crop], settings: FineTuneSettings | None = None
    ) -> None:
        started = time.monotonic()
        self.parent = parent
        self.settings = settings or FineTuneSettings()
        self._own: dict[bytes, Found] = {}
        self._fields = rehearsal(parent.card)
        fields = [rehearsed(field, self._label) for field in self._fields]
        self._batches = CorrectedCrops([], fields, self.settings)
        self._held_out: dict[Nucleus, bool] = {}
        self.renew(crops)
        # For the whole run: crops are prepared ahead of the steps.
        n_nuclei = sum(lesson.learned.size for lesson in self._lessons)
        self._batches.n_rehearsed = self.settings.n_rehearsed(n_nuclei)
        loss = partial(tuning_loss, parent.network, self._batches.n_rehearsed)
        recipe = self.settings.recipe()
        self.trainer = Trainer(deepcopy(parent.network), recipe, loss, parent.sha256)
        # The statistics of the batch norms stay the parent's: a few crops are no sample.
        self.trainer.network.eval()
        self.history: list[Step] = []
        if not self.settings.live:
            self.trainer.seconds = min(self._seconds_beside(started), self.settings.seconds / 2)

    def renew(self, crops: Sequence[Crop]) -> None:
        """Learn from these crops from the next step on; weights and optimiser go on.

        Nuclei that were held out stay so, and none that was learned is held out.

        Raises
        ------
        ValueError
            If there is no crop in which something is known; the run goes on as it was.
        """
        if not any(crop.known.any() for crop in crops):
            raise ValueError("Expected at least one correction, got none; correct a nucleus first.")
        self.crops = crops
        self._digest = ""
        self._lessons = lessons_of(
            crops, self.parent.card, self._label, self.settings.seed, self._held_out
        )
        for crop, lesson in zip(crops, self._lessons, strict=True):
            for labels, is_held_out in ((lesson.learned, False), (lesson.held_out, True)):
                self._held_out |= {(crop.source, int(label)): is_held_out for label in labels}
        self._batches.samples = [lesson.sample for lesson in self._lessons]
        self._exam: Exam | None = None
        self._before: Marks | None = None

    @property
    def exam(self) -> Exam:
        """What networks are judged by; set when it is asked for, as it takes time."""
        if self._exam is None:
            n = n_judged([lesson.known.size for lesson in self._lessons])
            self._exam = Exam(self.parent.card, self._lessons[:n], self._fields[FIELDS_JUDGED])
        return self._exam

    @property
    def before(self) -> Marks:
        """The parent's marks in this exam."""
        if self._before is None:
            self._before = self.exam.marks(self.parent.network)
        return self._before

    def mark(self) -> float:
        """Return how the network does now on what was corrected, 0..1."""
        return self._score(self.trainer.averaged)

    def steps(self) -> Iterator[Step]:
        """Yield after every step; stop iterating to stop early."""
        numbers = range(self.trainer.number, NO_END)
        for step in fit(self.trainer, batches_from(self._batches, numbers), self._score):
            self.history.append(step)
            yield step

    def save(self, path: Path) -> None:
        """Write all that the run needs to go on, so that nothing can interrupt it for good."""
        held_out = [[source, label, is_out] for (source, label), is_out in self._held_out.items()]
        save_checkpoint(path, self.trainer, self._known_digest(), held_out=held_out)

    def restore(self, path: Path) -> None:
        """Go on where a run of the same parent, corrections and settings was saved.

        A live run, whose corrections change, goes on with others: what was held out stays so.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is that of another run; this one must not be used then.
        """
        facts = restore_checkpoint(path, self.trainer, self._known_digest())
        if self.settings.live:
            with reading(path):
                held_out = {(str(it[0]), int(it[1])): bool(it[2]) for it in facts["held_out"]}
            self._held_out = held_out
            self.renew(self.crops)

    def _known_digest(self) -> str:
        """Return what tells the crops from others, computed once: many take a part of a second.

        Empty for a live run.
        """
        if not self.settings.live:
            self._digest = self._digest or digest(self.crops)
        return self._digest

    def conclude(self) -> FineTune:
        """Return the best network between the parent and where the run stands.

        That is the one that gets what was held out best, or what was learned, where too little
        was held out; of equals, the one that lies nearest to the parent. Those to which there is
        an objection come last.
        """
        found = [self._between(share) for share in reversed(self.exam.shares)]
        good = [each for each in found if not each.objection] or found
        return max(good, key=lambda each: each.after.corrected)

    def _between(self, share: float) -> FineTune:
        """Return the network that far from the parent to where the run stands, judged."""
        network = between(self.parent.network, self.trainer.averaged, share)
        marks = self.exam.marks(network)
        card = replace(
            self.parent.card,
            parent=self.parent.sha256 or None,
            training={**self._facts(marks), "share": share},
            scores={},
        )
        return FineTune(
            Model(network, card, precision=self.parent.precision),
            self.before,
            marks,
            share,
            objection(self.before, marks),
            tuple(self.history),
        )

    def _facts(self, after: Marks) -> dict[str, Any]:
        """Return what the model's card says of the run."""
        facts = tuning_facts(
            self.parent,
            self.crops,
            self.before,
            after,
            steps=self.trainer.number,
            seconds=self.trainer.seconds,
        )
        return {"settings": asdict(self.settings), **facts}

    def _seconds_beside(self, started: float) -> float:
        """Return how much of the time is not for steps: what is over, and comparing at the end."""
        asked = time.monotonic()
        _ = self.before
        now = time.monotonic()
        return now - started + len(self.exam.shares) * (now - asked)

    def _label(self, scene: Scene) -> Found:
        """Return what the parent makes of a scene, which live learning asks for again and again."""
        key = blake2b(np.ascontiguousarray(scene.pixels).data).digest()
        if key not in self._own:
            self._own[key] = label_scene(self.parent.network, self.parent.card, scene)
        return self._own[key]

    def _score(self, network: UNet) -> float:
        return self.exam.marks(network).corrected


class CorrectedCrops(Dataset[Batch]):
    """Crops of what was corrected and of synthetic fields, as one batch for every step."""

    def __init__(
        self, samples: list[Sample], fields: list[Sample], settings: FineTuneSettings
    ) -> None:
        self.samples = samples
        self.fields = fields
        self.settings = settings
        self.n_rehearsed = settings.n_rehearsed(0)

    def __len__(self) -> int:
        """Return the most steps that there can be."""
        return NO_END

    def __getitem__(self, number: int) -> Batch:
        """Return the batch of a step; the same one whenever it is asked for."""
        settings, n_old = self.settings, self.n_rehearsed
        random = step_random(settings.seed, number)
        n_new = settings.batch - n_old
        new = random_batch(self.samples, settings.crop, n_new, settings.augmentation, random)
        old = random_batch(self.fields, settings.crop, n_old, Augmentation(), random)
        return Batch(
            torch.cat([new.image, old.image]),
            torch.cat([new.labels, old.labels]),
            torch.cat([new.distance, old.distance]),
            torch.cat([new.known, old.known]),
        )


def tuning_loss(
    parent: UNet, n_rehearsed: int, network: UNet, batch: Batch, weights: LossWeights
) -> Tensor:
    """Return the loss on corrected crops, plus how far it is from the parent on synthetic ones.

    What is not known is pulled half to the parent's maps (Li, Hoiem, Learning without forgetting,
    ECCV 2016) and half to those of the nuclei that it found (Lee, Pseudo-label, ICML workshop
    2013), which are the batch's labels there: by the maps alone, a few nuclei that were missed
    teach the network to see nuclei everywhere. Dice is of what is known alone: it has no weights,
    so that all that the parent found would outweigh a few nuclei.

    Parameters
    ----------
    parent, network : UNet
        What is pulled to, and what is trained.
    n_rehearsed : int
        How many crops of the batch, the last ones, are synthetic ones.
    batch : Batch
        Known pixels have more weight than 1, the others 0.
    weights : LossWeights
        Of the maps and their losses.
    """
    device = next(network.parameters()).device
    image = batch.image.to(device).contiguous(memory_format=torch.channels_last)
    with autocast(device, training=True):
        logits = network(image).float()
        with torch.no_grad():
            own = parent(image).float().sigmoid()
    target, known = (part.to(device) for part in targets(batch, weights))
    taught = known > 0
    target = torch.where(taught[:, None], target, (own + target) / 2)
    known = known.clamp(min=1)
    new, old = slice(-n_rehearsed), slice(-n_rehearsed, None)
    pull = [
        REHEARSAL * weight * cross_entropy(logits[old, i], target[old, i], known[old])
        for i, weight in zip(range(logits.shape[1]), weights.per_map, strict=False)
    ]
    lesson = map_loss(logits[new], target[new], known[new], weights, taught[new])
    return lesson + torch.stack(pull).sum()
