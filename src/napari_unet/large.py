"""One image that is larger than memory: opened, segmented in blocks, written when it is whole."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_unet.chunked import scratch
from napari_unet.chunked.handing_over import (
    LABELS,
    discard,
    hand_over,
    hand_over_file,
    parts_folder,
    settle,
)
from napari_unet.chunked.plan import Plan
from napari_unet.chunked.steps import OpenNetwork
from napari_unet.chunked.walk import Run, here, segment_in_blocks, write_labels_in_blocks
from napari_unet.images.atomic import overwriting
from napari_unet.images.axes import planes
from napari_unet.images.big_tiff import write_big_labels
from napari_unet.images.file_axes import tiff_layout
from napari_unet.images.files import TIFF_SUFFIXES, ImageFile
from napari_unet.images.identity import identity
from napari_unet.images.lazy import open_image
from napari_unet.images.ome_zarr import (
    OLDER,
    create_labels,
    is_zarr,
    open_labels,
    read_planes,
    zarr_format,
)
from napari_unet.network.library import load_model
from napari_unet.network.onnx_model import AnyModel
from napari_unet.nuclei.tracks import Movie
from napari_unet.segmentation import (
    Predict,
    Progress,
    SegmentSettings,
    with_distance,
    with_sizes,
)
from napari_unet.tracking import check_tracks, write_tracks

MOST_IN_MEMORY = 1 << 25
"""Pixels of labels; an image with more is segmented in blocks."""

OWN_TRACKS = "tracks.txt"  # in the run's folder: where it has written tracks


@dataclass(frozen=True)
class InBlocks:
    """How images are segmented in blocks.

    Parameters
    ----------
    side : int, optional
        Of a block along y and x, in pixels; what suits the image if not given. Given, all images
        are segmented in blocks.
    resume : bool
        Go on with a run that was stopped.
    run : Run
        Where the steps run; see `napari_unet.chunked.cluster.on_cluster`.
    """

    side: int | None = None
    resume: bool = False
    run: Run = here

    @property
    def for_all(self) -> bool:
        """Whether small images are segmented in blocks as well."""
        return self.side is not None or self.run is not here


def is_large(source: Path, target: Path, how: InBlocks) -> bool:
    """Tell whether an image is segmented in blocks: it is large, or OME-Zarr, or that was asked."""
    if how.for_all or is_zarr(source) or is_zarr(target):
        return True
    return math.prod(tiff_layout(source)[1]) > MOST_IN_MEMORY


def segment_large(
    source: Path,
    target: Path,
    model: AnyModel,
    settings: SegmentSettings,
    how: InBlocks,
    *,
    tracks: Path | None = None,
    axes: str | None = None,
    overwrite: bool = False,
    made_by: Mapping[str, Any] | None = None,
) -> Generator[Progress, None, tuple[int, float | None]]:
    """Segment an image in blocks; stop iterating to stop.

    All that is done is kept in a hidden folder beside the target until the labels are whole, and a
    run that was stopped or killed goes on from there.

    Parameters
    ----------
    source : Path
        A TIFF file or an OME-Zarr folder.
    target : Path
        A TIFF file or an OME-Zarr folder, which appears when the labels are whole.
    model : AnyModel
        The network; the processes of a cluster load it from its file.
    settings : SegmentSettings
        How.
    how : InBlocks
        How large the blocks are, and where they are computed.
    tracks : Path, optional
        Folder for the tracks of a movie, as a result of the Cell Tracking Challenge; it is there
        before the labels are.
    axes : str, optional
        In place of those that the file tells.
    overwrite : bool
        Whether an existing target may be replaced.
    made_by : mapping, optional
        What the labels are to say of their run; see `napari_unet.images.made_by`.

    Yields
    ------
    Progress

    Returns
    -------
    n_nuclei : int
        Number of nuclei; of a movie, tracks.
    estimated : float, optional
        Distance between planes in pixels, where it counts and neither settings nor file tell it.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        If image, axes, settings, target or an unfinished run do not fit.
    """
    settle(target)
    _check_target(target, overwrite=overwrite)
    image = open_image(source, axes)
    folder = parts_folder(target)
    overwrite_tracks = overwrite or (how.resume and _wrote_tracks(folder, tracks))
    check_tracks(tracks, image.axes, overwrite=overwrite_tracks)
    settings = with_distance(settings, image.scale, image.units)
    planes(image.axes, image.data.shape, settings.channel)  # refuses one that is not there
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch.begin(folder, _facts(image, source, model, settings, how), resume=how.resume)
    told = settings.anisotropy
    settings = yield from _with_sizes(folder, image, model, settings)
    plan = Plan(folder, image.axes, tuple(image.data.shape), settings, how.side)
    is_here = how.run is here
    pixels = (lambda: image.data) if is_here else partial(_pixels, source, axes)
    network = (lambda: model.predict) if is_here else _network_elsewhere(model)
    table = yield from segment_in_blocks(plan, pixels, network, how.run)
    place = folder / LABELS
    about = (plan.label_axes, plan.sides[-1], image.scale, image.units)
    version = zarr_format(source) if is_zarr(source) else OLDER
    create_labels(place, plan.label_shape, *about, version, made_by, image.origin)
    yield from write_labels_in_blocks(plan, table, place, how.run)
    n_nuclei = int(table.ids.max(initial=0))
    if tracks is not None:
        yield from _write_tracks(folder, tracks, open_labels(place), overwrite=overwrite_tracks)
    if target.suffix.lower() in TIFF_SUFFIXES:
        _write_tiff(place, folder / target.name, plan, image, n_nuclei, made_by)
        hand_over_file(folder, target)
    else:
        hand_over(folder, target)
    discard(folder)
    return n_nuclei, settings.anisotropy if told is None else None


def _write_tracks(
    folder: Path, tracks: Path, labels: Movie, *, overwrite: bool
) -> Iterator[Progress]:
    """Write tracks, and note in the run's folder that they are its own."""
    try:
        for done, total in write_tracks(tracks, labels, overwrite=overwrite):
            yield Progress("tracks", done, total)
    except ValueError as error:
        raise ValueError(
            f"{str(error).rstrip('.')}, or --resume without --tracks for the labels alone."
        ) from error
    with overwriting(folder / OWN_TRACKS) as temporary:
        temporary.write_text(str(tracks.absolute()), encoding="utf-8")


def _wrote_tracks(folder: Path, tracks: Path | None) -> bool:
    """Tell whether an unfinished run has written these tracks, and so may write them again."""
    note = folder / OWN_TRACKS
    if tracks is None or not note.exists():
        return False
    return note.read_text(encoding="utf-8") == str(tracks.absolute())


def _check_target(target: Path, *, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise FileExistsError(
            f"Expected a new file, got the existing {str(target)!r}; choose another name or allow "
            "overwriting."
        )


def _facts(
    image: ImageFile, source: Path, model: AnyModel, settings: SegmentSettings, how: InBlocks
) -> dict[str, Any]:
    """Return what a run must share with the one that it goes on with."""
    return {
        "image": identity(image.data, str(source.resolve()), source.name),
        "axes": image.axes,
        "model": model.sha256,
        "settings": asdict(settings),
        "blocks": how.side,
    }


def _with_sizes(
    folder: Path, image: ImageFile, model: AnyModel, settings: SegmentSettings
) -> Generator[Progress, None, SegmentSettings]:
    """Return the settings with diameter and distance of planes; a resumed run finds its own."""
    if scratch.missing(folder, "sizes", [(0, 0)]):
        found = yield from with_sizes(image.data, image.axes, model.predict, settings)
        sizes = np.array([found.diameter, found.anisotropy], float)  # None is NaN
        scratch.write(folder, "sizes", (0, 0), sizes=sizes)
    (sizes,) = scratch.read(folder, "sizes", (0, 0), "sizes")
    diameter, distance = (None if np.isnan(size) else float(size) for size in sizes)
    return replace(settings, diameter=diameter, anisotropy=distance)


def _network_elsewhere(model: AnyModel) -> OpenNetwork:
    """Return what loads a model in another process."""
    if model.path is None:
        raise ValueError(
            "Expected a model with a file for a cluster, got one that was never saved; save it."
        )
    return partial(_network, model.path, model.device.type, model.precision)


@lru_cache(maxsize=1)
def _network(path: Path, device: str, precision: str) -> Predict:
    return load_model(path, device, precision).predict


@lru_cache(maxsize=1)
def _pixels(path: Path, axes: str | None) -> Any:
    return open_image(path, axes).data


def _write_tiff(
    place: Path,
    target: Path,
    plan: Plan,
    image: ImageFile,
    highest: int,
    made_by: Mapping[str, Any] | None,
) -> None:
    """Write whole labels into a TIFF file."""
    about = (plan.label_shape, plan.label_axes, *_calibration(image, plan.label_axes))
    write_big_labels(target, partial(read_planes, place), *about, highest, made_by)


def _calibration(image: ImageFile, axes: str) -> tuple[dict[str, float], dict[str, str]]:
    scale = {axis: image.scale[axis] for axis in axes if axis in image.scale}
    return scale, {axis: image.units[axis] for axis in axes if axis in image.units}
