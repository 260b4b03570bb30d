"""Long lists of files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.batch import FileResult
from napari_unet.images.files import write_labels
from napari_unet.jobs import Job
from napari_unet.work_list import COLUMNS, WorkTable, left_to_do


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


HOW = {"model": "0f" * 32, "settings": {"diameter": 20.0, "link": "auto"}}


@pytest.fixture
def jobs(tmp_path) -> list[Job]:
    return [Job(Path(f"{name}.tif"), tmp_path / f"{name}_labels.tif") for name in "abcd"]


def write(job: Job, made_by: dict[str, Any] | None) -> None:
    write_labels(job.target, np.ones((4, 4), np.int32), "YX", made_by=made_by)


def test_jobs_whose_labels_are_there_are_done(jobs):
    write(jobs[1], HOW)
    write(jobs[2], None)
    jobs[3].target.touch()
    assert left_to_do(jobs, HOW) == [jobs[0]]


def test_labels_of_other_settings_are_refused_or_made_anew(jobs):
    write(jobs[1], HOW)
    write(jobs[2], {**HOW, "settings": {"diameter": 18.5, "link": "auto"}})
    write(jobs[3], {**HOW, "model": "1e" * 32})
    with pytest.raises(ValueError, match=r"c_labels.tif' with another diameter \(18.5 then, 20.0"):
        left_to_do(jobs, HOW)
    with pytest.raises(ValueError, match=r"d_labels.tif' with another model; give what"):
        left_to_do([jobs[3]], HOW)
    assert left_to_do(jobs, HOW, overwrite=True) == [jobs[0], jobs[2], jobs[3]]


def test_labels_without_the_tracks_that_are_wanted_are_not_done(jobs, tmp_path):
    job = replace(jobs[0], tracks=tmp_path / "01_RES")
    write(job, HOW)
    assert left_to_do([job], HOW) == [replace(job, has_labels=True)]
    assert left_to_do([job], {**HOW, "model": "1e" * 32}, overwrite=True) == [job]
    job.tracks.mkdir()
    (job.tracks / "res_track.txt").touch()
    assert left_to_do([job], HOW) == []


def test_the_table_is_whole_after_every_file(tmp_path):
    path = tmp_path / "new" / "done.csv"
    table = WorkTable(path)
    job, bad = Job(Path("a, b.tif"), Path("x.tif")), Job(Path("ü.tif"), Path("y.tif"))
    table.note(FileResult(job, 3, 1.234, remarks=("One.", "Two.")))
    assert rows_of(path) == [
        dict(zip(COLUMNS, ("a, b.tif", "x.tif", "done", "3", "1.23", "One. Two."), strict=True))
    ]
    table.note(FileResult(bad, error=ValueError("no")), "It is broken.")
    assert rows_of(path)[1] == dict(
        zip(COLUMNS, ("ü.tif", "", "failed", "", "", "It is broken."), strict=True)
    )
    assert [file.name for file in path.parent.iterdir()] == ["done.csv"]


def test_a_table_is_continued_and_a_file_has_one_line(tmp_path):
    path = tmp_path / "done.csv"
    first, second = Job(Path("a.tif"), Path("x.tif")), Job(Path("b.tif"), Path("y.tif"))
    WorkTable(path).note(FileResult(first, 3, 1.0))
    table = WorkTable(path)
    table.note(FileResult(second, error=ValueError()), "Broken.")
    table.note(FileResult(second, 5, 1.0))
    assert [(row["file"], row["nuclei"]) for row in rows_of(path)] == [
        ("a.tif", "3"),
        ("b.tif", "5"),
    ]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"\x00"])
def test_another_file_is_not_taken_for_a_table(tmp_path, content):
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Expected a table of segmented files or a new name"):
        WorkTable(path)
    assert path.read_bytes() == content
