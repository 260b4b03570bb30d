"""Corrections that were saved before napari ended, offered back beside the image they are of."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from threading import Thread
from typing import Any

import numpy as np
from magicgui.widgets import PushButton
from napari.layers import Image, Labels
from napari.utils.notifications import show_error
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_unet.learning.autosave import SCRIBBLES, Autosaves, Note
from napari_unet.network.library import find_again
from napari_unet.widgets.autosave import Origin, saving, user_autosaves
from napari_unet.widgets.corrections import RESULT, own_id
from napari_unet.widgets.form import Question
from napari_unet.widgets.results import bring_back, find_result
from napari_unet.widgets.running import Failed, one_sentence
from napari_unet.widgets.scribble_saving import bring_back_scribbles
from napari_unet.widgets.workers import worker_for

THERE = "Expected saved labels that are not shown yet, got some that are; look in the layer list."


@dataclass(frozen=True, eq=False)
class Found:
    """What is saved of an image, and one sentence for each file that is damaged."""

    notes: list[Note]
    problems: list[str]


@dataclass(frozen=True, eq=False)
class Read:
    """The labels of a run, and what the user had made of them; the note is the newest."""

    note: Note
    labels: NDArray[np.int32]
    prediction: NDArray[np.int32]


class Offer(Question):
    """One line and two buttons, shown where something is saved of an image and not there.

    That are corrections, if the image has no result, and scribbles.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets what is brought back.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._image: Image | None = None
        self._note: Note | None = None
        self._origin: Origin | None = None
        self._is_looking = self._is_stale = False
        self._has_left = False
        # Looks once when all that hear of the same layer have done so: one of them may save it.
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._look)
        self.bring_back = PushButton(
            text="Bring back", tooltip="Show the labels of that time with all corrections"
        )
        self.delete = PushButton(
            text="Delete them", tooltip="Forget these corrections; they cannot be brought back then"
        )
        super().__init__(self.bring_back, self.delete)
        self.bring_back.clicked.connect(self._bring_back)
        self.delete.clicked.connect(self._delete)

    def look(self, image: Image | None) -> None:
        """Show what is saved of an image, if there is no result of it; nothing for None."""
        self._image, self._note, self.visible = image, None, False
        self._timer.start(0)

    def _look(self) -> None:
        """Find what is saved, in a thread; one look at a time, the last one is never left out."""
        image, saves, threads = self._image, user_autosaves(), saving()
        if self._is_looking:
            self._is_stale = True
            return
        if not self._is_wanted(image) or (saves.is_empty() and not threads):
            return
        self._is_looking = True
        worker = worker_for(find_saved, saves, self._origin_of(image), threads)
        worker.returned.connect(partial(self._show, image))
        worker.start()

    def _origin_of(self, image: Image) -> Origin:
        """Return that of an image; one that was looked at before has read its pixels already."""
        origin = Origin.of(image)
        if self._origin is None or not origin.is_same(self._origin):
            self._origin = origin
        return self._origin

    def leave(self) -> None:
        """Show nothing more; the widgets may be gone already."""
        self._has_left = True
        self._image = self._note = self._origin = None
        with suppress(RuntimeError):
            self._timer.stop()

    def _is_wanted(self, image: Image | None) -> bool:
        """Tell whether something may be offered for an image."""
        if self._has_left or image is None or image != self._image:
            return False
        return image in self._viewer.layers

    def _is_missing(self, image: Image, note: Note) -> bool:
        """Tell whether what was saved of an image is not in the viewer."""
        layers = self._viewer.layers
        there = [own_id(layer) for layer in layers if isinstance(layer, Labels)]
        has_result = not note.is_scribbles and find_result(layers, image) is not None
        return not has_result and note.facts[RESULT] not in there

    def _show(self, image: Image, found: Found) -> None:
        """Offer the newest of what was found, if that is still wanted."""
        is_stale, self._is_looking, self._is_stale = self._is_stale, False, False
        if self._has_left:
            return
        for problem in found.problems:
            show_error(problem)
        if is_stale:
            self._timer.start(0)
        elif self._is_wanted(image):
            self._show_newest([note for note in found.notes if self._is_missing(image, note)])

    def _show_newest(self, notes: list[Note]) -> None:
        """Offer the first of what there is, if there is any."""
        if notes:
            self._note = notes[0]
            self.text.value = offered(self._note)
            self.visible = self.bring_back.enabled = self.delete.enabled = True

    def _bring_back(self) -> None:
        """Read what is offered, then show it."""
        if self._note is None or self._image is None:
            return
        self.bring_back.enabled = self.delete.enabled = False
        worker = worker_for(read_saved, user_autosaves(), self._note, saving())
        worker.returned.connect(partial(self._add, self._image))
        worker.start()

    def _add(self, image: Image, read: Read | Failed) -> None:
        """Make the result as it was, or say why that cannot be."""
        if not self._is_wanted(image):
            return
        try:
            if isinstance(read, Failed):
                raise ValueError(read.sentence)
            if not self._is_missing(image, read.note):
                raise ValueError(THERE)
            if read.note.is_scribbles:
                bring_back_scribbles(self._viewer, image, read.note, read.labels)
            else:
                bring_back(self._viewer, image, read.note, read.labels, read.prediction)
        except ValueError as error:
            show_error(str(error))
        self.look(image)

    def _delete(self) -> None:
        """Delete what is offered, and offer what else there is."""
        if self._note is None:
            return
        try:
            user_autosaves().delete(self._note.image, self._note.token)
        except OSError as error:
            advice = "allow writing there and try again"
            show_error(one_sentence(error, "The corrections could not be deleted", advice))
        self.look(self._image)


def offered(note: Note) -> str:
    """Return in one line what is offered."""
    when = note.date.astimezone()
    date = f"{when.day} {when:%b %H:%M}"
    if note.is_scribbles:
        return f"Scribbles {note.facts[SCRIBBLES]!r} from {date} were saved for this image."
    if not note.n_nuclei:
        return f"An area confirmed until {date} was saved for this image."
    nuclei = "1 nucleus" if note.n_nuclei == 1 else f"{note.n_nuclei} nuclei"
    return f"Corrections of {nuclei} from {date} were saved for this image."


def find_saved(saves: Autosaves, origin: Origin, threads: Sequence[Thread] = ()) -> Found:
    """Return what is saved of an image, when these threads have saved; its pixels are read."""
    for thread in threads:
        thread.join()
    try:
        image = origin.identity()
    # Whatever the image's own array or its decoder raises: a run will tell, and this must not.
    except Exception:
        return Found([], [])
    try:
        return Found(*saves.of_image(image))
    except (OSError, MemoryError) as error:
        advice = "allow reading there"
        return Found([], [one_sentence(error, "Saved corrections could not be read", advice)])


def read_saved(saves: Autosaves, offered: Note, threads: Sequence[Thread] = ()) -> Read | Failed:
    """Read the labels of a run, and what the user has made of them by now."""
    for thread in threads:
        thread.join()
    try:
        note = saves.again(offered)
        prediction = saves.prediction(note)
        if not note.is_scribbles:
            model = find_again(note.facts["model_file"], note.facts["model_sha256"])
            note = replace(note, facts=note.facts | {"model_file": model})
        return Read(note, note.labels(prediction), prediction)
    except (ValueError, OSError, MemoryError) as error:
        advice = "close other programs and try again"
        return Failed(one_sentence(error, "The corrections could not be read", advice))
