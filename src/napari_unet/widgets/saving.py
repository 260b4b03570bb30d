"""A fine-tune is saved as it goes on: one that napari's end cuts off can be gone on with."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet.learning.cut_off import make_room
from napari_unet.widgets.running import one_sentence

if TYPE_CHECKING:
    from napari_unet.learning.finetune import FineTuning

SECONDS_BETWEEN_SAVES = 5.0  # each takes less than a tenth of a second
OTHER_RUN = (
    "The run that was cut off is of another model or of other corrections than there are now, or "
    "its file is damaged; undo what was changed since, or choose Forget and learn anew."
)


class Saver:
    """Saves a run every few seconds, from the worker.

    Parameters
    ----------
    run : FineTuning
        The run.
    path : Path, optional
        The file; nothing is saved if not given.
    is_saved : threading.Event
        Set as soon as the file holds this run.
    clock : callable
        Gives the time in seconds.
    """

    def __init__(
        self,
        run: "FineTuning",
        path: Path | None,
        is_saved: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._path = path
        self._is_saved = is_saved
        self._clock = clock
        self._saved = clock()
        self.note = ""

    def save_at_times(self) -> None:
        """Save, if it is time to."""
        if self._clock() - self._saved >= SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Save now; note in one sentence why that cannot be, as the run goes on all the same."""
        if self._path is None:
            return
        try:
            if not self._path.exists():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                make_room(self._path.parent)
            self._run.save(self._path)
            self._is_saved.set()
            self.note = ""
        except OSError as error:
            advice = "make room on the disk, or allow writing there"
            self.note = one_sentence(error, "The run could not be saved on its way", advice)
        self._saved = self._clock()


def restore(run: "FineTuning", path: Path) -> None:
    """Bring a run to where it was cut off.

    Raises
    ------
    ValueError
        If the file is that of another run, damaged or gone; it stays as it is.
    """
    try:
        run.restore(path)
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(OTHER_RUN) from error
