"""Labels of a run put in place: killed after any step, either the old or the new ones are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_unet.chunked import handing_over
from napari_unet.chunked.handing_over import (
    LABELS,
    discard,
    hand_over,
    hand_over_file,
    parts_folder,
    settle,
)


class Killed(BaseException):
    """What nothing catches, as nothing catches the end of a process."""


def killed_before(n: int, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of which only the first n calls are made."""
    left = iter(range(n))

    def called(*arguments: Any, **named: Any) -> Any:
        if next(left, None) is None:
            raise Killed
        return original(*arguments, **named)

    return called


def folder_with(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "0").write_text(text)
    return path


@pytest.fixture
def target(tmp_path) -> Path:
    """Labels whose run is about to put its own in their place."""
    target = folder_with(tmp_path / "a.zarr", "old")
    folder_with(parts_folder(target) / LABELS, "new")
    return target


def end(target: Path) -> None:
    hand_over(parts_folder(target), target)
    discard(parts_folder(target))


def end_file(target: Path) -> None:
    hand_over_file(parts_folder(target), target)
    discard(parts_folder(target))


@pytest.mark.parametrize(("n_renames", "there"), [(0, "old"), (1, "old"), (2, "new"), (3, "new")])
def test_a_kill_between_two_renames_is_put_right(target, monkeypatch, n_renames, there):
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed_before(n_renames, Path.rename))
        patch.setattr(handing_over.shutil, "rmtree", killed_before(1, handing_over.shutil.rmtree))
        with pytest.raises(Killed):
            end(target)
    settle(target)
    assert (target / "0").read_text() == there
    assert parts_folder(target).exists() == (there == "old")
    if there == "old":
        end(target)
    assert (target / "0").read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("n_renames", [0, 1])
def test_a_kill_where_nothing_was_there_is_put_right(tmp_path, monkeypatch, n_renames):
    target = tmp_path / "a.zarr"
    folder_with(parts_folder(target) / LABELS, "new")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed_before(n_renames, Path.rename))
        with pytest.raises(Killed):
            end(target)
    settle(target)
    assert target.exists() == (n_renames == 1)
    if not target.exists():
        end(target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_labels_that_came_meanwhile_are_not_taken_for_those_of_the_run(target):
    target.rename(parts_folder(target) / handing_over.REPLACED)
    folder_with(target, "another program's")
    settle(target)
    assert (target / "0").read_text() == "another program's"
    end(target)
    assert (target / "0").read_text() == "new"


@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize(
    ("step", "is_new"),
    [("touch", False), ("replace", False), ("mkdir", True), ("rename", True)],
)
def test_a_kill_before_any_step_of_a_file_is_put_right(
    tmp_path, monkeypatch, step, is_new, was_there
):
    target = tmp_path / "a.tif"
    if was_there:
        target.write_text("old")
    folder = folder_with(parts_folder(target), "a tile")
    (folder / "a.tif").write_text("new")
    with monkeypatch.context() as patch:
        patch.setattr(Path, step, killed_before(0, getattr(Path, step)))
        with pytest.raises(Killed):
            end_file(target)
    settle(target)
    assert folder.exists() != is_new
    if not is_new:
        assert target.exists() == was_there
        assert not was_there or target.read_text() == "old"
        end_file(target)
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_file_that_was_moved_away_and_another_one_do_not_end_a_run(tmp_path):
    target = tmp_path / "a.tif"
    folder = folder_with(parts_folder(target), "a tile")
    (folder / "a.tif").write_text("new")
    hand_over_file(folder, target)
    target.unlink()
    settle(target)
    target.write_text("another program's")
    settle(target)
    assert (folder / "0").read_text() == "a tile"


def test_a_folder_that_cannot_be_deleted_is_no_error(target, monkeypatch):
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(handing_over.shutil, "rmtree", lambda *_, **__: None)
            discard(parts_folder(target))
        assert not parts_folder(target).exists()
        folder_with(parts_folder(target), "a tile")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", raises_busy)
        discard(parts_folder(target))
    assert {path.name for path in target.parent.iterdir()} == {"a.zarr", ".a.zarr.parts"}


def raises_busy(*_: Any) -> None:
    raise PermissionError("in use")
