"""The run behind ``napari-unet segment``: one function per step, one result per file."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import label_axes, parse_axes
from napari_unet.images.files import ImageFile, labels_of, read_image, write_labels
from napari_unet.images.lazy import open_image
from napari_unet.images.ome_zarr import is_zarr, labels_inside, read_ome_zarr
from napari_unet.jobs import Job
from napari_unet.nuclei.tracks import nuclei_by_frame
from napari_unet.segmentation import (
    Predict,
    Progress,
    Segmentation,
    SegmentSettings,
    finish,
    walk_order,
    with_distance,
)
from napari_unet.segmentation import segment as walk
from napari_unet.tracking import check_tracks, write_tracks

ONLY_TRACKS = "The labels were there; their tracks were written."

Steps = Generator[Progress, None, tuple[int, float | None]]
"""Of an image in blocks, to the nuclei and the distance between planes, where it was estimated."""


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


def segment_files(
    jobs: Iterable[Job],
    predict: Predict,
    settings: SegmentSettings,
    *,
    axes: str | None = None,
    channel_name: str | None = None,
    overwrite: bool = False,
    progress: Callable[[Job, Progress], None] = lambda job, step: None,
    large: Callable[[Job], Steps | None] = lambda job: None,
    made_by: Mapping[str, Any] | None = None,
) -> Iterator[FileResult]:
    """Segment file after file; a file that fails does not stop the others.

    Parameters
    ----------
    jobs : iterable of Job
        From :func:`napari_unet.jobs.choose_outputs`.
    predict : callable
        The network.
    settings : SegmentSettings
        How; a distance between planes that is not given is taken from each file.
    axes : str, optional
        One letter per axis, for files that do not say or are wrong.
    channel_name : str, optional
        Of the channel with the nuclei, looked up in each file, instead of that of the settings.
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
        One per job, as soon as its labels are written, or with the error that left it without.
    """
    for job in jobs:
        started = time.monotonic()
        try:
            if job.target.exists() and not overwrite and not job.has_labels:
                raise FileExistsError(
                    f"Expected a new file, got the existing {job.target}; choose another folder, "
                    "--resume or --overwrite."
                )
            report = partial(progress, job)
            if job.has_labels and job.tracks is not None:
                n_nuclei, said = add_tracks(
                    job.target, job.tracks, report, axes=axes, overwrite=overwrite
                )
            elif (steps := large(job)) is not None:
                n_nuclei, estimated = finish(steps, report)
                said = remarks(n_nuclei, estimated)
            else:
                n_nuclei, said = segment_in_memory(
                    job,
                    predict,
                    settings,
                    report,
                    axes=axes,
                    channel_name=channel_name,
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


def remarks(n_nuclei: int, estimated: float | None) -> tuple[str, ...]:
    """Return sentences on what is doubtful of a result.

    Parameters
    ----------
    n_nuclei : int
        That were found.
    estimated : float, optional
        The distance between planes in pixels, where it was estimated.
    """
    said = []
    if not n_nuclei:
        said.append("No nuclei were found.")
    if estimated is not None:
        # 1 is also what is taken where too few nuclei show their shape.
        why = "" if estimated == 1 else " by the shape of the nuclei"
        said.append(
            "The distance between planes is not in the file and was taken to be "
            f"{estimated:.2g} px{why}."
        )
    return tuple(said)


def segment_in_memory(
    job: Job,
    predict: Predict,
    settings: SegmentSettings,
    progress: Callable[[Progress], None] | None = None,
    *,
    axes: str | None = None,
    channel_name: str | None = None,
    overwrite: bool = False,
    made_by: Mapping[str, Any] | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Read an image, segment it and write what the job says; return the nuclei, and remarks.

    Parameters
    ----------
    job : Job
        What to read and to write.
    progress : callable, optional
        Called with every step of the walk.
    predict, settings, axes, channel_name, overwrite, made_by
        As for `segment_files`.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError, OSError
        If the image cannot be read or does not fit, or the labels cannot be written.
    """
    image = read_input(job.source, axes)
    check_tracks(job.tracks, image.axes, overwrite=overwrite)
    settings = with_channel(settings, image, channel_name)
    settings = with_distance(settings, image.scale, image.units)
    found = segment_image(image, predict, settings, progress)
    write_output(job.target, found.labels, image, overwrite=overwrite, made_by=made_by)
    if job.tracks is not None:
        movie = found.labels.transpose(walk_order(image.axes)[0])
        for done, total in write_tracks(job.tracks, movie, overwrite=overwrite):
            if progress is not None:
                progress(Progress("tracks", done, total))
    n_nuclei = int(np.count_nonzero(np.unique(found.labels)))
    estimated = found.settings.anisotropy if settings.anisotropy is None else None
    return n_nuclei, remarks(n_nuclei, estimated)


def add_tracks(
    target: Path,
    tracks: Path,
    progress: Callable[[Progress], None],
    *,
    axes: str | None = None,
    overwrite: bool = False,
) -> tuple[int, tuple[str, ...]]:
    """Write the tracks of labels that are there; return the nuclei, and remarks.

    Parameters
    ----------
    target : Path
        The labels of a movie; of those in blocks two frames are read at a time.
    tracks : Path
        New or empty folder.
    progress : callable
        Called with every frame.
    axes : str, optional
        Of the image, if its labels do not say them.
    overwrite : bool
        Whether files in the folder may be replaced.

    Raises
    ------
    FileExistsError, ValueError, OSError
        If the labels cannot be read or are no movie, or the tracks cannot be written.
    """
    found = open_image(target)
    names = parse_axes(label_axes(axes), found.data.shape) if axes else found.axes
    check_tracks(tracks, names, overwrite=overwrite)
    order, _ = walk_order(names)
    is_ordered = order == sorted(order)
    movie = found.data if is_ordered else np.asarray(found.data[...]).transpose(order)
    for done, total in write_tracks(tracks, movie, overwrite=overwrite):
        progress(Progress("tracks", done, total))
    n_nuclei = len(set().union(*(ids.tolist() for ids in nuclei_by_frame(movie))))
    return n_nuclei, (ONLY_TRACKS,)


def read_input(path: Path, axes: str | None = None) -> ImageFile:
    """Read an image, with the user's axes in place of the file's.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no image, or the axes do not fit it.
    """
    if is_zarr(path):
        image = read_ome_zarr(path)
    elif path.is_dir():
        raise ValueError(
            f"Expected images in the folder {path}, got none; name another folder or a file."
        )
    else:
        image = read_image(path)
    return replace(image, axes=parse_axes(axes, image.data.shape)) if axes else image


def read_label_input(path: Path) -> ImageFile:
    """Read labels from a file or OME-Zarr, as int32.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are none, or it is an image with labels in it.
    """
    inside = labels_inside(path)
    if is_zarr(inside):
        raise ValueError(
            f"Expected labels, got the image {str(path)!r}; give the labels in it, {str(inside)!r}."
        )
    image = read_input(path)
    return replace(image, data=labels_of(image, path))


def segment_image(
    image: ImageFile,
    predict: Predict,
    settings: SegmentSettings,
    progress: Callable[[Progress], None] | None = None,
) -> Segmentation:
    """Segment an image that was read, with the distance between planes that its file tells."""
    settings = with_distance(settings, image.scale, image.units)
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
