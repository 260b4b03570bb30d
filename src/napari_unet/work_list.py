"""Long lists of files: what is left to do, and a table of what was done."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_unet.batch import FileResult
from napari_unet.chunked.handing_over import settle
from napari_unet.images.atomic import overwriting
from napari_unet.images.challenge import TABLE
from napari_unet.images.made_by import differences, read_made_by
from napari_unet.jobs import Job

COLUMNS = ("file", "labels", "status", "nuclei", "seconds", "remarks")
DONE, FAILED = "done", "failed"


def left_to_do(
    jobs: Sequence[Job], made_by: Mapping[str, Any], *, overwrite: bool = False
) -> list[Job]:
    """Return the jobs whose labels or tracks are not there: all is written whole or not at all.

    A run may have been stopped between both; then the labels are kept. Labels that do not say how
    they were made, as those that another program has saved, are taken as they are.

    Parameters
    ----------
    jobs : sequence of Job
        From `napari_unet.jobs.choose_outputs`.
    made_by : mapping
        What labels of this run say of it.
    overwrite : bool
        Whether labels that a run with other settings made are to be made anew.

    Raises
    ------
    ValueError
        If there are such labels, and they may not be overwritten.
    """
    for job in jobs:
        settle(job.target)
    others = {job: changed for job in jobs if (changed := _changed(job, made_by))}
    if others and not overwrite:
        job, changed = next(iter(others.items()))
        more = f", and {len(others) - 1} more like it" if len(others) > 1 else ""
        raise ValueError(
            f"Expected labels that were made in the same way, got {str(job.target)!r} with another "
            f"{', '.join(changed)}{more}; give what was given then, or --overwrite to make them "
            "anew."
        )
    there = {job for job in jobs if job.target.exists() and job not in others}
    return [
        replace(job, has_labels=job in there)
        for job in jobs
        if job not in there or not _has_tracks(job)
    ]


def _has_tracks(job: Job) -> bool:
    """Tell whether there are the tracks that a job is to write, if it is to write any."""
    return job.tracks is None or (job.tracks / TABLE).exists()


def _changed(job: Job, made_by: Mapping[str, Any]) -> list[str]:
    """Return what was another when the labels of a job were made, if they are there."""
    found = read_made_by(job.target) if job.target.exists() else None
    return [] if found is None else differences(found, made_by)


class WorkTable:
    """A CSV file with a line for each file, whole after each of them.

    Parameters
    ----------
    path : Path
        The file; what it says of other files stays if it is there.

    Raises
    ------
    ValueError
        If it holds something else.
    OSError
        If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = {row["file"]: row for row in _read(path)} if path.exists() else {}

    def note(self, result: FileResult, problem: str = "") -> None:
        """Write what became of a file.

        Parameters
        ----------
        result : FileResult
            Of `napari_unet.batch.segment_files`.
        problem : str
            Why there are no labels, if so.

        Raises
        ------
        OSError
            If the table cannot be written.
        """
        job = result.job
        failed = result.error is not None
        self._rows[str(job.source)] = {
            "file": str(job.source),
            "labels": "" if failed else str(job.target),
            "status": FAILED if failed else DONE,
            "nuclei": "" if failed else str(result.n_nuclei),
            "seconds": "" if failed else f"{result.seconds:.2f}",
            "remarks": problem if failed else " ".join(result.remarks),
        }
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(self._rows.values())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with overwriting(self._path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8", newline="")


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), tuple(reader.fieldnames or ())
    except (UnicodeDecodeError, csv.Error):
        columns = ()
    if columns != COLUMNS:
        raise ValueError(
            f"Expected a table of segmented files or a new name, got {path} with other contents; "
            "choose another name."
        )
    return rows
