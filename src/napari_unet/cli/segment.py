"""``napari-unet segment``: labels for files and folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet.cli.failures import FILES, USAGE, complain, refused, sentence, stop
from napari_unet.cli.options import (
    Anisotropy,
    Axes,
    Device,
    Diameter,
    Link,
    ModelName,
    NamedChannel,
    Overwrite,
    Precision,
    Quality,
    Quiet,
    Tile,
    Views,
    check_axes,
    number_and_name,
    open_model,
    settings_for,
)
from napari_unet.network import PRECISIONS

if TYPE_CHECKING:
    from napari_unet.batch import FileResult, Steps
    from napari_unet.chunked.walk import Run
    from napari_unet.jobs import Job
    from napari_unet.large import InBlocks
    from napari_unet.network.onnx_model import AnyModel
    from napari_unet.segmentation import Progress, SegmentSettings
    from napari_unet.work_list import WorkTable

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="Images (TIFF, OME-TIFF, OME-Zarr, PNG, JPEG) and folders of them.",
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Folder for the labels, or a .tif or .zarr file for those of one image; beside each "
        "image, or in an OME-Zarr image, if not given.",
        show_default=False,
    ),
]
Tracks = Annotated[
    Path | None,
    typer.Option(
        file_okay=False,
        help="New folder for the tracks of a movie, as a result of the Cell Tracking Challenge.",
        show_default=False,
    ),
]
Blocks = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Segment block by block, with blocks of this side in pixels, as is done anyway with "
        "images of OME-Zarr and large ones.",
        show_default=False,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a run that was stopped or killed: leave out files whose labels are there, "
        "and blocks that are done; with the same options as then.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="Segment in blocks, in this many processes at once.", show_default=False
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Segment in blocks on the dask cluster at this address, which sees the same files.",
        show_default=False,
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        metavar="FILE",
        help="CSV file with what became of each file, kept up to date: nuclei, seconds, remarks, "
        "problems. An existing table is continued.",
        show_default=False,
    ),
]


def segment(
    paths: Paths,
    output: Folder = None,
    tracks: Tracks = None,
    model: ModelName = None,
    diameter: Diameter = None,
    channel: NamedChannel = None,
    axes: Axes = None,
    link: Link = None,
    quality: Quality = None,
    views: Views = None,
    anisotropy: Anisotropy = None,
    tile: Tile = None,
    device: Device = "auto",
    precision: Precision = PRECISIONS[0],
    blocks: Blocks = None,
    resume: Resume = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    table: Table = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Segment images: one label per nucleus.

    The labels of cells.png are written as cells_labels.tif, with the voxel size of the image.
    Images that would share that name get longer ones. Label files in a folder are not taken
    for images. A file that cannot be segmented is reported, and the rest goes on.

    Images larger than memory are read, segmented and written block by block. What is done is kept
    beside the labels until these are whole, for --resume.
    With --resume, labels that another model or other settings made are refused; with --overwrite
    as well, they are made anew.

    Example: napari-unet segment plate7/ stack.ome.tif -o labels/ --diameter 30
    """
    check_axes(axes)
    from napari_unet.batch import segment_files
    from napari_unet.cli.progress import work_bar
    from napari_unet.large import InBlocks
    from napari_unet.work_list import WorkTable

    network = open_model(model, device, precision)
    number, name = number_and_name(channel)
    settings = settings_for(
        network,
        channel=number,
        diameter=diameter,
        link=link,
        quality=quality,
        views=views,
        anisotropy=anisotropy,
        tile=tile,
    )
    jobs = with_tracks(jobs_for(paths, output), tracks, settings.link)
    made_by = how_made(network, settings, name, axes)
    jobs = remaining(jobs, made_by, overwrite=overwrite, quiet=quiet) if resume else jobs
    noted = WorkTable(table) if table else None
    given: dict[str, Any] = {
        "axes": axes,
        "overwrite": overwrite,
        "made_by": made_by,
    }
    with cluster(scheduler, workers) as run, work_bar(len(jobs), quiet=quiet) as show:
        large = partial(in_blocks, network, settings, InBlocks(blocks, resume, run), name, **given)
        begin = partial(segment_files, jobs, network.predict, settings, large=large, **given)
        results = follow(partial(begin, channel_name=name), show, noted, quiet=quiet)
    conclude(results)


def follow(
    begin: Callable[..., Iterator[FileResult]],
    show: Callable[[str, float], None],
    noted: WorkTable | None,
    *,
    quiet: bool,
) -> list[FileResult]:
    """Run to the end, and tell what becomes of each file; return all of that."""
    from napari_unet.cli.progress import fraction_of

    results: list[FileResult] = []

    def report(job: Job, step: Progress) -> None:
        show(job.source.name, len(results) + fraction_of(step))

    for result in begin(progress=report):
        results.append(result)
        tell(result, quiet=quiet)
        if noted:
            noted.note(result, sentence(result.error) if result.error else "")
    return results


def how_made(
    model: AnyModel,
    settings: SegmentSettings,
    channel: str | None,
    axes: str | None,
) -> dict[str, Any]:
    """Return what labels say of this run: the same for all files of a work list."""
    # Not what each file says where nothing is given.
    number = settings.channel
    looked_up = {"channel": channel if number is None else number}
    return {"model": model.sha256, "axes": axes, "settings": asdict(settings) | looked_up}


def remaining(
    jobs: list[Job], made_by: dict[str, Any], *, overwrite: bool, quiet: bool
) -> list[Job]:
    """Return the jobs that an earlier run has not done; say how many it has."""
    from napari_unet.work_list import left_to_do

    left = left_to_do(jobs, made_by, overwrite=overwrite)
    if len(left) < len(jobs) and not quiet:
        print(f"{len(jobs) - len(left)} of {len(jobs)} files are done already.", flush=True)
    return left


def jobs_for(paths: list[Path], output: Path | None) -> list[Job]:
    """Return what is read and written; an output that cannot be is wrong usage."""
    from napari_unet.images.files import FLAT_SUFFIXES
    from napari_unet.jobs import FILE_SUFFIXES, choose_outputs, find_inputs

    ending = output.suffix.lower() if output is not None else ""
    # Who names a picture does not mean a folder.
    is_picture = ending in FLAT_SUFFIXES and output is not None and not output.is_dir()
    is_other_file = output is not None and output.is_file() and ending not in FILE_SUFFIXES
    if is_picture or is_other_file:
        stop(f"Expected a folder, or a .tif or .zarr file, got {output}; name another one.", USAGE)
    with refused():
        return choose_outputs(find_inputs(paths), output)


@contextmanager
def cluster(address: str | None, n_workers: int | None) -> Iterator[Run]:
    """Yield where the steps run: in this process if no cluster is asked for."""
    from napari_unet.chunked.walk import here

    if address is not None and n_workers is not None:
        stop("Expected --scheduler or --workers, got both; leave one out.", USAGE)
    if address is None and n_workers is None:
        yield here
        return
    from napari_unet.chunked.cluster import on_cluster

    with on_cluster(address, n_workers) as run:
        yield run


def in_blocks(
    model: AnyModel,
    settings: SegmentSettings,
    how: InBlocks,
    channel: str | None,
    job: Job,
    **given: Any,
) -> Steps | None:
    """Return the steps of an image that is segmented in blocks, None for another one."""
    from napari_unet.batch import with_channel
    from napari_unet.images.lazy import open_image
    from napari_unet.large import is_large, segment_large

    if not is_large(job.source, job.target, how):
        return None
    if channel is not None:
        settings = with_channel(settings, open_image(job.source, given["axes"]), channel)
    about = {"tracks": job.tracks, **given}
    return segment_large(job.source, job.target, model, settings, how, **about)


def with_tracks(jobs: list[Job], folder: Path | None, link: str) -> list[Job]:
    """Return the jobs with the folder of tracks, which only one movie that is linked can have."""
    if folder is None:
        return jobs
    if len(jobs) != 1:
        stop(f"Expected one movie for --tracks, got {len(jobs)} images; segment each alone.", USAGE)
    if link == "none":
        stop("Expected linked frames for --tracks, got --link none; leave --link out.", USAGE)
    return [replace(job, tracks=folder) for job in jobs]


def tell(result: FileResult, *, quiet: bool) -> None:
    """Print what became of a file, in one line."""
    if result.error is not None:
        complain(f"{result.job.source}: {sentence(result.error)}")
    elif not quiet:
        print(
            f"{result.job.source} -> {result.job.target}: "
            f"{result.n_nuclei} nuclei in {result.seconds:.1f} s",
            *result.remarks,
            flush=True,
        )


def conclude(results: list[FileResult]) -> None:
    """End with status 1 if any file failed, with a list of these among others that are done."""
    failed = [result for result in results if result.error is not None]
    if not failed:
        return
    if len(results) > 1:
        complain(f"{len(failed)} of {len(results)} files failed, the others are done.")
    for result in failed if len(failed) < len(results) else ():
        tell(result, quiet=True)
    raise typer.Exit(FILES)
