"""What a model's card says of how the model came about, read with care.

What a card's ``training`` holds may come from elsewhere: a fact of another type than expected
counts as not known.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from napari_unet.network.card import Card

LARGEST = sys.float_info.max
PUBLISHED = "published"  # the fact in `Card.training`
MARKS = {"corrected": "corrected nuclei", "kept": "what was kept", "rehearsed": "drawn nuclei"}
"""Scores of a fine-tune before and after, by their names in the card, and in words."""


@dataclass(frozen=True)
class Learned:
    """What a card says of how its model came about; None, "" or nothing where it does not.

    Parameters
    ----------
    date : str
        ISO 8601.
    images : tuple of str
        Names of the images that were corrected.
    n_nuclei : int, optional
        Nuclei that were corrected or confirmed.
    steps, seconds : float, optional
        Length of the run.
    held_out : bool, optional
        Whether the corrected nuclei of the scores were held back from learning.
    before, after : dict of float
        Scores of the parent and of the model, see `MARKS`.
    parent_name : str
        What the parent was called then.
    """

    date: str = ""
    images: tuple[str, ...] = ()
    n_nuclei: int | None = None
    steps: int | None = None
    seconds: float | None = None
    held_out: bool | None = None
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    parent_name: str = ""

    @classmethod
    def of_card(cls, card: Card) -> Learned:
        """Return what a card says."""
        facts = card.training
        held_out, images = facts.get("held_out"), facts.get("image_names")
        n_nuclei, steps = (_number(facts.get(name)) for name in ("n_nuclei", "steps"))
        return cls(
            date=printable(facts.get("date")),
            images=tuple(_texts(images)),
            n_nuclei=None if n_nuclei is None else int(n_nuclei),
            steps=None if steps is None else int(steps),
            seconds=_number(facts.get("seconds")),
            held_out=held_out if isinstance(held_out, bool) else None,
            before=_marks(facts.get("before")),
            after=_marks(facts.get("after")),
            parent_name=printable(facts.get("parent_name")),
        )

    def change(self, mark: str) -> str:
        """Return a score before and after as text; empty if it is not known."""
        values = [marks[mark] for marks in (self.before, self.after) if mark in marks]
        return " -> ".join(f"{value:.2f}" for value in values)

    @property
    def when(self) -> str:
        """The date, and the time of day here if that is known."""
        try:
            moment = datetime.fromisoformat(self.date)
        except ValueError:
            return self.date
        return self.date if moment.tzinfo is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def published_of(card: Card) -> dict[str, Any] | None:
    """Return who made a package of another program and what is to be cited; None for others.

    Returns
    -------
    dict, optional
        name, version, id and licence, texts; authors and cite, lists of texts.
    """
    facts = card.training.get(PUBLISHED)
    if not isinstance(facts, dict):
        return None
    texts = {name: printable(facts.get(name)) for name in ("name", "version", "id", "licence")}
    return {**texts, **{name: _texts(facts.get(name)) for name in ("authors", "cite")}}


def known_scores(card: Card) -> dict[str, float]:
    """Return a card's scores on validation images that are numbers."""
    return _numbers(card.scores)


def _marks(value: Any) -> dict[str, float]:
    """Return the scores before or after a fine-tune."""
    found = _numbers(value) if isinstance(value, dict) else {}
    return {name: found[name] for name in MARKS if name in found}


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    found = {printable(name): _number(value) for name, value in values.items()}
    return {name: number for name, number in found.items() if number is not None}


def _texts(values: Any) -> list[str]:
    return list(filter(None, map(printable, values))) if isinstance(values, list) else []


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers may be larger than any float.
    return value if is_number and abs(value) <= LARGEST else None


def printable(value: Any) -> str:
    """Return a text without what could move the cursor of a terminal; empty if it is none."""
    return "".join(filter(str.isprintable, value)) if isinstance(value, str) else ""
