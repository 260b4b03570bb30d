"""What a run leaves in memory when it has ended."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from napari.qt.threading import FunctionWorker, GeneratorWorker
from qtpy.QtCore import QThreadPool

from napari_unet.widgets.workers import worker_for


class Large:
    """Stands for an image or its labels."""


def returned(large: Large) -> int:
    return 1


def yielded(large: Large) -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("function", [returned, yielded])
def test_a_worker_that_has_ended_holds_nothing(
    make_napari_viewer_proxy: Callable[..., Any], qtbot: Any, function: Any
) -> None:
    make_napari_viewer_proxy()
    given, connected = Large(), Large()
    held = [weakref.ref(given), weakref.ref(connected)]
    worker = worker_for(function, given)
    worker.finished.connect(lambda kept=connected: None)
    with qtbot.waitSignal(worker.finished, timeout=60_000):
        worker.start()
    del worker, given, connected
    qtbot.waitUntil(lambda: gc.collect() >= 0 and not any(ref() for ref in held), timeout=60_000)


def test_a_long_run_keeps_no_other_waiting(qtbot: Any, request: pytest.FixtureRequest) -> None:
    pool = QThreadPool.globalInstance()
    request.addfinalizer(partial(pool.setMaxThreadCount, pool.maxThreadCount()))
    pool.setMaxThreadCount(1)
    meeting = threading.Barrier(3)
    workers = [worker_for(meeting.wait, 60) for _ in range(3)]
    with qtbot.waitSignals([worker.returned for worker in workers], timeout=60_000):
        for worker in workers:
            worker.start()
    qtbot.waitUntil(lambda: pool.maxThreadCount() == 1, timeout=60_000)


def test_a_run_leaves_no_worker_and_no_removed_result(
    make_napari_viewer_proxy: Callable[..., Any], open_segment: Callable[[Any], Any], qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    others = weakref.WeakSet(workers())
    dock = open_segment(viewer)
    viewer.add_image(np.pad(np.full((12, 12), 200, np.uint8), 15))
    for _ in range(2):
        dock.start()
        qtbot.waitUntil(lambda: dock.run.worker is None, timeout=60_000)
    result = weakref.ref(viewer.layers[-1])
    viewer.layers.pop()
    qtbot.waitUntil(lambda: gc.collect() >= 0 and others.issuperset(workers()), timeout=60_000)
    qtbot.waitUntil(lambda: gc.collect() >= 0 and result() is None, timeout=60_000)


def workers() -> list[object]:
    kinds = (FunctionWorker, GeneratorWorker)
    return [each for each in gc.get_objects() if type(each) in kinds]
