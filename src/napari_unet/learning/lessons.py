"""Corrected crops as a fine-tune sees them: what is learned of each, and what is held out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from skimage.morphology import disk

from napari_unet.images.intensity import Normalisation
from napari_unet.images.micrograph import SyntheticSettings
from napari_unet.images.planes import network_input, resized_labels, zoomed
from napari_unet.images.synthetic import nuclei_field
from napari_unet.learning.augment import Sample, sample_of
from napari_unet.learning.corrections import rim_for
from napari_unet.learning.crops import Crop
from napari_unet.learning.runs import Scene
from napari_unet.network.card import Card
from napari_unet.nuclei.sizing import zoom_between

FEWEST_TO_HOLD_OUT = 4  # corrected nuclei; of fewer, each is needed to learn from
HELD_OUT_EVERY = 8
UNSURE, SURE = 0.45, 0.68  # of the nuclei in an image that is new, and in one like the trained
LEAST_EMPHASIS, MOST_EMPHASIS = 5.0, 300.0
MOST_JUDGED = 1_000_000  # px: a network is judged several times in the time of a fine-tune
LOOKS = (
    SyntheticSettings(),
    SyntheticSettings(photons=60, contrast=2, blur=2.0),
    SyntheticSettings(touching=0.9, texture=0.4),
    SyntheticSettings(contrast=1.0, shading=0.7, read_noise=10),
)
"""Of the synthetic fields that are rehearsed: plain, dim and blurred, crowded, uneven."""
DIAMETERS = (14.0, 24.0, 36.0)
Nucleus = tuple[str, int]
"""The source of its crop and its label there, which stay as more is corrected."""
Labels = NDArray[np.int32]
Label = Callable[[Scene], "Found"]
"""The parent: what it makes of a scene."""
NONE_YET: Mapping[Nucleus, bool] = MappingProxyType({})


class Found(NamedTuple):
    """What a network makes of a scene: ``labels`` (y, x), and how sure it is of them, 0..1."""

    labels: Labels
    sureness: float


@dataclass(frozen=True, eq=False)
class Lesson:
    """A corrected crop at the scale that the network is to see.

    Parameters
    ----------
    sample : Sample
        What is learned; what is held out is not known in it. Where nothing is known, its labels
        are the parent's; what is known has the weight of `emphasis`.
    scene : Scene
        Pixels and labels to judge by.
    known : (y, x) bool
        All that the user vouches for.
    learned, held_out : (n,) int32
        Labels of the known nuclei that are learned, and of those that are held out.
    own : (y, x) int32
        The parent's labels.
    sureness : float
        Of the parent in all crops, 0..1.
    """

    sample: Sample
    scene: Scene
    known: NDArray[np.bool_]
    learned: NDArray[np.int32]
    held_out: NDArray[np.int32]
    own: NDArray[np.int32]
    sureness: float

    @property
    def taught(self) -> NDArray[np.bool_]:
        """Where the labels are learned."""
        return self.sample.known[0].numpy() > 0

    @property
    def examined(self) -> NDArray[np.bool_]:
        """Where known labels are held out."""
        return self.known & ~self.taught

    def truth(self, chosen: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the labels of some nuclei alone."""
        return np.where(np.isin(self.scene.labels, chosen), self.scene.labels, 0)


def lessons_of(
    crops: Sequence[Crop],
    card: Card,
    label: Label,
    seed: int = 0,
    earlier: Mapping[Nucleus, bool] = NONE_YET,
) -> list[Lesson]:
    """Return corrected crops ready to learn from; of four or more nuclei, some are held out.

    Parameters
    ----------
    crops : sequence of Crop
        At least one.
    card : Card
        Of the model that is tuned: its scale and its normalisation.
    label : callable
        Gives the labels that this model makes of a scene.
    seed : int
        Decides which nuclei are held out.
    earlier : mapping of Nucleus to bool
        Nuclei of earlier lessons of the same run, and whether they were held out.
    """
    scaled = [_scaled(crop, card) for crop in crops]
    nuclei = [
        [(crop.source, int(label)) for label in np.setdiff1d(labels[known], [0])]
        for crop, (_, labels, known) in zip(crops, scaled, strict=True)
    ]
    n = n_judged([known.size for _, _, known in scaled])
    chosen = held_out({nucleus for each in nuclei[:n] for nucleus in each}, seed, earlier)
    found = [label(Scene(pixels, labels)) for pixels, labels, _ in scaled]
    sureness = pooled_sureness(found)
    return [
        _lesson(
            *parts,
            np.array([it[1] for it in each if it in chosen], np.int32),
            card,
            Found(own.labels, sureness),
        )
        for parts, each, own in zip(scaled, nuclei, found, strict=True)
    ]


def pooled_sureness(found: Sequence[Found]) -> float:
    """Return how sure a model is of all that it found, 0..1.

    Crops count by their nuclei, so that one with a speck of debris alone decides nothing; one
    without any counts as one nucleus that the model did not see.

    Examples
    --------
    >>> pooled_sureness([Found(np.array([[1, 2, 3]]), 0.8), Found(np.array([[0, 0, 0]]), 0.0)])
    0.6
    """
    counts = [np.unique(each.labels[each.labels > 0]).size for each in found]
    weights = np.maximum(counts, 1)
    return float(np.average([each.sureness for each in found], weights=weights).round(6))


def n_judged(sizes: Sequence[int]) -> int:
    """Return of how many crops, the first ones, there is time to judge; always one.

    Parameters
    ----------
    sizes : sequence of int
        Pixels of each.

    Examples
    --------
    >>> n_judged([300_000, 600_000, 600_000]), n_judged([10_000_000])
    (2, 1)
    """
    return max(1, int(np.searchsorted(np.cumsum(sizes), MOST_JUDGED, side="right")))


def held_out(
    nuclei: Collection[Nucleus], seed: int = 0, earlier: Mapping[Nucleus, bool] = NONE_YET
) -> set[Nucleus]:
    """Return the nuclei to judge by: those that were, and new ones; none that was once learned.

    Examples
    --------
    >>> sorted(held_out([("a", 1), ("a", 2), ("a", 3), ("a", 9)], earlier={("a", 9): True}))
    [('a', 9)]
    >>> held_out([("a", 1), ("a", 2), ("a", 3)])
    set()
    """
    n = 0 if len(nuclei) < FEWEST_TO_HOLD_OUT else max(1, len(nuclei) // HELD_OUT_EVERY)
    still = {nucleus for nucleus in nuclei if earlier.get(nucleus)}
    new = sorted(set(nuclei) - earlier.keys(), key=lambda nucleus: _lot(seed, nucleus))
    return still | set(new[: max(0, n - len(still))])


def _lot(seed: int, nucleus: Nucleus) -> bytes:
    """Return what a nucleus draws: the same, whatever others there are."""
    # A file's name may hold bytes that are no text; Python keeps them as surrogates.
    return blake2b(f"{seed} {nucleus}".encode("utf-8", "surrogatepass")).digest()


def rehearsal(card: Card) -> list[Scene]:
    """Return synthetic fields that stand for the images the model knew: to train on, to judge by.

    They cost nothing and belong to nobody, and what the parent makes of them need not be lost.
    Drawing them takes some seconds, once in a process.
    """
    return list(_rehearsal(card.normalisation))


def rehearsed(field: Scene, label: Label) -> Sample:
    """Return a field to train on: nothing is known of it but what the parent makes of it."""
    return sample_of(field.pixels[:1], label(field).labels, np.zeros(field.labels.shape, bool))


@cache
def _rehearsal(normalisation: Normalisation) -> tuple[Scene, ...]:
    fields = [
        nuclei_field((256, 256), n=90, diameter=diameter, seed=number, settings=look)
        for number, (look, diameter) in enumerate(
            (look, diameter) for look in LOOKS for diameter in DIAMETERS
        )
    ]
    return tuple(Scene(network_input(image, normalisation), labels) for image, labels in fields)


def _scaled(
    crop: Crop, card: Card
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]:
    """Return pixels (3, y, x), labels and known (y, x) at the model's scale."""
    pixels = zoomed(
        network_input(crop.pixels, card.normalisation, crop.limits),
        zoom_between(crop.diameter, card.diameter),
    )
    size = pixels.shape[1:]
    return pixels, resized_labels(crop.labels, size), resized_labels(crop.known, size)


def _lesson(
    pixels: NDArray[np.float32],
    labels: NDArray[np.int32],
    known: NDArray[np.bool_],
    held_out: NDArray[np.int32],
    card: Card,
    found: Found,
) -> Lesson:
    """Return a crop without the held-out nuclei, and the rim around them, to learn from."""
    rim = disk(rim_for(card.diameter))
    taught = known & ~binary_dilation(np.isin(labels, held_out), rim)
    is_grey = bool((pixels == pixels[:1]).all())
    scene = Scene(pixels, labels)
    own, sureness = found
    sample = sample_of(
        pixels[:1] if is_grey else pixels,
        taught_or(labels, taught, own),
        taught * emphasis(sureness),
    )
    return Lesson(
        # Already at the model's scale: sizes are relative from here on.
        replace(sample, diameter=1.0),
        scene,
        known,
        np.setdiff1d(labels[taught], [0, *held_out]).astype(np.int32),
        held_out,
        own,
        sureness,
    )


def emphasis(sureness: float) -> float:
    """Return how many pixels that are not known a known one counts as.

    Of ten painted nuclei, little is known beside all the rest, which is learned as the parent has
    it: a model that is sure of what it finds stays so nearly everywhere, and one that is not, as
    on images of a kind that it has never seen, learns from the painted ones what nuclei are.

    Parameters
    ----------
    sureness : float
        Of the parent, 0..1, see `nuclei.sizing.sureness`.

    Examples
    --------
    >>> emphasis(0.9), round(emphasis(0.6)), emphasis(0.3)
    (5.0, 21, 300.0)
    """
    doubt = np.interp(sureness, (UNSURE, SURE), (1.0, 0.0))
    return float(LEAST_EMPHASIS * (MOST_EMPHASIS / LEAST_EMPHASIS) ** doubt)


def taught_or(
    labels: NDArray[np.int32], taught: NDArray[np.bool_], own: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return labels where they are taught, and the parent's own, as others, everywhere else.

    Examples
    --------
    >>> labels, own = np.array([[4, 4, 0, 0]], np.int32), np.array([[0, 1, 1, 2]], np.int32)
    >>> taught_or(labels, np.array([[True, True, True, False]]), own).tolist()
    [[4, 4, 0, 6]]
    """
    others = np.where(own > 0, own + labels.max(), 0)
    return np.where(taught, labels, others)
