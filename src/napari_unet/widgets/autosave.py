"""What is corrected on a result is on disk a few seconds later, whichever docks are open."""

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import show_warning
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_unet.images.identity import identity
from napari_unet.learning.autosave import BACKGROUND, Autosaves, Note
from napari_unet.network.library import models_folder
from napari_unet.widgets.corrections import (
    CONFIRMED,
    METADATA,
    PREDICTION,
    Edited,
    edited,
    facts_of,
    facts_of_copy,
    highest_label,
    select_new_label,
)
from napari_unet.widgets.counting import WATCHED
from napari_unet.widgets.layers import full_resolution
from napari_unet.widgets.preferences import preferences
from napari_unet.widgets.running import one_sentence
from napari_unet.widgets.scribbles import Scribbled

MILLISECONDS_UNTIL_SAVED = 2000  # after the first stroke since the last time; 5 s are promised
NOTHING = (None, "", b"")


@dataclass(frozen=True, eq=False)
class Origin:
    """Which image a result was made of: what `images.identity` asks for."""

    pixels: Any
    path: str | None
    name: str

    @classmethod
    def of(cls, image: Image) -> "Origin":
        """Return that of a layer."""
        return cls(full_resolution(image), image.source.path, image.name)

    def is_same(self, other: "Origin") -> bool:
        """Tell, without reading pixels, whether another one is of the same array, path and name."""
        same = (self.path, self.name) == (other.path, other.name)
        return same and self.pixels is other.pixels

    def identity(self) -> str:
        """Return what tells it from all others; pixels are read the first time."""
        return self._identity

    @cached_property
    def _identity(self) -> str:
        return identity(self.pixels, self.path, self.name)


class Keeper:
    """Writes what is corrected on one result, in a thread; it touches no layer.

    Parameters
    ----------
    origin : Origin
        The image.
    brought_back : Note, optional
        What was saved of the result, if it was brought back. Another napari may write there, so
        this one writes to files of its own, and deletes those once there is something in its own.
    prediction : int32 array, optional
        The labels of the run that it was brought back with.
    """

    def __init__(
        self,
        origin: Origin | None,
        brought_back: Note | None = None,
        prediction: NDArray[np.int32] | None = None,
    ) -> None:
        self._saves = user_autosaves()
        self._origin = origin
        self._moved = deque[Origin](maxlen=1)  # where the user's thread and the saving one meet
        self._image = ""
        self._token = uuid4().hex[:8]
        self._is_saved = False
        self._earlier: tuple[str, str] | None = None  # image and token of what is replaced
        # Of what was written last: labels of the run, the name of their file, a hash of the rest.
        self._last: tuple[Any, str, bytes] = NOTHING
        if brought_back is not None:
            self._image = brought_back.image
            self._earlier = brought_back.image, brought_back.token
            self._last = (prediction, "", _digest(brought_back))
        self._has_told = False
        self._lock = threading.Lock()

    def for_copy(self) -> "Keeper":
        """Return one for a copy of the layer."""
        # In this order: a thread sets the second before it lets go of the first.
        copy = Keeper(self._origin)
        copy._image = self._image
        return copy

    def move(self, origin: Origin) -> None:
        """Save as what belongs to another image from the next time on."""
        self._moved.append(origin)

    def keep(self, result: Edited | Scribbled, facts: dict[str, Any]) -> None:
        """Save what is corrected, or forget what was saved if nothing is any more.

        Parameters
        ----------
        result : Edited or Scribbled
            Not copied: a stroke must not wait for that. One that comes while the labels are
            read may be saved half, and asks for the next time itself.
        facts : dict
            What the result says of its run, with `PREDICTION` and `CONFIRMED`.
        """
        with self._lock:
            try:
                self._keep(result, facts)
            # Whatever the disk, the image's own array or its decoder raises: this is tried again.
            except Exception as error:
                self._tell(error)

    def _keep(self, result: Edited | Scribbled, facts: dict[str, Any]) -> None:
        if self._moved:
            self._begin_anew(self._moved.pop())
        try:
            found = result.find()
        except ValueError:
            # The labels were replaced by others: these are no corrections, but earlier ones were.
            return
        if not found:
            self._forget()
            return
        n_nuclei = len(found.changed) + found.n_removed + found.n_confirmed
        note, prediction = self._note(result, facts, n_nuclei), facts[PREDICTION]
        digest = _digest(note)
        is_same_run = self._last[0] is prediction
        if is_same_run and self._last[2] == digest:
            return
        if is_same_run:
            note = replace(note, beside=self._last[1])
        self._last = (prediction, self._saves.save(note, prediction), digest)
        self._is_saved, self._has_told = True, False
        if self._earlier != (self._image, self._token):
            self._forget_earlier()
        self._earlier = None

    def _begin_anew(self, origin: Origin) -> None:
        """Save as what belongs to another image; what was saved stays until something else is."""
        if self._is_saved:
            self._earlier = self._image, self._token
        self._origin, self._image = origin, ""
        self._is_saved, self._last = False, NOTHING

    def _forget(self) -> None:
        """Delete what was saved."""
        if self._is_saved:
            self._saves.delete(self._image, self._token)
        self._is_saved, self._last = False, NOTHING
        self._forget_earlier()

    def _forget_earlier(self) -> None:
        """Delete what the result was brought back from, or what was saved for another image."""
        if self._earlier is not None:
            self._saves.delete(*self._earlier)
            self._earlier = None

    def _note(self, result: Edited | Scribbled, facts: dict[str, Any], n_nuclei: int) -> Note:
        """Return what is to be written beside the labels of the run."""
        before, after = facts[PREDICTION].reshape(-1), result.labels.reshape(-1)
        places = np.flatnonzero(before != after).astype(np.int64, copy=False)
        values = after[places].astype(np.int32)
        confirmed = tuple(
            it if isinstance(it, int) else tuple((part.start, part.stop) for part in it)
            for it in facts[CONFIRMED]
        )
        return Note(
            self._image or self._find_image(),
            self._token,
            {name: fact for name, fact in facts.items() if name not in (PREDICTION, CONFIRMED)},
            n_nuclei,
            confirmed,
            places,
            values,
            datetime.now(UTC),
        )

    def _find_image(self) -> str:
        """Return what tells the image from all others, and let go of its pixels."""
        if self._origin is not None:
            self._image, self._origin = self._origin.identity(), None
        return self._image

    def _tell(self, error: Exception) -> None:
        """Say once that nothing can be saved, until something is again."""
        advice = "make room on the disk, or save the layer yourself"
        if not self._has_told:
            show_warning(one_sentence(error, "The corrections could not be saved", advice))
        self._has_told = True


class Watcher:
    """Lets what is corrected on a layer be saved, until it leaves the viewer.

    A copy that the user makes of the layer gets facts of its own, and a watcher.

    Parameters
    ----------
    events : EmitterGroup
        Of the list that the layer is in.
    layer : Labels
        A result; nothing here keeps it in memory.
    keeper : Keeper
        Writes.
    quitting : signal
        Comes when napari ends.
    """

    def __init__(self, events: Any, layer: Labels, keeper: Keeper, quitting: Any) -> None:
        self._layer = ref(layer)
        # The events alone: the list would keep the layer, which must be free to go.
        self._events = events
        self._keeper = keeper
        self._thread: threading.Thread | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(MILLISECONDS_UNTIL_SAVED)
        self._timer.timeout.connect(self._save)
        for name in WATCHED:
            getattr(layer.events, name).connect(self.save_soon)
        self._events.removed.connect(self._leave_with_layer)
        self._events.inserted.connect(self._watch_copy)
        self._quitting = quitting
        self._quitting.connect(self.leave)

    def leave(self) -> None:
        """Watch no more; what is painted and not saved yet is saved now."""
        layer = self._layer()
        self._events.removed.disconnect(self._leave_with_layer)
        self._events.inserted.disconnect(self._watch_copy)
        with suppress(RuntimeError):
            # At napari's end Qt may have deleted the timer first.
            if self._timer.isActive():
                self._timer.stop()
                self._start_saving()
            self._timer.timeout.disconnect(self._save)
            self._quitting.disconnect(self.leave)
        if layer is not None:
            for name in WATCHED:
                getattr(layer.events, name).disconnect(self.save_soon)
            _watchers.pop(layer, None)

    def _leave_with_layer(self, event: Any) -> None:
        """Leave when it is this layer that was removed."""
        if event.value == self._layer():
            self.leave()

    def _watch_copy(self, event: Any) -> None:
        """Give a copy of the layer facts of its own: napari lets it share those of the layer."""
        layer, copy = self._layer(), event.value
        if layer is None or copy == layer or METADATA not in copy.metadata:
            return
        if facts_of(copy) is facts_of(layer):
            self._take_copy(copy)

    def _take_copy(self, copy: Labels) -> None:
        copy.metadata[METADATA] = facts_of_copy(facts_of(copy))
        keeper = self._keeper.for_copy()
        _watchers[copy] = Watcher(self._events, copy, keeper, self._quitting)
        # The user may have replaced the labels by lazy ones.
        if isinstance(copy.data, np.ndarray):
            facts = facts_of(copy)
            highest = highest_label(copy.data, facts[PREDICTION], facts[CONFIRMED])
            select_new_label(copy, highest)

    def save_soon(self, event: Any = None) -> None:
        """Save when two seconds have gone by, however much is painted until then."""
        if not self._timer.isActive():
            self._timer.start()

    def _save(self) -> None:
        """Save, unless that is still being done: then a little later."""
        if self._thread is not None and self._thread.is_alive():
            self._timer.start()
        else:
            self._start_saving()

    def _start_saving(self) -> None:
        # No worker of napari's: it would ask whether to close while one is at work, and then
        # end it. Python waits for this thread at its own end.
        layer = self._layer()
        if layer is None or not preferences().autosave:
            return
        self._thread = threading.Thread(
            target=self._keeper.keep, args=self._read(layer), name="autosave"
        )
        self._thread.start()
        _threads.add(self._thread)

    def _read(self, layer: Labels) -> tuple[Edited | Scribbled, dict[str, Any]]:
        """Return what is on the layer, and what it says of its run; this thread alone may ask."""
        return edited(layer), {**facts_of(layer), CONFIRMED: list(facts_of(layer)[CONFIRMED])}


_threads: WeakSet[threading.Thread] = WeakSet()
_watchers: WeakKeyDictionary[Labels, Watcher] = WeakKeyDictionary()


def watch(viewer: Any, layer: Labels, image: Image, brought_back: Note | None = None) -> None:
    """Save what is corrected on a result, from now on until it is removed.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows it.
    layer : Labels
        A result.
    image : Image
        What it was made of.
    brought_back : Note, optional
        What was saved of it, if it was brought back.
    """
    # Without an event loop there is nobody who paints, and no timer.
    application = QApplication.instance()
    if application is not None:
        keeper = Keeper(Origin.of(image), brought_back, facts_of(layer)[PREDICTION])
        quitting = application.aboutToQuit
        _watchers[layer] = Watcher(viewer.layers.events, layer, keeper, quitting)


def saving() -> list[threading.Thread]:
    """Return the threads that save at this moment: what is on disk is not the newest yet."""
    return [thread for thread in _threads if thread.is_alive()]


def _digest(note: Note) -> bytes:
    """Return a hash of what a user made of the labels of a run, or painted on their own."""
    rest = repr((note.confirmed, note.facts.get(BACKGROUND)))
    digest = blake2b(rest.encode() + note.places.tobytes())
    digest.update(note.values.data)
    return digest.digest()


def user_autosaves() -> Autosaves:
    """Return what is saved for this user."""
    return Autosaves.of_user(models_folder().parent)
