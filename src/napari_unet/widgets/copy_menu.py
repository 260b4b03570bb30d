"""The menu that puts into the clipboard how a result was made."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from magicgui.widgets import PushButton
from napari.layers import Image, Labels
from qtpy.QtGui import QAction, QClipboard
from qtpy.QtWidgets import QApplication, QMenu

from napari_unet.images.file_axes import holds_image
from napari_unet.methods import methods_text
from napari_unet.network.library import find_again, find_model
from napari_unet.programs import command_line, python_script, why_no_command
from napari_unet.widgets.corrections import Edited, edited, facts_of
from napari_unet.widgets.layers import full_resolution
from napari_unet.widgets.running import Failed, one_sentence
from napari_unet.widgets.workers import worker_for

METHODS, PYTHON, COMMAND = "methods text", "Python", "command"
TIPS = {
    METHODS: "A paragraph for a paper: model, settings, versions and what to cite",
    PYTHON: "A script that makes these labels again",
    COMMAND: "A line for the shell that makes these labels again",
}
FACTS_MISSING = (
    "Expected a result that says how it was made, got one of an earlier version; segment the image "
    "again."
)


@dataclass(frozen=True, eq=False)
class Told:
    """What a result says: its name, facts of its run, what became of it, its image's file."""

    name: str
    facts: dict[str, Any]
    edited: Edited
    file: str | None


@dataclass(frozen=True)
class Copied:
    """A text for the clipboard, and what is said of it."""

    text: str
    sentence: str


class CopyMenu:
    """Hangs on a button.

    Parameters
    ----------
    button : PushButton
        Gets the menu.
    result : callable
        Gives the result that is meant now and its image, None if there is none.
    told : callable
        Called with what came of an action, in one sentence, and whether it failed.
    """

    def __init__(
        self,
        button: PushButton,
        result: Callable[[], tuple[Labels, Image] | None],
        told: Callable[[str, bool], None],
    ) -> None:
        self._result = result
        self._told = told
        menu = QMenu(button.native)
        menu.setToolTipsVisible(True)
        self.actions = {kind: cast(QAction, menu.addAction(f"Copy {kind}")) for kind in TIPS}
        for kind, action in self.actions.items():
            action.setToolTip(TIPS[kind])
            action.triggered.connect(partial(self.copy, kind))
        menu.aboutToShow.connect(self.look)
        button.native.setMenu(menu)

    def look(self) -> None:
        """Offer the command only where there is one."""
        found = self._result()
        if found is None:
            return
        try:
            reason = why_no_command(facts_of(found[0]), file_of(found[1]))
        except KeyError:
            reason = FACTS_MISSING
        self.actions[COMMAND].setEnabled(not reason)
        self.actions[COMMAND].setToolTip(reason or TIPS[COMMAND])

    def copy(self, kind: str, _: bool = False) -> None:
        """Put a text into the clipboard, when a thread has counted what was corrected."""
        found = self._result()
        if found is None:
            return
        layer, image = found
        told = Told(layer.name, dict(facts_of(layer)), edited(layer), file_of(image))
        worker = worker_for(copied, kind, told)
        worker.returned.connect(self._take)
        worker.start()

    def _take(self, outcome: Copied | Failed) -> None:
        if isinstance(outcome, Failed):
            self._told(outcome.sentence, True)
            return
        cast(QClipboard, QApplication.clipboard()).setText(outcome.text)
        self._told(outcome.sentence, False)


def file_of(image: Image) -> str | None:
    """Return the file of an image, if what is read from it has the layer's shape."""
    path = image.source.path
    if not holds_image(path, tuple(full_resolution(image).shape)):
        return None
    return str(Path(path).absolute())


def copied(kind: str, told: Told) -> Copied | Failed:
    """Return a text about a result; errors become a sentence, see `running`."""
    try:
        return _copied(kind, told)
    except KeyError:
        return Failed(FACTS_MISSING)
    except Exception as error:
        advice = "segment the image again"
        return Failed(one_sentence(error, "How the result was made could not be told", advice))


def _copied(kind: str, told: Told) -> Copied:
    found = told.edited.find()
    n_corrected = found.n_added + found.n_removed + found.n_reshaped
    sentence = f"The {kind} of {told.name!r} is in the clipboard"
    if kind == METHODS:
        return Copied(methods_text(told.facts, n_corrected), f"{sentence}.")
    model = _model_now(told.facts)
    if n_corrected:
        sentence += "; it makes the labels as they were before you corrected them"
    if kind == PYTHON:
        script = python_script(told.facts, model=model, file=told.file, n_corrected=n_corrected)
        return Copied(script, f"{sentence}.")
    if reason := why_no_command(told.facts, told.file):
        raise ValueError(reason)
    return Copied(command_line(told.facts, model=model, file=str(told.file)), f"{sentence}.")


def _model_now(facts: dict[str, Any]) -> str:
    """Return the name of the built-in model, or the file of another one, which may have moved."""
    file = find_model(find_again(facts["model_file"], facts["model_sha256"]))
    return file.name if file.built_in else str(file.path.absolute())
