"""Long lists of files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from napari_unet.batch import FileResult, Job
from napari_unet.work_list import COLUMNS, WorkTable, left_to_do


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_jobs_whose_labels_are_there_are_done(tmp_path):
    jobs = [Job(Path(f"{name}.tif"), tmp_path / f"{name}_labels.tif") for name in "abc"]
    jobs[1].target.touch()
    assert left_to_do(jobs) == [jobs[0], jobs[2]]


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
