"""One thing at a time in a thread; of all that is asked for meanwhile only the newest counts."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from napari_unet.widgets.running import Failed, one_sentence
from napari_unet.widgets.workers import worker_for

Work = Callable[[Any, threading.Event], Any]
Done = Callable[[Any, threading.Event], None]


class Lane:
    """Does work in a thread, the newest that is asked for.

    Parameters
    ----------
    work : callable
        Gets what is asked for and an event that says that it is cancelled; in a thread.
    done : callable
        Called with what the work returned, or with why it failed, and with the same event.
    advice : str
        What to do about an error that is no sentence.
    is_dropped : bool
        Whether what goes on is cancelled, and its outcome dropped, when something newer is asked.
    """

    def __init__(self, work: Work, done: Done, advice: str, *, is_dropped: bool) -> None:
        self._work = work
        self._done = done
        self._advice = advice
        self._is_dropped = is_dropped
        self._waiting: list[Any] = []
        self._is_running = False
        self._cancelled = threading.Event()

    @property
    def is_busy(self) -> bool:
        """Whether something goes on in the thread."""
        return self._is_running

    def ask(self, value: Any) -> None:
        """Do something, now or when what goes on has ended."""
        self._waiting = [value]
        if self._is_dropped:
            self._cancelled.set()
        if not self._is_running:
            self._start()

    def cancel(self) -> None:
        """Do nothing more, and drop what goes on."""
        self._waiting = []
        self._cancelled.set()

    def _start(self) -> None:
        self._is_running, self._cancelled = True, threading.Event()
        value = self._waiting.pop()
        worker = worker_for(self._in_a_thread, value, self._cancelled)
        worker.returned.connect(partial(self._end, self._cancelled))
        worker.start()

    def _in_a_thread(self, value: Any, cancelled: threading.Event) -> Any:
        try:
            return self._work(value, cancelled)
        except MemoryError:
            return Failed("There is not enough memory to adjust the result; nothing was changed.")
        # Whatever it is: the dock must hear of it.
        except Exception as error:
            return Failed(one_sentence(error, "The result could not be adjusted", self._advice))

    def _end(self, cancelled: threading.Event, outcome: Any) -> None:
        self._is_running = False
        if not cancelled.is_set():
            self._done(outcome, cancelled)
        if self._waiting and not self._is_running:
            self._start()
