"""What the description of a package of the BioImage Model Zoo says, formats 0.4 and 0.5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from napari_unet.images.intensity import Normalisation
from napari_unet.network.config import NUCLEUS_BORDER_DISTANCE
from napari_unet.network.packaged import ONNX, PackagedConfig, Step
from napari_unet.network.provenance import printable

LARGEST_DESCRIPTION = 2**20  # bytes
BORDERS = ("border", "boundar", "contour", "edge", "outline", "membrane")
NO_MAPS = ("background", "distance", "flow", "affinit")  # in names of what is neither
STATE_DICT = "pytorch_state_dict"
REFUSED = {"torchscript": "which are code, and never run here"}
ACTIVATIONS = (None, "Sigmoid")  # at the end of an architecture
LINEAR, STATISTICS = "scale_linear", ("zero_mean_unit_variance", "scale_range")
LONG_NAMES = {"batch": "b", "channel": "c"}
LONGEST = 300  # letters of a text that is kept
MOST_ALIASES = 10  # of YAML: each can stand for much text, and that again for more


@dataclass(frozen=True)
class Source:
    """A file of a package: its name, and its SHA-256 where that is stated."""

    name: str
    sha256: str | None = None


@dataclass(frozen=True)
class Weights:
    """The file of a network.

    Parameters
    ----------
    source : Source
        ONNX, or a state dict of torch.
    is_state : bool
        Whether it is a state dict.
    is_sigmoid : bool
        Whether the architecture of a state dict ends in a sigmoid.
    """

    source: Source
    is_state: bool = False
    is_sigmoid: bool = False


@dataclass(frozen=True)
class Described:
    """What a description says of a network.

    Parameters
    ----------
    name : str
        Of the package.
    config : PackagedConfig
        What the network takes and gives.
    normalisation : Normalisation
        How intensities are brought to one range first.
    weights : Weights
        The network.
    test_input, test_output : Source
        Files: an image as it takes it, what it makes of that.
    published : dict
        Who made it and what is to be cited, for the card.
    """

    name: str
    config: PackagedConfig
    normalisation: Normalisation
    weights: Weights
    test_input: Source
    test_output: Source
    published: dict[str, Any]


@dataclass(frozen=True)
class _Tensor:
    """An input or output in the terms of both formats: axes, sizes by them, steps, test."""

    axes: str
    sizes: dict[str, Any]  # an int, or {"min", "step"}; of outputs what is not checked here is None
    halo: tuple[int, int]
    n_channels: int
    channel_names: tuple[str, ...]
    steps: list[tuple[str, dict[str, Any]]]
    test: Source


def described(text: bytes) -> Described:
    """Return what a description says.

    Parameters
    ----------
    text : bytes
        YAML, read as data alone.

    Raises
    ------
    ValueError
        If it is none, or it describes what cannot be used here; the reason in a few words.
    ImportError
        If the library that reads YAML is not installed.
    """
    import yaml

    try:
        if sum(isinstance(e, yaml.AliasEvent) for e in yaml.parse(text)) > MOST_ALIASES:
            raise ValueError(f"its description has more than {MOST_ALIASES} aliases")
        facts = yaml.safe_load(text)
        version = tuple(map(int, _scalar(facts["format_version"]).split(".")[:2]))
        if facts.get("type") != "model" or version not in ((0, 4), (0, 5)):
            raise ValueError("it describes no model in the format 0.4 or 0.5")
        return _described(facts, is_new=version == (0, 5))
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"its description is damaged: {missing}") from error
    except yaml.YAMLError as error:
        raise ValueError("its description is not YAML") from error


def _described(facts: Mapping[str, Any], *, is_new: bool) -> Described:
    if len(facts["inputs"]) != 1 or len(facts["outputs"]) != 1:
        raise ValueError("its network has not one input and one output")
    read = _new_tensor if is_new else _old_tensor
    given = read(facts["inputs"][0], (facts.get("test_inputs") or [None])[0])
    made = read(facts["outputs"][0], (facts.get("test_outputs") or [None])[0])
    normalisation, before = _preprocessing(given)
    sides = [_side(given.sizes[axis]) for axis in "yx"]
    _check_same_size(given, made, is_new=is_new)
    channels = _channels(made)
    config = PackagedConfig(
        maps=NUCLEUS_BORDER_DISTANCE[: len(channels)],
        channels=channels,
        in_channels=given.n_channels,
        axes=given.axes,
        output_axes=made.axes,
        least=(sides[0][0], sides[1][0]),
        step=(sides[0][1], sides[1][1]),
        halo=made.halo,
        before=before,
        after=tuple(_pixel_step(*step) for step in made.steps if step[0] != "ensure_dtype"),
    )
    name = _text(facts["name"])
    return Described(
        name, config, normalisation, _weights(facts), given.test, made.test, _published(facts, name)
    )


def _weights(facts: Mapping[str, Any]) -> Weights:
    """Return the network as ONNX, or else its state dict; other kinds of weights are code."""
    weights = facts["weights"]
    if ONNX in weights:
        return Weights(_source(weights[ONNX]))
    if STATE_DICT in weights:
        return _state_dict(weights[STATE_DICT])
    kinds = " and ".join(f"{kind}, {why}" for kind, why in REFUSED.items() if kind in weights)
    raise ValueError(
        f"it holds no weights of the kind onnx or {STATE_DICT}, but "
        f"{kinds or ', '.join(map(_scalar, weights))}"
    )


def _state_dict(entry: Mapping[str, Any]) -> Weights:
    """Return a state dict with what its architecture is told; that itself is Python, never read."""
    architecture = entry["architecture"]
    # Of format 0.4, the architecture is a text, and what it is told lies beside it.
    told = (architecture if isinstance(architecture, Mapping) else entry).get("kwargs") or {}
    activation = told.get("final_activation")
    if activation not in ACTIVATIONS or told.get("postprocessing") is not None:
        raise ValueError("its network ends in other steps than a sigmoid")
    return Weights(_source(entry), is_state=True, is_sigmoid=activation is not None)


def _source(entry: Any) -> Source:
    """Return a file that is named in a description; nothing is fetched."""
    entry = entry if isinstance(entry, Mapping) else {"source": entry}
    name, sha256 = entry["source"], entry.get("sha256")
    if not isinstance(name, str) or not isinstance(sha256, str | None):
        raise TypeError("a file has no name, or another SHA-256 than a text")
    if name != _text(name):
        raise ValueError("a file has a name that cannot be shown")
    if "://" in name:
        raise ValueError(f"its file {_text(name)!r} is elsewhere; fetch the whole package")
    return Source(name.removeprefix("./"), sha256)


def _old_tensor(facts: Mapping[str, Any], test: Any) -> _Tensor:
    """Return an input or output as format 0.4 describes it."""
    axes, shape = "".join(facts["axes"]), facts["shape"]
    if isinstance(shape, list):
        sizes: dict[str, Any] = dict(zip(axes, map(_whole, shape), strict=True))
    elif "min" in shape:
        pairs = zip(axes, map(_whole, shape["min"]), map(_whole, shape["step"]), strict=True)
        sizes = {axis: {"min": least, "step": step} for axis, least, step in pairs}
    else:
        sizes = _old_reference(axes, shape)
    halo = dict(zip(axes, map(_whole, facts.get("halo") or [0] * len(axes)), strict=True))
    count = sizes.get("c", 1)
    n_channels = count["min"] if isinstance(count, Mapping) else count
    return _Tensor(
        axes, sizes, (halo["y"], halo["x"]), n_channels, (), _steps(facts, "name"), _source(test)
    )


def _old_reference(axes: str, shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes of an output that follow its input's: None where they are the same."""
    sizes: dict[str, Any] = {}
    for axis, scale, offset in zip(axes, shape["scale"], shape["offset"], strict=True):
        # A channel that is new has no scale, and half of its number as the offset.
        sizes[axis] = int(2 * offset) if not scale else None if axis != "c" else int(scale)
        if axis in "yx" and (scale != 1 or offset != 0):
            raise ValueError("its maps have another size than the image")
    return sizes


def _new_tensor(facts: Mapping[str, Any], _: Any) -> _Tensor:
    """Return an input or output as format 0.5 describes it."""
    parts = {LONG_NAMES.get(part["type"], part.get("id", "?")): part for part in facts["axes"]}
    names = tuple(parts["c"].get("channel_names") or ()) if "c" in parts else ()
    sizes = {axis: _new_size(parts[axis]) for axis in "yx"}
    return _Tensor(
        "".join(parts),
        sizes,
        (_whole(parts["y"].get("halo", 0)), _whole(parts["x"].get("halo", 0))),
        len(names) or 1,
        tuple(map(_text, names)),
        _steps(facts, "id"),
        _source(facts["test_tensor"]),
    )


def _new_size(part: Mapping[str, Any]) -> Any:
    """Return the size of an axis; None if it is that of another one."""
    size = part["size"]
    if isinstance(size, Mapping) and "axis_id" in size:
        if size.get("offset", 0) or part.get("scale", 1) != 1:
            raise ValueError("its maps have another size than the image")
        return None
    if isinstance(size, Mapping):
        return {"min": _whole(size["min"]), "step": _whole(size["step"])}
    return _whole(size)


def _steps(facts: Mapping[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
    listed = facts.get("preprocessing") or facts.get("postprocessing") or []
    return [(step[key], dict(step.get("kwargs") or {})) for step in listed]


def _side(size: Any) -> tuple[int, int]:
    """Return the smallest size of an axis and by what it grows, 0 for not at all."""
    return (size["min"], size["step"]) if isinstance(size, Mapping) else (size, 0)


def _check_same_size(given: _Tensor, made: _Tensor, *, is_new: bool) -> None:
    """Refuse maps of another size than the image, and what is not one plane of it."""
    for axis in "yx":
        if made.sizes[axis] not in (None, given.sizes[axis]):
            raise ValueError("its maps have another size than the image")
    counts = [] if is_new else [given.sizes.get("b", 1)]
    if any(count not in (1, {"min": 1, "step": 0}, {"min": 1, "step": 1}) for count in counts):
        raise ValueError("it takes several images at once")


def _channels(made: _Tensor) -> tuple[int, ...]:
    """Return which of the output's channels are nucleus and border."""
    names = [name.lower() for name in made.channel_names]
    borders = [any(word in name for word in BORDERS) for name in names]
    is_other = any(word in name for word in NO_MAPS for name in names)
    # Nameless channels are told apart by what they are of the test image.
    is_known = not names or sum(borders) == len(names) - 1
    if made.n_channels not in (1, 2) or is_other or not is_known:
        raise ValueError(
            f"it gives {made.n_channels} channels ({', '.join(names) or 'without names'}) instead "
            "of foreground, or foreground and boundary"
        )
    return (1, 0) if borders == [True, False] else tuple(range(made.n_channels))


def _preprocessing(given: _Tensor) -> tuple[Normalisation, tuple[Step, ...]]:
    """Return how a plane is normalised, and what is done with each pixel after that."""
    steps = [step for step in given.steps if step[0] != "ensure_dtype"]
    normalisation = replace(Normalisation(), by="nothing")
    if steps and steps[0][0] in STATISTICS and steps[0][1].get("mode") != "fixed":
        kind, how = steps.pop(0)
        _check_joint(how, given.n_channels)
        normalisation = _normalisation(kind, how)
    return normalisation, tuple(_pixel_step(*step) for step in steps)


def _normalisation(kind: str, how: Mapping[str, Any]) -> Normalisation:
    if kind == "zero_mean_unit_variance":
        return Normalisation(by="moments")
    low, high = how.get("min_percentile", 0.0), how.get("max_percentile", 100.0)
    return Normalisation(low=float(low), high=float(high), by="range")


def _check_joint(how: Mapping[str, Any], n_channels: int) -> None:
    """Refuse statistics of anything but one plane with all its channels."""
    axes = {LONG_NAMES.get(axis, axis) for axis in how.get("axes") or "cyx"}
    if not {"y", "x"} <= axes or (n_channels > 1 and "c" not in axes):
        raise ValueError("it normalises rows or channels by themselves")
    if how.get("reference_tensor") is not None:
        raise ValueError("it normalises by another tensor")


def _pixel_step(kind: str, how: Mapping[str, Any]) -> Step:
    """Return what is done with each pixel by itself; what needs more than that is refused."""
    if kind == LINEAR:
        return ("linear", _one(how.get("gain", 1.0)), _one(how.get("offset", 0.0)))
    if kind in ("zero_mean_unit_variance", "fixed_zero_mean_unit_variance") and "mean" in how:
        gain = 1 / (_one(how["std"]) + how.get("eps", 1e-6))
        return ("linear", gain, -_one(how["mean"]) * gain)
    if kind == "clip" and not {"min_percentile", "max_percentile"} & how.keys():
        return ("clip", how.get("min"), how.get("max"))
    if kind == "binarize":
        return ("binarize", _one(how["threshold"]))
    if kind == "sigmoid":
        return ("sigmoid",)
    raise ValueError(f"its step {_text(kind)!r} is not known here, or not in this place")


def _one(value: Any) -> float:
    """Return a number that is given alone, or in a list of one for all channels."""
    values = value if isinstance(value, list) else [value]
    if len(set(values)) != 1:
        raise ValueError("it treats channels differently")
    return float(values[0])


def _published(facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return who made a package and what is to be cited, as texts."""
    authors = [_text(author.get("name")) for author in facts.get("authors") or ()]
    cited = [
        " ".join(filter(None, (_text(c.get("text")), _cited_at(c))))
        for c in facts.get("cite") or ()
    ]
    return {
        "name": name,
        "version": _text(_scalar(facts.get("version") or "")),
        "id": _text(_scalar(facts.get("id") or "")),
        "authors": list(filter(None, authors))[:20],
        "cite": list(filter(None, cited))[:20],
        "licence": _text(facts.get("license")),
    }


def _cited_at(citation: Mapping[str, Any]) -> str:
    doi = _text(citation.get("doi"))
    return f"doi:{doi}" if doi else _text(citation.get("url"))


def _text(value: Any) -> str:
    return printable(value)[:LONGEST].strip()


def _scalar(value: Any) -> str:
    """Return a text or number as text; that of a list can be longer than any memory."""
    if not isinstance(value, str | int | float):
        raise TypeError("a list or the like is in place of a text or number")
    return str(value)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a size is no whole number")
    return value
