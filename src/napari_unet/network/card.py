"""What a model file says of itself, and the checks on what a file from elsewhere claims."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from napari_unet.images.intensity import Normalisation
from napari_unet.network.unet import UNetConfig
from napari_unet.nuclei.instances import InstanceSettings

__all__ = ["Card", "card_from_json", "card_to_json"]

FORMAT = 1
Settings = TypeVar("Settings", UNetConfig, Normalisation, InstanceSettings)


@dataclass(frozen=True)
class Card:
    """A model's facts, kept in the header of its file.

    Parameters
    ----------
    name : str
        What the user calls it.
    config : UNetConfig
        The network's shape.
    diameter : float
        Median diameter, in pixels, of the nuclei it was trained on.
    normalisation : Normalisation
        How the images were brought to one range.
    instances : InstanceSettings
        Thresholds that suit this model.
    training : dict
        Data, licence, recipe, date, duration: whatever the training run wrote down.
    scores : dict of float
        Scores on the validation images.
    parent : str, optional
        SHA-256 of the model file that this one was tuned from.
    """

    name: str
    config: UNetConfig
    diameter: float
    normalisation: Normalisation = Normalisation()
    instances: InstanceSettings = InstanceSettings()
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    parent: str | None = None


def card_to_json(card: Card) -> str:
    """Write a card as JSON text."""
    return json.dumps({"format": FORMAT, **asdict(card)}, sort_keys=True)


def card_from_json(text: str) -> Card:
    """Read a card from JSON text.

    Raises
    ------
    ValueError
        If it is no card of this format, or a value is out of its range.
    """
    try:
        facts = json.loads(text)
        if facts.pop("format") != FORMAT:
            raise ValueError("it was written by a newer version")
        parts: dict[str, Any] = {
            "config": settings(UNetConfig, facts.pop("config")),
            "normalisation": settings(Normalisation, facts.pop("normalisation")),
            "instances": settings(InstanceSettings, facts.pop("instances")),
        }
        card = Card(**parts, **facts)
        if not 2 <= card.diameter <= 1000:
            raise ValueError(f"its nucleus diameter is {card.diameter} pixels")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"expected the header of a napari-unet model: {error}") from error
    return card


def settings(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """Build a settings object from JSON values, lists becoming tuples; unknown names are errors."""
    known = {f.name for f in fields(kind)}
    if unknown := set(values) - known:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    checked: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return kind(**checked)
