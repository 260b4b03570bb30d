"""Learning goes on while the user paints: what is new joins at the next step."""

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_unet.widgets.messages import Glance, LearnRequest, Painted
from napari_unet.widgets.remembering import corrected_crops, remembered, store

if TYPE_CHECKING:
    from napari_unet.learning.crops import Crop
    from napari_unet.learning.finetune import FineTuning
    from napari_unet.network.model import Model

SECONDS_BETWEEN_LOOKS = 2.0
MOST_TIME_LOOKING = 0.1  # part of the time that looking for strokes may take
SECONDS_BETWEEN_MARKS = 15.0  # each takes a second or more
SECONDS_BETWEEN_QUESTIONS = 0.25  # while nothing is painted


class Follower:
    """Follows what a user paints, and lets a run learn from it.

    Parameters
    ----------
    request : LearnRequest
        Gets the strokes.
    model : Model
        The one that is to learn.
    clock : callable
        Gives the time in seconds.
    """

    def __init__(
        self, request: LearnRequest, model: "Model", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._request = request
        self._model = model
        self._clock = clock
        self._own: list[Crop] = []
        self._others: list[Crop] = []
        self._next_look = self._next_mark = 0.0
        self.note = ""

    @property
    def crops(self) -> list["Crop"]:
        """All that is learned from."""
        return [*self._own, *self._others]

    def begin(self) -> Generator[Glance, None, bool]:
        """Wait for the first correction; return whether there is one."""
        from napari_unet.learning.lessons import rehearsal

        self._cut(self._request.painted)
        if not self._own:
            yield Glance("wait")
            # It is kept: while the user paints, what takes long is drawn.
            rehearsal(self._model.card)
        yield from self.wait()
        self._others, self.note = remembered(self._request, self._own)
        self._next_mark = self._clock() + SECONDS_BETWEEN_MARKS
        return bool(self._own)

    def wait(self, seconds: float = 0.0) -> Generator[Glance, None, None]:
        """Wait until something is corrected, or the user ends it."""
        while not (self._own or self._request.stop.wait(SECONDS_BETWEEN_QUESTIONS)):
            yield Glance("wait", seconds)
            self._look()
        if not self._own:
            # What was handed over at the moment of the end.
            self._look()

    def follow(self, run: "FineTuning", *, at_once: bool = False) -> bool:
        """Let a run learn from new strokes, if it is time to look; return whether there are any."""
        is_time = at_once or self._clock() >= self._next_look
        has_new = is_time and self._look() and bool(self._own)
        if has_new:
            run.renew(self.crops)
        return has_new

    def mark(self, run: "FineTuning") -> float | None:
        """Return how a run does, if it is time to look."""
        if self._clock() < self._next_mark:
            return None
        mark = run.mark()
        self._next_mark = self._clock() + SECONDS_BETWEEN_MARKS
        return mark

    def _look(self) -> bool:
        """Take what was painted since the last look; return whether there is something."""
        started = self._clock()
        try:
            newest = self._request.strokes.pop()
        # Nothing is new, or the window has taken it back since a stroke began.
        except IndexError:
            return False
        self._cut(newest)
        self.note = store(self._request, self._own) or self.note
        ended = self._clock()
        pause = max(SECONDS_BETWEEN_LOOKS, (ended - started) / MOST_TIME_LOOKING)
        self._next_look = ended + pause
        return True

    def _cut(self, painted: Painted) -> None:
        # The user paints on.
        painted = replace(painted, labels=np.array(painted.labels))
        self._own = corrected_crops(self._request, painted, self._model)
