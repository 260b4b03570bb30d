from __future__ import annotations

import threading
from collections.abc import Generator

import numpy as np

from napari_unet.segmentation import Progress, finish
from napari_unet.widgets.running import TimeLeft, one_sentence, seldom, until


def test_reports_are_passed_on_four_times_a_second() -> None:
    times = iter(np.arange(0, 100, 0.05).repeat(2))

    def reports() -> Generator[Progress, None, str]:
        for n in range(20):
            yield Progress("network", n, 20)
        return "done"

    passed = []
    assert finish(seldom(reports(), lambda: float(next(times))), passed.append) == "done"
    assert 3 <= len(passed) <= 6


def test_the_time_left_follows_from_the_time_so_far() -> None:
    times = iter([0.0, 10.0, 10.0])
    left = TimeLeft(lambda: next(times))
    assert left.text(0.1) == ""
    assert left.text(0.2) == "80 s left"
    assert left.text(0.05) == ""


def test_a_sentence_of_ours_is_passed_on_and_others_are_put_into_one() -> None:
    assert one_sentence(ValueError("Expected a,\ngot b; do c.")) == "Expected a, got b; do c."
    assert "(KeyError: 'chunk')" in one_sentence(KeyError("chunk"))


def test_a_report_that_matters_is_passed_on_whenever_it_comes() -> None:
    def steps() -> Generator[int, None, str]:
        yield from range(6)
        return "done"

    assert finish(seldom(steps(), lambda: 0.0, lambda step: step == 4), (seen := []).append)
    assert seen == [0, 4]


def test_steps_end_without_a_result_once_they_are_cancelled() -> None:
    cancelled, seen = threading.Event(), []

    def steps() -> Generator[int, None, str]:
        yield from range(9)
        return "done"

    def see(step: int) -> None:
        seen.append(step)
        if step == 2:
            cancelled.set()

    assert finish(until(threading.Event(), steps()), seen.append) == "done"
    seen.clear()
    assert finish(until(cancelled, steps()), see) is None
    assert seen == [0, 1, 2]
