"""What is wrong with each nucleus: missed, invented, merged, split or badly outlined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from napari_unet.nuclei.metrics import Scores, score
from napari_unet.nuclei.shared import Shared, numbered, share

RIGHT_FROM = 0.75
"""IoU from which the outline of a nucleus is right: that of AP75, the stricter of the usual two."""

Box = tuple[slice, ...]


class Kind(IntEnum):
    """How a nucleus was found; the values are those of an error image, where 0 is background."""

    RIGHT = 1
    MISSED = 2
    INVENTED = 3
    MERGED = 4
    SPLIT = 5
    BADLY_OUTLINED = 6

    @property
    def words(self) -> str:
        """The kind as a user reads it."""
        return self.name.lower().replace("_", " ")


# Told apart by colour-blind eyes, on dark and light grounds (Okabe, Ito, 2008).
COLOURS = {
    Kind.RIGHT: "#009e73",
    Kind.MISSED: "#d55e00",
    Kind.INVENTED: "#cc79a7",
    Kind.MERGED: "#e69f00",
    Kind.SPLIT: "#56b4e9",
    Kind.BADLY_OUTLINED: "#f0e442",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is right or wrong.

    Parameters
    ----------
    kind : Kind
        Which.
    found, truth : tuple of int
        Ids of the nuclei that it is about.
    iou : float
        The largest IoU between these; 0 where there is none on one side.
    box : tuple of slice
        Where it is.
    """

    kind: Kind
    found: tuple[int, ...]
    truth: tuple[int, ...]
    iou: float
    box: Box


@dataclass(frozen=True, eq=False)
class Judgement:
    """What came of comparing found nuclei with true ones.

    Parameters
    ----------
    scores : Scores
        AP, F1, PQ and Dice.
    found, truth : dict of int to Kind
        The kind of every nucleus by its id; true ones are never invented, found ones never missed.
    findings : tuple of Finding
        In the order of the kinds. A nucleus may be in two of them, see `judge`.
    image : array of uint8, shape of the labels
        Kinds as colours: those of the found nuclei, and the missed where nothing was found.
    """

    scores: Scores
    found: dict[int, Kind]
    truth: dict[int, Kind]
    findings: tuple[Finding, ...]
    image: npt.NDArray[np.uint8]


def judge(found: npt.ArrayLike, truth: npt.ArrayLike, right_from: float = RIGHT_FROM) -> Judgement:
    """Return what is right and what is wrong with every nucleus.

    A found and a true nucleus are *partners* if they share more than half of the pixels of the
    smaller one. Every pair with an IoU above 0.5 is one of partners.

    - *merged*: a found nucleus with several true partners, and these;
    - *split*: a true nucleus with several found partners, and these;
    - *missed*: a true nucleus without a partner;
    - *invented*: a found nucleus without a partner;
    - *right*: two that are the only partners of each other, with an IoU of ``right_from`` or more;
    - *badly outlined*: two such with a lower IoU.

    These are the classes that Hoover et al. (1996, IEEE Transactions on Pattern Analysis and
    Machine Intelligence 18, 673-689) call under-segmented, over-segmented, missed, noise and
    correct; more than half of a region is also what the Cell Tracking Challenge asks of a
    detection (Matula et al. 2015, PLoS ONE 10, e0144959). Where the border between two nuclei is
    far off, one of them may be merged and split at once: both are findings, and its kind is
    merged. AP, F1 and PQ match nuclei by their IoU alone, so their counts differ from these.

    Parameters
    ----------
    found, truth : array of int, same shape, any number of dimensions
        0 is background, every other value one nucleus.
    right_from : float
        Least IoU of a right outline, 0..1.

    Raises
    ------
    ValueError
        If the shapes differ, a label is negative or the IoU is out of range.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> judgement = judge([1, 1, 1, 1, 0, 2, 2], [5, 5, 6, 6, 0, 0, 0])
    >>> [(it.kind.words, it.found, it.truth) for it in judgement.findings]
    [('invented', (2,), ()), ('merged', (1,), (5, 6))]
    >>> judgement.image
    array([4, 4, 4, 4, 0, 3, 3], dtype=uint8)
    """
    if not 0 <= right_from <= 1:
        raise ValueError(f"Expected an IoU from 0 to 1, got {right_from}; choose another value.")
    found, truth = np.asarray(found), np.asarray(truth)
    shared = share(found, truth)
    partners = _partners(shared)
    kinds = _kinds(partners, right_from)
    found, truth = numbered(found, shared.predicted), numbered(truth, shared.truth)
    boxes = _boxes(found), _boxes(truth)
    return Judgement(
        scores=score(shared),
        found=_by_id(shared.predicted, kinds[0]),
        truth=_by_id(shared.truth, kinds[1]),
        findings=tuple(_findings(shared, partners, kinds, boxes)),
        image=_painted(found, truth, kinds),
    )


_KindArrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def _partners(shared: Shared) -> sparse.csr_array:
    """Return the IoU of the pairs that share more than half of the smaller one."""
    pairs = shared.pixels.tocoo()
    found, truth = shared.predicted_sizes[pairs.row], shared.truth_sizes[pairs.col]
    half = pairs.data * 2 > np.minimum(found, truth)
    iou = (pairs.data / (found + truth - pairs.data))[half]
    return sparse.csr_array((iou, (pairs.row[half], pairs.col[half])), shape=pairs.shape)


def _kinds(partners: sparse.csr_array, right_from: float) -> _KindArrays:
    """Return the kind of each found, and of each true nucleus; the strongest is written last."""
    pairs = partners.tocoo()
    n_true = np.bincount(pairs.row, minlength=pairs.shape[0])
    n_found = np.bincount(pairs.col, minlength=pairs.shape[1])
    right = np.where(pairs.data >= right_from, Kind.RIGHT, Kind.BADLY_OUTLINED)
    found = np.full(len(n_true), Kind.INVENTED, np.uint8)
    truth = np.full(len(n_found), Kind.MISSED, np.uint8)
    found[pairs.row], truth[pairs.col] = right, right
    for kind, wrong in (
        (Kind.SPLIT, n_found[pairs.col] > 1),
        (Kind.MERGED, n_true[pairs.row] > 1),
    ):
        found[pairs.row[wrong]] = truth[pairs.col[wrong]] = kind
    return found, truth


def _findings(
    shared: Shared,
    partners: sparse.csr_array,
    kinds: _KindArrays,
    boxes: tuple[list[Box], list[Box]],
) -> Iterator[Finding]:
    """Yield all findings, kind by kind."""
    found_ids, truth_ids = shared.predicted.tolist(), shared.truth.tolist()
    of_found, of_truth = partners, partners.T.tocsr()
    for kind in Kind:
        if kind in (Kind.MISSED, Kind.SPLIT):
            for number in _concerned(kind, of_truth, kinds[1]):
                found, iou = _row(of_truth, number, found_ids)
                yield Finding(kind, found, (truth_ids[number],), iou, boxes[1][number])
        else:
            for number in _concerned(kind, of_found, kinds[0]):
                truth, iou = _row(of_found, number, truth_ids)
                yield Finding(kind, (found_ids[number],), truth, iou, boxes[0][number])


def _concerned(kind: Kind, partners: sparse.csr_array, kinds: npt.NDArray[np.uint8]) -> list[int]:
    """Return the rows that findings of a kind are about: of those with several partners, all."""
    is_shared = kind in (Kind.MERGED, Kind.SPLIT)
    rows = np.diff(partners.indptr) > 1 if is_shared else kinds == kind
    return [int(number) for number in np.flatnonzero(rows)]


def _row(partners: sparse.csr_array, number: int, ids: list[int]) -> tuple[tuple[int, ...], float]:
    """Return the ids of the partners in a row, and the largest IoU with one of them."""
    place = slice(partners.indptr[number], partners.indptr[number + 1])
    columns = sorted(partners.indices[place].tolist())
    return tuple(ids[i] for i in columns), float(partners.data[place].max(initial=0))


def _boxes(labels: npt.NDArray[np.int32]) -> list[Box]:
    boxes: list[Box] = ndimage.find_objects(labels) if labels.size else []
    return boxes


def _by_id(ids: npt.NDArray[np.integer], kinds: npt.NDArray[np.uint8]) -> dict[int, Kind]:
    return {int(label): Kind(kind) for label, kind in zip(ids, kinds.tolist(), strict=True)}


def _painted(
    found: npt.NDArray[np.int32], truth: npt.NDArray[np.int32], kinds: _KindArrays
) -> npt.NDArray[np.uint8]:
    """Return the error image of numbered labels."""
    of_found, of_truth = (np.concatenate([np.zeros(1, np.uint8), each]) for each in kinds)
    missed = np.where(of_truth == Kind.MISSED, of_truth, 0)
    image = of_found[found]
    return np.where(image > 0, image, missed[truth]).astype(np.uint8)
