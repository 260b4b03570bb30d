"""Where models come from: their ancestry, what each learned from, scores before and after.

Read from the headers of the files alone, without torch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from napari_unet.images.amounts import time_text
from napari_unet.network.card import Card
from napari_unet.network.files import known_hash, read_card
from napari_unet.network.library import ModelFile, list_models
from napari_unet.network.provenance import MARKS, Learned, known_scores, printable, published_of

JUDGED = {True: "nuclei held back", False: "the nuclei that it learned from"}


@dataclass(frozen=True)
class Version:
    """A model as its file's header tells of it.

    Parameters
    ----------
    file : ModelFile
        Name and place.
    sha256 : str
        Of the file; empty if it cannot be read.
    card : Card, optional
        None if the file is damaged.
    problem : str
        What is wrong with the file, in one sentence.
    """

    file: ModelFile
    sha256: str = ""
    card: Card | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.file.name

    @property
    def parent(self) -> str:
        """SHA-256 of its parent; empty if it was not tuned from another model."""
        return (self.card.parent if self.card else None) or ""

    @cached_property
    def learned(self) -> Learned:
        """What it learned from, and what that brought."""
        return Learned.of_card(self.card) if self.card else Learned()


@dataclass(frozen=True)
class Branch:
    """A model and those that were tuned from it.

    Parameters
    ----------
    name : str
        Of the model.
    version : Version, optional
        None if only its children tell of it.
    children : tuple of Branch
        The oldest first.
    """

    name: str
    version: Version | None
    children: tuple[Branch, ...] = ()


def list_versions() -> list[Version]:
    """Return the models that can be loaded by name, the built-in ones first."""
    return [read_version(file) for file in list_models()]


def read_version(file: ModelFile) -> Version:
    """Return what a file's header tells; a damaged one has a problem instead of a card."""
    try:
        card = read_card(file.path)
        return Version(file, known_hash(file.path), card)
    except (ValueError, OSError) as error:
        return Version(file, problem=str(error))


def ancestry(versions: Sequence[Version]) -> tuple[Branch, ...]:
    """Return models below their parents; a parent that is gone stands there without a version."""
    own = {version.sha256: version for version in reversed(versions)}
    children = defaultdict(list)
    for version in sorted(versions, key=lambda version: version.learned.date):
        children[version.parent].append(version)

    def branch(version: Version) -> Branch:
        # Of two copies of one file the first has the children.
        mine = children[version.sha256] if own[version.sha256] is version else []
        below = mine if version.sha256 else []
        return Branch(version.name, version, tuple(map(branch, below)))

    gone = [parent for parent in children if parent and parent not in own]
    return (
        *(branch(version) for version in versions if not version.parent),
        *(
            Branch(_name_by(children[parent]), None, tuple(map(branch, children[parent])))
            for parent in gone
        ),
    )


def walk(branches: Sequence[Branch], depth: int = 0) -> Iterator[tuple[int, Branch]]:
    """Yield every branch, parents first, with how deep it lies."""
    for branch in branches:
        yield depth, branch
        yield from walk(branch.children, depth + 1)


def parent_of(version: Version, versions: Sequence[Version]) -> Version:
    """Return the model that another one was tuned from.

    Raises
    ------
    ValueError
        If there is none, or it is gone.
    """
    if not version.parent:
        raise ValueError(
            f"{version.name!r} was not tuned from another model; there is none to go back to."
        )
    for other in versions:
        if other.sha256 == version.parent:
            return other
    raise ValueError(
        f"Expected {_name_by([version])!r}, from which {version.name!r} was tuned, got no such "
        "model; restore or import it first."
    )


def parent_text(version: Version, versions: Sequence[Version]) -> str:
    """Return what a model's parent is called now, or was called if it is gone; empty if none."""
    name, is_here = _parent_name(version, versions)
    return name if is_here or not name else f"{name} (gone)"


def describe(version: Version, versions: Sequence[Version]) -> dict[str, str]:
    """Return all that is known of a model, in words; empty where nothing is.

    Parameters
    ----------
    version : Version
        The model.
    versions : sequence of Version
        Those among which its parent may be.
    """
    learned, card = version.learned, version.card
    scores = known_scores(card) if card else {}
    marks = {words: learned.change(mark) for mark, words in MARKS.items()}
    return {
        "problem": version.problem,
        "parent": parent_text(version, versions),
        "line": printable(card.line) if card else "",
        "date": learned.when,
        "images": ", ".join(learned.images),
        "corrections": _or_empty(learned.n_nuclei, "{} nuclei"),
        **marks,
        "judged by": JUDGED.get(learned.held_out, "") if learned.held_out is not None else "",
        "steps": _or_empty(learned.steps, "{}"),
        "learned for": "" if learned.seconds is None else time_text(learned.seconds),
        "diameter": f"{card.diameter:.1f} px" if card else "",
        "network": card.config.variant if card else "",
        "published": _published(card) if card else "",
        "file": str(version.file.path),
        "SHA-256": version.sha256,
        **{name: f"{value:.3f}" for name, value in scores.items()},
    }


def compare(
    first: Version, second: Version, versions: Sequence[Version]
) -> list[tuple[str, str, str]]:
    """Return what is known of two models side by side: the fact, and its text for each."""
    facts, others = describe(first, versions), describe(second, versions)
    rows = [(name, facts.get(name, ""), others.get(name, "")) for name in facts | others]
    return [row for row in rows if any(row[1:])]


def as_json(version: Version, versions: Sequence[Version]) -> dict[str, Any]:
    """Return all that is known of a model, for other programs; None where nothing is."""
    learned, card = version.learned, version.card
    name, _ = _parent_name(version, versions)
    return {
        "name": version.name,
        "built_in": version.file.built_in,
        "parent": {"name": name, "sha256": version.parent} if version.parent else None,
        "line": card.line if card else None,
        "date": learned.date or None,
        "images": list(learned.images),
        "corrections": learned.n_nuclei,
        "before": learned.before,
        "after": learned.after,
        "held_out": learned.held_out,
        "steps": learned.steps,
        "seconds": learned.seconds,
        "diameter": card.diameter if card else None,
        "scores": known_scores(card) if card else {},
        "path": str(version.file.path),
        "sha256": version.sha256,
    }


def _parent_name(version: Version, versions: Sequence[Version]) -> tuple[str, bool]:
    """Return what a model's parent is called, empty if it has none, and whether it is here."""
    if not version.parent:
        return "", False
    names = [other.name for other in versions if other.sha256 == version.parent]
    return (names[0], True) if names else (_name_by([version]), False)


def _name_by(children: Sequence[Version]) -> str:
    """Return what a model that is gone was called, as its children know."""
    names = [child.learned.parent_name for child in children if child.learned.parent_name]
    return names[0] if names else f"model {children[0].parent[:8]}"


def _published(card: Card) -> str:
    """Return the package of another program that a network comes from, and its citations."""
    facts = published_of(card) or {"name": "", "cite": []}
    return "; ".join(filter(None, [facts["name"], *facts["cite"]]))


def _or_empty(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
