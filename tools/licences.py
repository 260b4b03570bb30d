"""Prints the licence of everything that is installed with the package, extras left out."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

PACKAGE = "napari-unet-nuclei"


def main() -> int:
    found = {each.metadata["Name"]: licence_of(each) for each in needed(PACKAGE)}
    for name, licence in sorted(found.items(), key=lambda item: item[0].lower()):
        print(f"{name:28} {licence}")
    return int("not stated" in found.values())


def needed(name: str, seen: set[str] | None = None) -> list[Distribution]:
    """Return what a distribution needs, and itself, each once."""
    seen = set() if seen is None else seen
    if name.lower().replace("_", "-") in seen:
        return []
    seen.add(name.lower().replace("_", "-"))
    try:
        own = distribution(name)
    except PackageNotFoundError:
        return []
    wanted = [Requirement(text) for text in own.requires or []]
    here = [each for each in wanted if not each.marker or each.marker.evaluate({"extra": ""})]
    return [own, *(other for each in here for other in needed(each.name, seen))]


def licence_of(own: Distribution) -> str:
    """Return a licence in one line: the expression, the classifiers, or how its text begins."""
    facts = own.metadata
    classifiers = [
        each.rpartition(" :: ")[2]
        for each in facts.get_all("Classifier") or []
        if each.startswith("License :: ")
    ]
    text = facts.get("License-Expression") or ", ".join(classifiers) or facts.get("License") or ""
    return next(iter(text.strip().splitlines()), "not stated")[:80]


if __name__ == "__main__":
    sys.exit(main())
