"""A network in a package that another program wrote, as a model of this one."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.intensity import limits, normalise
from napari_unet.network.card import LINE, Card
from napari_unet.network.described import (
    LARGEST_DESCRIPTION,
    Described,
    Source,
    Weights,
    described,
)
from napari_unet.network.exchange import check_installed
from napari_unet.network.files import LARGEST_FILE
from napari_unet.network.onnx_model import OnnxModel, maps_in
from napari_unet.network.packages import Package
from napari_unet.network.provenance import PUBLISHED
from napari_unet.network.state_files import state_in
from napari_unet.network.torch_em import onnx_of_state
from napari_unet.nuclei.adjusting import diameter_of
from napari_unet.nuclei.instances import InstanceSettings, instances
from napari_unet.nuclei.tables import counted

LARGEST_IMAGE = 2048  # px of a test image
LARGEST_ARRAY = 3 * 8 * LARGEST_IMAGE**2 + 2**16  # bytes: three channels of float64, and a header
LONGEST_REASON = 400  # letters
TOLERANCE = 0.01  # of a map in 0..1, on average: other versions of a library differ by far less
LONGEST_TEST = 120.0  # seconds; a plane takes seconds at most
UNKNOWN = 22.0  # px; until nuclei have been found


def model_of_package(package: Package, diameter: float | None = None) -> OnnxModel:
    """Return the network in a package as a model that was never saved.

    It has to make of the package's test image what the package says: so its axes, normalisation
    and steps are understood.

    Parameters
    ----------
    package : Package
        Has a description in the format 0.4 or 0.5, and weights as ONNX or those of a U-Net of
        torch-em.
    diameter : float, optional
        Of the nuclei that it knows best, in pixels; the median on the test image if not given.

    Raises
    ------
    ImportError
        If the libraries that read and run it are not installed.
    ValueError
        If it cannot be used, with the reason and what to do.
    """
    if diameter is not None and not 0 < diameter < np.inf:
        raise ValueError(
            f"Expected a positive diameter, got {diameter!r}; leave it out if it is not known."
        )
    check_installed("yaml", "onnx", "onnxruntime")
    try:
        return _model(package, diameter)
    except ValueError as error:
        reason = str(error)[:LONGEST_REASON].rstrip(".")
        raise ValueError(
            "Expected a package with a network that finds nuclei in a plane, got "
            f"{package.path.name!r} ({reason}); choose another one."
        ) from error


def _model(package: Package, diameter: float | None) -> OnnxModel:
    facts = described(package.read(package.description(), LARGEST_DESCRIPTION))
    model = OnnxModel(_onnx(package, facts.weights), _card(facts, diameter or UNKNOWN))
    maps = _tested(package, facts, model)
    if diameter is None:
        known = _median_diameter(maps, model.card.instances)
        model.card = replace(model.card, diameter=known)
    return model


def _onnx(package: Package, weights: Weights) -> bytes:
    """Return the network as ONNX."""
    content = _checked(package, weights.source, LARGEST_FILE, is_packed=False)
    if not weights.is_state:
        return content
    try:
        tensors = state_in(io.BytesIO(content))
        state = {str(name): t.detach().float().numpy() for name, t in tensors.items()}
    except MemoryError:
        raise
    # torch raises nearly every kind of exception when it meets a broken file.
    except Exception as error:
        raise ValueError(
            f"its {weights.source.name!r} is no state dict of torch 1.6 or later"
        ) from error
    return onnx_of_state(state, is_sigmoid=weights.is_sigmoid)


def _card(facts: Described, diameter: float) -> Card:
    has_border = len(facts.config.maps) > 1
    return Card(
        facts.name,
        facts.config,
        diameter,
        facts.normalisation,
        InstanceSettings(seeds="border" if has_border else "none"),
        training={LINE: facts.name, PUBLISHED: facts.published},
    )


def _tested(package: Package, facts: Described, model: OnnxModel) -> NDArray[np.float32]:
    """Return the maps of the test image, once they are those of the package."""
    config, how = facts.config, facts.normalisation
    image = maps_in(_array(package, facts.test_input, config.axes), config.axes)
    size = (image.shape[1], image.shape[2])
    if len(image) != config.in_channels or config.size_for(size) != size:
        raise ValueError(f"its test image has the shape {image.shape}")
    made = model.run(normalise(image, limits(image, how), how.brightest), LONGEST_TEST)
    expected = maps_in(_array(package, facts.test_output, config.output_axes), config.output_axes)
    if expected.shape != made.shape:
        raise ValueError(f"its test output has the shape {expected.shape}")
    difference = float(np.abs(made - expected[list(config.channels)].clip(0, 1)).mean())
    # Not a number is no small difference.
    if not difference <= TOLERANCE:
        raise ValueError(
            f"of its test image, its network makes maps that differ by {difference:.2g} from those "
            "in the package"
        )
    _check_border(made)
    return made


def _check_border(maps: NDArray[np.float32]) -> None:
    """Refuse two maps of which one is what the other leaves: that is background, no border."""
    if len(maps) == 2 and np.abs(maps.sum(axis=0) - 1).mean() < TOLERANCE:
        raise ValueError(
            "its two channels add up to 1: they are background and foreground instead of "
            "foreground and boundary"
        )


def _median_diameter(maps: NDArray[np.float32], settings: InstanceSettings) -> float:
    areas = counted(instances(maps, settings))[1:]
    if not len(areas):
        raise ValueError(
            "it finds no nuclei in its test image, so that their size is unknown: give their "
            "diameter, by napari-unet models import --diameter, or"
        )
    return diameter_of(float(np.median(areas)))


def _checked(package: Package, source: Source, largest: int, *, is_packed: bool = True) -> bytes:
    """Return a file of a package, if its SHA-256 is the one that is stated."""
    content = package.read(source.name, largest, is_packed=is_packed)
    stated = None if source.sha256 is None else source.sha256.lower()
    if stated not in (None, hashlib.sha256(content).hexdigest()):
        raise ValueError(f"its {source.name!r} has another SHA-256 than the description states")
    return content


def _array(package: Package, source: Source, axes: str) -> NDArray[np.float32]:
    """Return a test array, whose claims are checked before there is memory for it."""
    content = io.BytesIO(_checked(package, source, LARGEST_ARRAY))
    try:
        major, _ = np.lib.format.read_magic(content)
        headers = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        shape, _, dtype = headers[major](content)
        n_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
        is_whole = n_bytes == len(content.getbuffer()) - content.tell()
    # NumPy reads a header as Python, and of one that is damaged nearly every error comes out.
    except Exception as error:
        raise ValueError(f"its {source.name!r} is no array of NumPy") from error
    if not is_whole or dtype.kind not in "buif" or len(shape) != len(axes):
        raise ValueError(f"its {source.name!r} is no array of numbers with the axes {axes!r}")
    sizes = dict(zip(axes, shape, strict=True))
    is_small = all(1 <= sizes[axis] <= LARGEST_IMAGE for axis in "yx")
    if not is_small or sizes.get("b", 1) != 1 or sizes.get("c", 1) < 1:
        raise ValueError(
            f"its {source.name!r} has the shape {shape} instead of that of one plane of at most "
            f"{LARGEST_IMAGE} x {LARGEST_IMAGE} pixels"
        )
    content.seek(0)
    array: NDArray[np.float32] = np.load(content, allow_pickle=False).astype(np.float32)
    return array
