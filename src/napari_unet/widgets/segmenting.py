"""One run of the segmentation in a worker thread; it touches no layer and no widget."""

import math
import platform
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from napari_unet.filling import (
    Place,
    PlaneFound,
    finished_part,
    planes_text,
    segment_from,
)
from napari_unet.images.axes import label_shape, parse_axes
from napari_unet.images.region import Region
from napari_unet.images.roomy import roomy
from napari_unet.methods import PLUGIN
from napari_unet.network.library import BUILT_INS
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.segmentation import (
    Progress,
    Segmentation,
    SegmentSettings,
    segment,
    walk_order,
)
from napari_unet.widgets.running import Failed, load, one_sentence, until

if TYPE_CHECKING:
    from napari_unet.network.onnx_model import AnyModel

DISTRIBUTIONS = (PLUGIN, "torch", "numpy", "scikit-image", "napari")
RUNS_PACKAGES = ("onnxruntime",)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Parameters
    ----------
    pixels : array-like
        The image.
    axes : str
        One letter per axis.
    region : tuple of slice
        Part of the image to segment.
    model : str or Path
        Name or file of the model.
    device : str
        "auto", "cuda", "mps" or "cpu".
    precision : str
        One of `PRECISIONS`.
    choices : dict
        Fields of `SegmentSettings` that the user has chosen.
    first : tuple of int, optional
        Frame and plane to begin with, where planes are wanted as they are finished; those that are
        finished when the run is cancelled are its result.
    cancelled : threading.Event
        Set to end without a result.
    """

    pixels: Any
    axes: str
    region: tuple[slice, ...]
    model: str | Path
    device: str
    precision: str
    choices: dict[str, Any]
    first: Place | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Finished:
    """A run that ended well.

    Parameters
    ----------
    labels : array of int32
        Of the region, less the image's axes C and S.
    place : tuple of slice
        Where in the labels of the whole image the region lies.
    shape : tuple of int
        Shape of the labels of the whole image.
    diameter : float
        Of a typical nucleus, in pixels, as given or estimated.
    seconds : float
        Duration.
    facts : dict
        Model, its hash, device, settings, versions, date: what the result's metadata say.
    confidence : array of float32, optional
        How sure the network is of each nucleus, by label.
    maps : (maps, ...) uint8, optional
        Of the region: what the labels were made from.
    own : InstanceSettings, optional
        What suits the model.
    part : str
        Of a run that was cancelled, what is kept, as a user reads it.
    """

    labels: NDArray[np.int32]
    place: tuple[slice, ...]
    shape: tuple[int, ...]
    diameter: float
    seconds: float
    facts: dict[str, Any]
    confidence: NDArray[np.float32] | None = None
    maps: NDArray[np.uint8] | None = None
    own: InstanceSettings | None = None
    part: str = ""

    @property
    def n_nuclei(self) -> int:
        """Number of nuclei found."""
        return int(self.labels.max(initial=0))


def run(request: Request) -> Generator[Progress, None, Finished | Failed | None]:
    """Load the model and segment; errors become a sentence, None is cancelled.

    Of a run that yields planes as they are finished, those are what is left when it is cancelled.
    """
    try:
        return (yield from _steps(request))
    except MemoryError:
        return Failed("There is not enough memory for this image; choose a smaller region.")
    # Whatever the image's own array, a decoder or the network raises: the dock must hear of it.
    except Exception as error:
        return Failed(one_sentence(error))


def _steps(request: Request) -> Generator[Progress, None, Finished | None]:
    """Load the model, walk over the region, and note what made the labels."""
    started = time.monotonic()
    request = replace(request, axes=parse_axes(request.axes, request.pixels.shape))
    yield Progress("model", 0, 1)
    if request.cancelled.is_set():
        return None
    model = load(request.model, request.device, request.precision)
    from napari_unet.api import model_settings

    settings, planes = model_settings(model, **request.choices), list[PlaneFound]()
    steps = _noted(_walk(request, model, settings), planes)
    found = yield from until(request.cancelled, steps)
    seconds = time.monotonic() - started
    if found is not None:
        return _finished(request, model, found, seconds)
    return _cut_short(request, model, planes, seconds) if planes else None


def _walk(
    request: Request, model: "AnyModel", settings: SegmentSettings
) -> Generator[Progress, None, Segmentation]:
    """Return the walk that is asked for."""
    pixels = Region(request.pixels, request.region)
    if request.first is None:
        return segment(pixels, request.axes, model.predict, settings, roomy)
    return segment_from(request.first, pixels, request.axes, model.predict, settings, roomy)


def _noted(
    steps: Generator[Progress, None, Result], planes: list[PlaneFound]
) -> Generator[Progress, None, Result]:
    """Pass on steps, and keep the planes that are finished."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return cast(Result, end.value)
        if isinstance(step, PlaneFound):
            planes.append(step)
        yield step


def _cut_short(
    request: Request, model: "AnyModel", planes: list[PlaneFound], seconds: float
) -> Finished:
    """Return the planes that are finished as what a run of that part alone makes."""
    axes, shape = request.axes, request.pixels.shape
    counts = tuple(shape[axes.index(letter)] for letter in walk_order(axes)[1][:-2])
    part = finished_part(planes, axes, counts, roomy)
    region = tuple(
        slice(part.ranges[letter].start, part.ranges[letter].stop)
        if letter in part.ranges
        else place
        for letter, place in zip(axes, request.region, strict=True)
    )
    found = Segmentation(part.labels, part.maps, planes[-1].settings)
    done = _finished(replace(request, region=region), model, found, seconds)
    n_all = math.prod(shape[axes.index(letter)] for letter in part.ranges)
    n_done, letter = math.prod(map(len, part.ranges.values())), list(part.ranges)[-1]
    alone = "" if letter == "Y" else ", each for itself"
    told = f"{planes_text(n_done, n_all, letter)} were finished and are kept{alone}"
    return replace(done, part=told)


def _finished(
    request: Request,
    model: "AnyModel",
    found: Segmentation,
    seconds: float,
) -> Finished:
    """Return the labels with what made them."""
    parts = zip(request.region, request.axes, strict=True)
    return Finished(
        found.labels,
        tuple(part for part, letter in parts if letter not in "CS"),
        label_shape(request.axes, request.pixels.shape),
        found.diameter,
        seconds,
        _facts(request, model, found.settings),
        found.confidence,
        found.maps,
        model.card.instances,
    )


def _facts(request: Request, model: "AnyModel", settings: SegmentSettings) -> dict[str, Any]:
    """Return what made the labels, for the metadata of their layer."""
    from napari_unet.network.device import describe_device
    from napari_unet.network.provenance import Learned, published_of

    learned, published = Learned.of_card(model.card), published_of(model.card)
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions() if published is None else versions(*RUNS_PACKAGES),
        "model": model.name,
        "model_sha256": model.sha256,
        "model_file": str(request.model),
        "line": model.card.line,
        "from_built_in": model.card.line in BUILT_INS,
        "network": model.config.variant,
        "published": published,
        "parent": learned.parent_name,
        "n_learned": learned.n_nuclei,
        "device": describe_device(model.device, model.precision),
        "device_choice": request.device,
        "precision_choice": request.precision,
        "axes": request.axes,
        "shape": [int(n) for n in request.pixels.shape],
        "dtype": str(getattr(request.pixels, "dtype", "unknown")),
        "region": [(part.start, part.stop) for part in request.region],
        "settings": asdict(settings),
        "instances_of_model": asdict(model.card.instances),
        "diameter_is_given": request.choices.get("diameter") is not None,
        "anisotropy_is_given": request.choices.get("anisotropy") is not None,
    }


def versions(*others: str) -> dict[str, str]:
    """Return the versions of what makes labels, by the names of their distributions."""
    found = {}
    for name in (*DISTRIBUTIONS, *others):
        # What was built in place may say nothing of itself; a run must not fail for that.
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found | {"Python": platform.python_version()}
