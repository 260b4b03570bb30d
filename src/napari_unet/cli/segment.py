"""``napari-unet segment``: labels for files and folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_unet.cli.failures import FILES, USAGE, complain, sentence, stop
from napari_unet.cli.options import (
    Anisotropy,
    Axes,
    Device,
    Diameter,
    Link,
    ModelName,
    NamedChannel,
    Overwrite,
    Quality,
    Quiet,
    Tile,
    Views,
    check_axes,
    number_and_name,
    open_model,
    settings_for,
)

if TYPE_CHECKING:
    from napari_unet.batch import FileResult, Job

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...", help="Images (TIFF, OME-TIFF, PNG, JPEG) and folders of them."
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        file_okay=False,
        help="Folder for the labels; beside each image if not given.",
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
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Leave out files whose labels are there, as after a run that was stopped."
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
    resume: Resume = False,
    table: Table = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Segment images: one label per nucleus.

    The labels of cells.png are written as cells_labels.tif, with the voxel size of the image.
    Images that would share that name get longer ones. Label files in a folder are not taken
    for images. A file that cannot be segmented is reported, and the rest goes on.

    With --resume, what was done before with the same names is left out, whatever its settings.

    Example: napari-unet segment plate7/ stack.ome.tif -o labels/ --diameter 30
    """
    check_axes(axes)
    from napari_unet.batch import choose_outputs, find_inputs, segment_files
    from napari_unet.cli.progress import fraction_of, work_bar
    from napari_unet.work_list import WorkTable, left_to_do

    network = open_model(model, device)
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
    jobs = with_tracks(choose_outputs(find_inputs(paths), output), tracks, settings.link)
    if resume:
        n_all, jobs = len(jobs), left_to_do(jobs)
        if not quiet:
            print(f"{n_all - len(jobs)} of {n_all} files are done already.", flush=True)
    noted = WorkTable(table) if table else None
    results: list[FileResult] = []
    with work_bar(len(jobs), quiet=quiet) as show:
        for result in segment_files(
            jobs,
            network.predict,
            settings,
            axes=axes,
            channel_name=name,
            anisotropy_is_given=anisotropy is not None,
            overwrite=overwrite,
            progress=lambda job, step: show(job.source.name, len(results) + fraction_of(step)),
        ):
            results.append(result)
            tell(result, quiet=quiet)
            if noted:
                noted.note(result, sentence(result.error) if result.error else "")
    conclude(results)


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
