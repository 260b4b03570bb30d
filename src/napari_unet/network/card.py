"""What a model file says of itself, and the checks on what a file from elsewhere claims."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from napari_unet.images.intensity import Normalisation
from napari_unet.network.config import UNetConfig
from napari_unet.network.packaged import ONNX, PackagedConfig
from napari_unet.nuclei.instances import InstanceSettings

FORMAT = 1
DIAMETERS = (2, 1000)  # pixels
LINE = "line"  # the fact in `Card.training`
Settings = TypeVar("Settings", UNetConfig, PackagedConfig, Normalisation, InstanceSettings)


@dataclass(frozen=True)
class Card:
    """A model's facts, kept in the header of its file.

    Parameters
    ----------
    name : str
        What it was called when it was made. What the user calls it now is the name of its file.
    config : UNetConfig or PackagedConfig
        The network's shape; of one of another program, what it takes and gives.
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

    Raises
    ------
    ValueError
        If the diameter is no size of a nucleus.
    """

    name: str
    config: UNetConfig | PackagedConfig
    diameter: float
    normalisation: Normalisation = Normalisation()
    instances: InstanceSettings = InstanceSettings()
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    parent: str | None = None

    @property
    def line(self) -> str:
        """Name of the model that its line of fine-tuned ones began with."""
        return str(self.training.get(LINE) or self.name)

    def __post_init__(self) -> None:
        """Refuse a diameter by which no image can be rescaled."""
        smallest, largest = DIAMETERS
        if not smallest <= self.diameter <= largest:
            raise ValueError(
                f"Expected a nucleus diameter from {smallest} to {largest} pixels, got "
                f"{self.diameter}; give the median of the training nuclei."
            )


def card_to_json(card: Card) -> str:
    """Return a card as JSON text."""
    return json.dumps({"format": FORMAT, **asdict(card)}, sort_keys=True)


def card_from_json(text: str) -> Card:
    """Return the card in a JSON text.

    Raises
    ------
    ValueError
        If it is no card of this format, or a value is of another type or out of its range.
    """
    try:
        facts = json.loads(text)
        _check_format(facts)
        card = Card(
            config=_config(facts.pop("config")),
            normalisation=_settings(Normalisation, facts.pop("normalisation")),
            instances=_settings(InstanceSettings, facts.pop("instances")),
            **facts,
        )
        _check_facts(card)
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"Expected the facts of a napari-unet model, got others ({missing.rstrip('.')}); "
            "use a file that napari-unet has written."
        ) from error
    return card


def _check_format(facts: Any) -> None:
    if not isinstance(facts, dict):
        raise ValueError(f"JSON of the type {type(facts).__name__}")
    if facts.pop("format") != FORMAT:
        raise ValueError("another format, as a newer version may write it")


def _config(values: Any) -> UNetConfig | PackagedConfig:
    """Return what a card says of its network."""
    is_packaged = dict(values).get("variant") == ONNX
    return _settings(PackagedConfig, values) if is_packaged else _settings(UNetConfig, values)


def _settings(kind: type[Settings], values: Any) -> Settings:
    """Return settings from JSON values, lists becoming tuples; unknown names are errors."""
    given: dict[str, Any] = {name: _tupled(value) for name, value in dict(values).items()}
    defaults = {f.name: f.default for f in fields(kind)}
    if unknown := given.keys() - defaults.keys():
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    for name, value in given.items():
        _check_type(f"{kind.__name__}.{name}", value, type(defaults[name]))
    return kind(**given)


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _check_facts(card: Card) -> None:
    _check_type("name", card.name, str)
    _check_type("training", card.training, dict)
    _check_type("scores", card.scores, dict)
    _check_type("parent", card.parent or "", str)
    for name, score in card.scores.items():
        _check_type(f"the score {name}", score, float)


def _check_type(name: str, value: Any, kind: type) -> None:
    """Refuse a value that is not of its default's type; where that is None, the range decides."""
    if kind is float and type(value) is int:
        return
    if kind is not type(None) and type(value) is not kind:
        raise TypeError(f"{name} is {value!r}")
