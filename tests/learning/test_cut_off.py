from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_unet.learning.cut_off import HEADER, MOST_FILES, CutOff, cut_off, make_room, run_file

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
    assert cut_off(path, PARENT) == CutOff(path, 40.0, 0.62)
    assert cut_off(write(path, seconds=41.0), PARENT) == CutOff(path, 40.0, 1.0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: save_file({"a": np.zeros(1)}, path),
        lambda path: write(path, origin={"model to start from": "cd" * 32}),
        lambda path: write(path, recipe={"minutes": None}),
        lambda path: write(path, recipe={"minutes": 0}),
        lambda path: write(path, recipe={"minutes": float("inf")}),
        lambda path: write(path, recipe={"minutes": float("nan")}),
        lambda path: write(path, recipe=[]),
        lambda path: write(path, seconds="long"),
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
    for age, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    make_room(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == names[: MOST_FILES - 1]
