"""The work list behind ``napari-unet segment``: one function per step, one result per file."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import label_axes, parse_axes
from napari_unet.images.files import (
    TIFF_SUFFIXES,
    ImageFile,
    image_files,
    read_image,
    write_labels,
)
from napari_unet.images.ome_zarr import ZARR_SUFFIX, is_zarr
from napari_unet.images.spacing import anisotropy
from napari_unet.large import labels_inside
from napari_unet.segmentation import (
    Predict,
    Progress,
    Segmentation,
    SegmentSettings,
    finish,
    walk_order,
)
from napari_unet.segmentation import segment as walk
from napari_unet.tracking import check_tracks, write_tracks

LABELS = "_labels"
ENDING = f"{LABELS}.tif"
ZARR_ENDING = f"{LABELS}.ome.zarr"
FILE_SUFFIXES = (*TIFF_SUFFIXES, ZARR_SUFFIX)

Steps = Generator[Progress, None, int]


@dataclass(frozen=True)
class Job:
    """One image file to read, and what to write for it: a label file, and a folder of tracks."""

    source: Path
    target: Path
    tracks: Path | None = None


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Parameters
    ----------
    job : Job
        The file, and where its labels are.
    n_nuclei : int
        Nuclei found; of a movie, tracks.
    seconds : float
        Time from opening the image to the written labels.
    error : Exception, optional
        Why there are no labels.
    remarks : tuple of str
        Sentences on what a user had better look at.
    """

    job: Job
    n_nuclei: int = 0
    seconds: float = 0.0
    error: Exception | None = None
    remarks: tuple[str, ...] = ()


def find_inputs(paths: Iterable[Path]) -> list[Path]:
    """Return the image files that paths stand for, each once.

    Label files as :func:`choose_outputs` names them are left out: those in a folder, and those
    named together with their image, as ``*.tif`` does in a shell. A path without any image stays
    in the list, for :func:`read_input` to say what is wrong with it.

    Parameters
    ----------
    paths : iterable of Path
        Files, and folders whose own files are taken.
    """
    found = [file for path in paths for file in files_at(path)]
    unique = list({os.path.realpath(file): file for file in found}.values())
    images = {(file.parent, stem_of(file)) for file in unique}
    return [
        file
        for file in unique
        if not is_label_file(file) or (file.parent, stem_of(file)[: -len(LABELS)]) not in images
    ]


def files_at(path: Path) -> list[Path]:
    """Return the images in a folder, or the path itself if it is none or holds none."""
    if not path.is_dir() or is_zarr(path):
        return [path]
    return [file for file in image_files(path) if not is_label_file(file)] or [path]


def is_label_file(path: Path) -> bool:
    """Tell whether a file bears the name of labels that a run has written."""
    return path.name.lower().endswith(ENDING)


def stem_of(path: Path) -> str:
    """Return a file's name without its ending, of which ".ome" is a part.

    Examples
    --------
    >>> stem_of(Path("plate7/a01.ome.tif")), stem_of(Path("a.b.png"))
    ('a01', 'a.b')
    """
    return path.stem[:-4] if path.stem.lower().endswith(".ome") else path.stem


def choose_outputs(inputs: Sequence[Path], folder: Path | None = None) -> list[Job]:
    """Return a label file of its own for every input: ``<stem>_labels.tif``.

    Labels of OME-Zarr images are OME-Zarr themselves, inside the image if no folder is given. A
    ``folder`` whose name ends in .tif or .zarr is the label file of the one input.

    Inputs that would share it get longer names, the first of these that tells them apart:
    with the ending (``a_png_labels.tif``), with the folder (``plate7_a_labels.tif``), with both,
    with a number. No output is one of the inputs.

    Parameters
    ----------
    inputs : sequence of Path
        Image files.
    folder : Path, optional
        Where the labels go; beside each image if not given.

    Raises
    ------
    ValueError
        If one label file is named for several images.
    """
    if folder is not None and folder.suffix.lower() in FILE_SUFFIXES:
        if len(inputs) != 1:
            raise ValueError(
                f"Expected one image for the label file {folder}, got {len(inputs)}; name a folder "
                "for them."
            )
        return [Job(inputs[0], folder)]
    wanted = Counter(
        (level, identity(target))
        for source in inputs
        for level, target in enumerate(targets(source, folder))
    )
    taken = {identity(source) for source in inputs}
    jobs = []
    for source in inputs:
        free = (
            target
            for level, target in enumerate([*targets(source, folder)])
            if wanted[level, identity(target)] == 1 and identity(target) not in taken
        )
        target = next(free, None) or numbered(source, folder, taken)
        taken.add(identity(target))
        jobs.append(Job(source, target))
    return jobs


def targets(source: Path, folder: Path | None) -> list[Path]:
    """Return the names that the labels of an image may have, the shortest first."""
    stem, parent = stem_of(source), source.absolute().parent.name
    ending = source.name[len(stem) + 1 :].replace(".", "_")
    stems = (stem, f"{stem}_{ending}", f"{parent}_{stem}", f"{parent}_{stem}_{ending}")
    if is_zarr(source):
        inside = [] if folder else [labels_inside(source)]
        return inside + [(folder or source.parent) / f"{name}{ZARR_ENDING}" for name in stems]
    return [(folder or source.parent) / f"{name}{ENDING}" for name in stems]


def numbered(source: Path, folder: Path | None, taken: set[str]) -> Path:
    """Return a free name with a number, for images that no other name tells apart."""
    place, stem = folder or source.parent, stem_of(source)
    names = (place / f"{stem}_{number}{ENDING}" for number in count(2))
    return next(path for path in names if identity(path) not in taken)


def identity(path: Path) -> str:
    """Return what two paths share that may be one file: many file systems ignore case."""
    return os.path.realpath(path).casefold()


def segment_files(
    jobs: Iterable[Job],
    predict: Predict,
    settings: SegmentSettings,
    *,
    axes: str | None = None,
    channel_name: str | None = None,
    anisotropy_is_given: bool = False,
    overwrite: bool = False,
    progress: Callable[[Job, Progress], None] = lambda job, step: None,
    large: Callable[[Job], Steps | None] = lambda job: None,
    made_by: Mapping[str, Any] | None = None,
) -> Iterator[FileResult]:
    """Segment file after file; a file that fails does not stop the others.

    Parameters
    ----------
    jobs : iterable of Job
        From :func:`choose_outputs`.
    predict : callable
        The network.
    settings : SegmentSettings
        How; the distance between planes is taken from each file.
    axes : str, optional
        One letter per axis, for files that do not say or are wrong.
    channel_name : str, optional
        Of the channel with the nuclei, looked up in each file, instead of that of the settings.
    anisotropy_is_given : bool
        Take the distance between planes from the settings instead.
    overwrite : bool
        Whether existing label files may be replaced.
    progress : callable
        Called with every step of the walk.
    large : callable
        Gives the steps of :func:`napari_unet.large.segment_large` for images that are segmented in
        blocks, None for others.
    made_by : mapping, optional
        What the labels are to say of their run; see `napari_unet.images.made_by`.

    Yields
    ------
    FileResult
        One per job, as soon as its labels are written.
    """
    for job in jobs:
        started = time.monotonic()
        try:
            if job.target.exists() and not overwrite:
                raise FileExistsError(
                    f"Expected a new file, got the existing {job.target}; choose another folder, "
                    "--resume or --overwrite."
                )
            report = partial(progress, job)
            said: tuple[str, ...] = ()
            if (steps := large(job)) is not None:
                n_nuclei = finish(steps, report)
            else:
                n_nuclei, said = segment_in_memory(
                    job,
                    predict,
                    settings,
                    report,
                    axes=axes,
                    channel_name=channel_name,
                    anisotropy_is_given=anisotropy_is_given,
                    overwrite=overwrite,
                    made_by=made_by,
                )
        # Whatever a file does to its decoder or to memory, the next file may be fine.
        except Exception as error:
            yield FileResult(job, error=error)
        else:
            yield FileResult(job, n_nuclei, time.monotonic() - started, remarks=said)


def with_channel(settings: SegmentSettings, image: ImageFile, name: str | None) -> SegmentSettings:
    """Return the settings with the channel of a name, whose case does not count, if one is given.

    Raises
    ------
    ValueError
        If the image has not exactly one channel of that name.
    """
    if name is None:
        return settings
    known = [channel.strip().casefold() for channel in image.channels]
    if known.count(name.strip().casefold()) != 1:
        channels = ", ".join(map(repr, image.channels)) or "no names"
        raise ValueError(
            f"Expected one channel named {name!r}, got {channels}; give the number of the channel, "
            "from 0."
        )
    number = known.index(name.strip().casefold())
    # The name of the only channel is known as well where there is no axis for it.
    return replace(settings, channel=number if "C" in image.axes else None)


def remarks(
    image: ImageFile, n_nuclei: int, *, anisotropy_is_given: bool = False
) -> tuple[str, ...]:
    """Return sentences on what is doubtful of a result."""
    said = []
    if not n_nuclei:
        said.append("No nuclei were found.")
    is_known = anisotropy_is_given or {"Z", "Y"} <= image.scale.keys()
    if "Z" in image.axes and not is_known:
        said.append("The distance between planes is not in the file and was taken to be 1 pixel.")
    return tuple(said)


def segment_in_memory(
    job: Job,
    predict: Predict,
    settings: SegmentSettings,
    progress: Callable[[Progress], None] | None = None,
    *,
    axes: str | None = None,
    channel_name: str | None = None,
    anisotropy_is_given: bool = False,
    overwrite: bool = False,
    made_by: Mapping[str, Any] | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Read an image, segment it and write what the job says; return the nuclei, and remarks."""
    image = read_input(job.source, axes)
    check_tracks(job.tracks, image.axes, overwrite=overwrite)
    settings = with_channel(settings, image, channel_name)
    found = segment_image(
        image, predict, settings, progress, anisotropy_is_given=anisotropy_is_given
    )
    write_output(job.target, found.labels, image, overwrite=overwrite, made_by=made_by)
    if job.tracks is not None:
        movie = found.labels.transpose(walk_order(image.axes)[0])
        for done, total in write_tracks(job.tracks, movie, overwrite=overwrite):
            if progress is not None:
                progress(Progress("tracks", done, total))
    n_nuclei = int(np.count_nonzero(np.unique(found.labels)))
    return n_nuclei, remarks(image, n_nuclei, anisotropy_is_given=anisotropy_is_given)


def read_input(path: Path, axes: str | None = None) -> ImageFile:
    """Read an image, with the user's axes in place of the file's.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no image, or the axes do not fit it.
    """
    if path.is_dir():
        raise ValueError(
            f"Expected images in the folder {path}, got none; name another folder or a file."
        )
    image = read_image(path)
    return replace(image, axes=parse_axes(axes, image.data.shape)) if axes else image


def segment_image(
    image: ImageFile,
    predict: Predict,
    settings: SegmentSettings,
    progress: Callable[[Progress], None] | None = None,
    *,
    anisotropy_is_given: bool = False,
) -> Segmentation:
    """Segment an image that was read, with the distance between planes that its file tells.

    Where it is given, that of the settings is taken.
    """
    if not anisotropy_is_given:
        settings = replace(settings, anisotropy=anisotropy(image.scale, image.units))
    return finish(walk(image.data, image.axes, predict, settings), progress)


def write_output(
    path: Path,
    labels: NDArray[np.int32],
    image: ImageFile,
    *,
    overwrite: bool = False,
    made_by: Mapping[str, Any] | None = None,
) -> None:
    """Write labels with the voxel size and units of their image; make the folder if need be.

    Raises
    ------
    FileExistsError
        If the file is there and may not be overwritten.
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = label_axes(image.axes)
    scale = {axis: image.scale[axis] for axis in axes if axis in image.scale}
    units = {axis: image.units[axis] for axis in axes if axis in image.units}
    write_labels(path, labels, axes, scale, units, overwrite, made_by)
