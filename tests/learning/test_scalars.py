"""What TensorBoard shows of a run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from napari_unet.learning.history import Log, Row
from napari_unet.learning.scalars import tensorboard_log

ROWS = [Row(number, 2 * number, 0.5 * number, 0.1, 1 / number, None, 0.0) for number in (1, 2, 4)]
SCORED = replace(ROWS[-1], step=5, score=0.75)


def write(log: Log, rows: list[Row], after: int = 0) -> None:
    with log(after) as take:
        for row in rows:
            take(row)


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, round(event.value, 6)) for event in events.Scalars(name)]


def test_tensorboard_shows_the_same_numbers(tmp_path):
    write(tensorboard_log(tmp_path), [ROWS[0], SCORED])
    assert scalars(tmp_path, "loss") == [(1, 1.0), (5, 0.25)]
    assert scalars(tmp_path, "learning_rate") == [(1, 0.1), (5, 0.1)]
    assert scalars(tmp_path, "waiting") == [(1, 0.0), (5, 0.0)]
    assert scalars(tmp_path, "score") == [(5, 0.75)]


def test_tensorboard_shows_no_step_of_a_resumed_run_twice(tmp_path):
    write(tensorboard_log(tmp_path), ROWS)
    write(tensorboard_log(tmp_path), [ROWS[2], SCORED], after=3)
    assert [step for step, _ in scalars(tmp_path, "loss")] == [1, 2, 4, 5]


def test_tensorboard_forgets_an_earlier_run_of_that_name(tmp_path):
    write(tensorboard_log(tmp_path), ROWS)
    write(tensorboard_log(tmp_path), [SCORED])
    assert scalars(tmp_path, "loss") == [(5, 0.25)]


def test_without_tensorboard_one_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r'pip install "napari-unet-nuclei\[train\]"'):
        tensorboard_log(tmp_path)
