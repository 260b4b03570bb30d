"""Labels of a run put in place: killed after any step, either the old or the new ones are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_unet.chunked import handing_over
from napari_unet.chunked.handing_over import LABELS, discard, hand_over, parts_folder, settle


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
