"""Workers of napari's that are gone when they have ended, with all that they hold."""

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

from napari import current_viewer
from napari.qt.threading import create_worker
from qtpy.QtCore import QThreadPool


def worker_for(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return a worker that runs a function, or a generator, in a thread; start it at once.

    napari 0.9 keeps the way to stop each worker for as long as its window is there, and with that
    the worker, its arguments and what is connected to it: images and labels of every run. Here
    it is dropped at the end. No slot may hold the worker either.

    Qt runs as many workers at a time as there are cores. A fine-tune and a run would keep all
    others waiting for minutes on two, so each makes room for another one until it has ended: at
    once, since what it says of its start is heard only when the window's thread is at rest.

    Parameters
    ----------
    function : callable
        Touches no layer and no widget.
    *arguments
        Given to it.
    """
    worker = create_worker(function, *arguments, _start_thread=False)
    _make_room(1)
    worker.finished.connect(partial(_make_room, -1))
    viewer = current_viewer()
    if viewer is not None:
        worker.finished.connect(partial(_forget, ref(viewer.window), ref(worker)))
    return worker


def _make_room(more: int) -> None:
    """Let Qt run more workers at a time, or fewer again."""
    pool: Any = QThreadPool.globalInstance()
    pool.setMaxThreadCount(pool.maxThreadCount() + more)


def _forget(window: Callable[[], Any], worker: Callable[[], Any]) -> None:
    """Take a worker that has ended from the tasks that napari's window knows."""
    tasks = getattr(getattr(window(), "_task_status_manager", None), "_tasks", {})
    own = worker()
    for key, task in list(tasks.items()):
        if getattr(getattr(task, "_cancel_callback", None), "__self__", None) is own:
            del tasks[key]
