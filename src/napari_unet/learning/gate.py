"""Whether a tuned network is better than its parent, and how far to go from one to the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import clear_border

from napari_unet.learning.lessons import FEWEST_TO_HOLD_OUT, SURE, Found, Labels, Lesson
from napari_unet.learning.runs import Scene
from napari_unet.network.card import Card
from napari_unet.network.model import Model
from napari_unet.network.unet import UNet
from napari_unet.nuclei.instances import instances
from napari_unet.nuclei.metrics import Scores, evaluate, overlaps
from napari_unet.nuclei.sizing import sureness

SHARES = (1.0, 0.75, 0.5, 0.25)
"""How far from parent to child the weights are tried (Wortsman et al., CVPR 2022)."""
CAUTIOUS_SHARES = SHARES[2:]
"""Those that are tried where too little is held out to tell how far is too far, unless the parent
is unsure of these images: then there is little to lose."""
FEWEST_TO_JUDGE = 6  # nuclei held out; fewer say nothing alone
MOST_FORGOTTEN = 0.03  # of the mean AP on synthetic fields
LEAST_KEPT = 0.5  # overlap with the parent where nothing was corrected, if little was gained
NO_GAIN = 0.01  # of the mean overlap with corrected nuclei: less is none
LEAST_GAIN = 0.03  # of the mean overlap with held-out nuclei: less may be chance
LEAST_LEARNED = 1.0  # of the summed overlap with nuclei that were learned: one nucleus more
LEAST_OF_LEFT = 0.25  # of what is left to gain: as much is enough, and of a sure parent's, needed
MATCH = 0.5  # least IoU of a nucleus that was found


@dataclass(frozen=True)
class Marks:
    """How a network does on what was corrected, and on what was not; 0..1, higher is better.

    Parameters
    ----------
    corrected : float
        Overlap of the network's nuclei with the corrected ones that were held out, or with all
        corrected ones where too few were. See `agreement`.
    held_out : bool
        Whether enough were held out.
    kept : float
        Overlap with the parent's nuclei of which nothing was corrected.
    rehearsed : float
        Mean AP at IoU .5 to .9 on synthetic fields.
    n_known : int
        Number of known nuclei, called right ones too, and of those that the network found where
        there are none.
    is_sure : bool
        Whether the parent is sure of what it finds in these images.
    """

    corrected: float
    held_out: bool
    kept: float
    rehearsed: float
    n_known: int = 1
    is_sure: bool = False


@dataclass(frozen=True, eq=False)
class Exam:
    """What networks are judged by.

    Parameters
    ----------
    card : Card
        Of the parent.
    lessons : sequence of Lesson
        What was corrected.
    fields : sequence of Scene
        Synthetic ones.
    """

    card: Card
    lessons: Sequence[Lesson]
    fields: Sequence[Scene]

    @property
    def is_held_out(self) -> bool:
        """Whether networks are judged by corrected nuclei that none learned from."""
        return sum(lesson.held_out.size for lesson in self.lessons) >= FEWEST_TO_JUDGE

    @property
    def is_sure(self) -> bool:
        """Whether the parent is sure of what it finds in these images."""
        return fmean(lesson.sureness for lesson in self.lessons) >= SURE

    @property
    def shares(self) -> tuple[float, ...]:
        """How far from parent to child networks are tried."""
        return CAUTIOUS_SHARES if self.is_sure and not self.is_held_out else SHARES

    def marks(self, network: UNet) -> Marks:
        """Return a network's marks; it is in evaluation mode."""
        found = [label_scene(network, self.card, each.scene).labels for each in self.lessons]
        pairs = list(zip(found, self.lessons, strict=True))
        held_out = [agreement(f, e.truth(e.held_out), e.examined) for f, e in pairs]
        learned = [agreement(f, e.truth(e.learned), e.taught) for f, e in pairs]
        fields = (
            evaluate(label_scene(network, self.card, field).labels, field.labels)
            for field in self.fields
        )
        corrected = [*held_out, *learned]
        return Marks(
            _mean(held_out if self.is_held_out else corrected),
            self.is_held_out,
            _mean(agreement(f, elsewhere(e.own, e.known), nowhere(f)) for f, e in pairs),
            sum(fields, start=Scores()).mean_ap,
            sum(count for _, count in corrected),
            self.is_sure,
        )


def agreement(found: Labels, expected: Labels, zone: NDArray[np.bool_]) -> tuple[float, int]:
    """Return the sum of the best overlaps of some nuclei, and how many there are.

    Parameters
    ----------
    found : (y, x) int32
        Labels of a network.
    expected : (y, x) int32
        The nuclei that it should have found.
    zone : (y, x) bool
        Where it should have found no others: those that lie mostly in there count as missed.

    Examples
    --------
    >>> found = np.array([[1, 1, 0, 2, 2]], np.int32)
    >>> agreement(found, np.array([[7, 7, 7, 0, 0]], np.int32), np.full((1, 5), True))
    (0.6666666666666666, 2)
    """
    iou = overlaps(found, expected)
    n_found, n_expected = iou.shape
    best = iou.max(axis=0).toarray() if n_found else np.zeros(n_expected)
    matched = iou.max(axis=1).toarray() >= MATCH if n_expected else np.zeros(n_found, bool)
    sizes = np.unique_counts(found[found > 0])
    inside = np.bincount(
        np.searchsorted(sizes.values, found[zone & (found > 0)]), minlength=n_found
    )
    n_invented = np.count_nonzero((2 * inside > sizes.counts) & ~matched)
    return float(best.sum()), int(n_expected + n_invented)


def elsewhere(labels: Labels, known: NDArray[np.bool_]) -> Labels:
    """Return the nuclei of which nothing is known and which the crop shows whole.

    Parameters
    ----------
    labels : (y, x) int32
        Of all nuclei of a crop.
    known : (y, x) bool
        Where the user vouches for the labels.
    """
    whole = clear_border(labels)
    return np.where(np.isin(whole, labels[known]), 0, whole)


def nowhere(labels: Labels) -> NDArray[np.bool_]:
    """Return an empty zone: a nucleus that was missed before may well be found now."""
    return np.zeros(labels.shape, bool)


def label_scene(network: UNet, card: Card, scene: Scene) -> Found:
    """Return a network's labels of a scene at its own scale, and how sure it is of them.

    Parameters
    ----------
    network : UNet
        Any of this kind, on any device.
    card : Card
        Says how labels are made of its maps.
    scene : Scene
        Its pixels are taken as they are, without scaling.
    """
    maps = Model(network, card).predict(scene.pixels)
    inside = maps[0] > card.instances.threshold
    return Found(instances(maps, card.instances), sureness(maps[0], inside))


def between(parent: UNet, child: UNet, share: float) -> UNet:
    """Return a network whose weights lie between two others': 0 is the parent, 1 the child."""
    network = deepcopy(parent).eval()
    ends = parent.state_dict(), child.state_dict()
    weights = {
        name: old.lerp(ends[1][name], share) if old.is_floating_point() else old
        for name, old in ends[0].items()
    }
    network.load_state_dict(weights)
    return network


def comparison(before: Marks, after: Marks) -> str:
    """Return in one sentence what a fine-tune brought."""
    which = "corrected nuclei held back" if after.held_out else "the corrected nuclei"
    return (
        f"Overlap with {which}: {before.corrected:.2f} before, {after.corrected:.2f} after; "
        f"{after.kept:.0%} of the rest stayed as it was."
    )


def objection(before: Marks, after: Marks) -> str:
    """Return in one sentence why a network should not replace its parent; empty if it may.

    What `comparison` says is not said again.
    """
    if after.rehearsed < before.rehearsed - MOST_FORGOTTEN:
        return (
            f"It forgot what it knew: on drawn nuclei it fell from {before.rehearsed:.2f} to "
            f"{after.rehearsed:.2f}."
        )
    # A parent that was as wrong as that of what was corrected is wrong of the rest, too.
    if after.kept < LEAST_KEPT - max(0.0, after.corrected - before.corrected):
        return "It changed too much that was not corrected."
    if not after.corrected - before.corrected >= _least_gain(before):
        return "It does not get the corrected nuclei clearly better."
    if before.is_sure and before.n_known < FEWEST_TO_HOLD_OUT:
        return (
            f"The model knows such images well, and fewer than {FEWEST_TO_HOLD_OUT} corrected "
            "or confirmed nuclei may be exceptions."
        )
    return ""


def _least_gain(before: Marks) -> float:
    """Return by how much a network must get the corrected nuclei better.

    Where little is left to gain, a quarter of that is enough. Of nuclei that it learned from, it
    must get one more right, or half of all there is to gain: less than that says nothing of others.
    From a parent that is sure of the images a few nuclei that it has wrong are exceptions, which
    teach little of others: there a quarter of what is left must be gained, however many they are.
    """
    left = 1 - before.corrected
    if before.held_out:
        return max(NO_GAIN, min(LEAST_GAIN, left * LEAST_OF_LEFT))
    least = min(LEAST_LEARNED / max(1, before.n_known), left / 2)
    return max(NO_GAIN, least, left * LEAST_OF_LEFT if before.is_sure else 0.0)


def _mean(sums: Iterable[tuple[float, int]]) -> float:
    """Return the mean over the nuclei of all crops; 1 if there were none to find or invent."""
    total, count = np.sum([(0.0, 0), *sums], axis=0)
    return float(total / count) if count else 1.0
