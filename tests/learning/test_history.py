"""The table of a run's numbers, written while it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from napari_unet.learning.fit import Step
from napari_unet.learning.history import (
    COLUMNS,
    Log,
    Row,
    history_log,
    read_history,
    recording,
    row_of,
)

STEP = Step(7, 0.5, 12.3456, 0.9, mean_loss=0.123456789, learning_rate=1e-3, waiting=0.03125)
ROWS = [Row(number, 2 * number, 0.5 * number, 0.1, 1 / number, None, 0.0) for number in (1, 2, 4)]
SCORED = replace(ROWS[-1], step=5, score=0.75)


def write(log: Log, rows: list[Row], after: int = 0) -> None:
    with log(after) as take:
        for row in rows:
            take(row)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "mine_report" / "history.csv"


def test_a_row_says_where_a_step_stands():
    assert row_of(STEP, batch=3) == Row(7, 21, 12.35, 0.001, 0.123457, None, 0.0312)
    assert row_of(replace(STEP, score=0.12345678), batch=3).score == 0.123457


def test_the_table_has_a_line_per_row_and_nothing_where_there_is_no_score(path):
    write(history_log(path), [ROWS[0], SCORED])
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines == [",".join(COLUMNS), "1,2,0.5,0.1,1.0,,0.0", "5,8,2.0,0.1,0.25,0.75,0.0"]
    assert read_history(path) == [ROWS[0], SCORED]


def test_a_row_is_on_the_disk_before_the_next_one(path):
    with history_log(path)(0) as take:
        take(ROWS[0])
        assert read_history(path) == ROWS[:1]


def test_a_new_run_starts_a_new_table(path):
    write(history_log(path), ROWS)
    write(history_log(path), ROWS[:1])
    assert read_history(path) == ROWS[:1]


def test_a_resumed_run_has_no_step_twice(path):
    write(history_log(path), ROWS)
    write(history_log(path), [ROWS[2], SCORED], after=3)
    assert read_history(path) == [*ROWS, SCORED]


def test_a_resumed_run_may_have_lost_its_table(path):
    write(history_log(path), [SCORED], after=3)
    assert read_history(path) == [SCORED]


def test_a_half_written_last_row_is_left_out(path):
    write(history_log(path), ROWS)
    path.write_bytes(path.read_bytes()[:-3])
    assert read_history(path) == ROWS[:2]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", ",".join(COLUMNS) + "\n1;2;3\n"])
def test_another_table_is_refused(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ValueError, match=r"^Expected the history of a training run, got "):
        read_history(path)


def test_every_twentieth_step_and_every_validation_is_written_down(path):
    with recording([history_log(path)], after=0, batch=2) as record:
        for number in range(1, 45):
            record(replace(STEP, number=number, score=0.5 if number == 33 else None))
    assert [row.step for row in read_history(path)] == [20, 33, 40]
