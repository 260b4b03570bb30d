from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_unet.learning.cut_off import (
    HEADER,
    MOST_FILES,
    CutOff,
    Hold,
    cut_off,
    forget,
    forget_if_free,
    is_under_way,
    make_room,
    run_file,
)

PARENT = "ab" * 32
FACTS: dict[str, Any] = {
    "seconds": 24.8,
    "recipe": {"minutes": 40 / 60},
    "origin": {"model to start from": PARENT},
}


def write(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    save_file({"a": np.zeros(1)}, path, {HEADER: json.dumps(FACTS | changes)})
    return path


def test_each_result_has_a_file_of_its_own_whatever_its_name_holds(tmp_path: Path) -> None:
    first, second = run_file(tmp_path, "a"), run_file(tmp_path, "../../b/\udc80")
    assert first != second
    assert first.parent == second.parent == tmp_path / "runs"
    assert run_file(tmp_path, "a") == first


def test_a_run_tells_how_long_it_was_to_be_and_how_far_it_came(tmp_path: Path) -> None:
    path = write(run_file(tmp_path, "a"))
    assert cut_off(path, PARENT) == CutOff(path, 40.0, 24.8)


def test_live_learning_has_no_end(tmp_path: Path) -> None:
    path = write(run_file(tmp_path, "a"), recipe={"minutes": None})
    run = cut_off(path, PARENT)
    assert run == CutOff(path, None, 24.8)
    assert run.live


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: save_file({"a": np.zeros(1)}, path),
        lambda path: write(path, origin={"model to start from": "cd" * 32}),
        lambda path: write(path, recipe={"minutes": 0}),
        lambda path: write(path, recipe={"minutes": float("inf")}),
        lambda path: write(path, recipe={"minutes": float("nan")}),
        lambda path: write(path, recipe=[]),
        lambda path: write(path, seconds="long"),
        lambda path: write(path, seconds=-1.0),
    ],
)
def test_what_cannot_be_gone_on_with_is_no_run(
    tmp_path: Path, spoil: Callable[[Path], Any]
) -> None:
    path = write(run_file(tmp_path, "a"))
    spoil(path)
    assert cut_off(path, PARENT) is None


def test_the_newest_files_stay_and_one_more_has_room(tmp_path: Path) -> None:
    names = [f"{number}.safetensors" for number in range(MOST_FILES)] + [".half.safetensors"]
    (tmp_path / "0.lock").touch()
    for age, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    make_room(tmp_path)
    left = ["0.lock", *names[: MOST_FILES - 1]]
    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_a_run_that_is_under_way_stays_however_old_it_is(tmp_path: Path) -> None:
    for age in range(MOST_FILES + 1):
        (tmp_path / f"{age}.safetensors").touch()
        os.utime(tmp_path / f"{age}.safetensors", (1e9 - age, 1e9 - age))
    hold = Hold(tmp_path / f"{MOST_FILES}.safetensors")
    assert hold.take()
    make_room(tmp_path)
    assert (tmp_path / f"{MOST_FILES}.safetensors").exists()
    assert not (tmp_path / f"{MOST_FILES - 1}.safetensors").exists()
    hold.let_go()


def test_a_run_is_under_way_until_it_is_let_go(tmp_path: Path) -> None:
    path = run_file(tmp_path, "a")
    assert not is_under_way(path)
    hold = Hold(path)
    assert hold.take()
    assert is_under_way(path)
    assert not Hold(path).take()
    write(path)
    hold.let_go()
    assert not is_under_way(path)
    assert Hold(path).take()


def test_a_run_that_left_no_file_leaves_no_lock(tmp_path: Path) -> None:
    hold = Hold(run_file(tmp_path, "a"))
    assert hold.take()
    hold.let_go()
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_is_deleted_takes_its_lock_along(tmp_path: Path) -> None:
    path = write(run_file(tmp_path, "a"))
    hold = Hold(path)
    assert hold.take()
    forget_if_free(path)  # by another window
    assert path.exists()
    hold.let_go()
    forget_if_free(path)
    assert list(path.parent.iterdir()) == []


def test_a_run_that_is_deleted_by_who_holds_it_takes_its_lock_along(tmp_path: Path) -> None:
    path = write(run_file(tmp_path, "a"))
    hold = Hold(path)
    assert hold.take()
    forget(path)
    hold.let_go()
    assert list(path.parent.iterdir()) == []


def test_locks_that_no_run_has_are_deleted_but_those_that_are_held(tmp_path: Path) -> None:
    (tmp_path / "killed.lock").touch()
    hold = Hold(tmp_path / "not saved yet.safetensors")
    assert hold.take()
    make_room(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["not saved yet.lock"]
    hold.let_go()


def test_where_nothing_can_be_locked_nobody_has_it(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("no folder")
    assert Hold(run_file(tmp_path, "a")).take()


HELD = """
import sys
from pathlib import Path
from napari_unet.learning.cut_off import Hold
hold = Hold(Path(sys.argv[1]))
print(hold.take(), flush=True)
sys.stdin.read()
"""


def test_a_killed_program_has_no_run_under_way(tmp_path: Path) -> None:
    path = write(run_file(tmp_path, "a"))
    command = [sys.executable, "-c", HELD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert is_under_way(path)
        other.kill()
    assert not is_under_way(path)
