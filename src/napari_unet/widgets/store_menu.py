"""The menu of remembered corrections: give them to a colleague, take theirs in, forget them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox

from napari_unet.widgets.running import Failed, one_sentence
from napari_unet.widgets.workers import worker_for

if TYPE_CHECKING:
    from napari_unet.learning.store import Store

ARCHIVES = "Corrections (*.zip)"


class StoreMenu:
    """Hangs on a button that shows how much is remembered.

    Parameters
    ----------
    button : PushButton
        Gets the menu.
    store : callable
        Gives the store of the model that is chosen now.
    told : callable
        Called with what came of an action, in one sentence, and whether it failed.
    """

    def __init__(
        self,
        button: PushButton,
        store: Callable[[], "Store"],
        told: Callable[[str, bool], None],
    ) -> None:
        self._button = button
        self._store = store
        self._told = told
        menu = QMenu(button.native)
        self._export = QAction("Export …", menu)
        self._forget = QAction("Forget all …", menu)
        self._export.triggered.connect(self.export)
        self._forget.triggered.connect(self.forget)
        menu.addAction(self._export)
        menu.addAction("Import …", self.import_)
        menu.addAction(self._forget)
        menu.aboutToShow.connect(self._look)
        button.native.setMenu(menu)

    def _look(self) -> None:
        """Let the user do what can be done with what is remembered now."""
        has_some = not self._store().is_empty()
        self._export.setEnabled(has_some)
        self._forget.setEnabled(has_some)

    def export(self) -> None:
        """Ask for a file and write all that is remembered into it."""
        path, _filter = QFileDialog.getSaveFileName(
            self._button.native, "Export corrections", "corrections.zip", ARCHIVES
        )
        if path:
            # Adding the ending here would make another name than the one that was asked about.
            store, target = self._store(), Path(path)
            self._start(lambda: f"Exported {_crops(store.export(target))} to {target.name}.")

    def import_(self) -> None:
        """Ask for a file and remember the corrections in it too."""
        path, _filter = QFileDialog.getOpenFileName(
            self._button.native, "Import corrections", "", ARCHIVES
        )
        if path:
            store = self._store()
            self._start(lambda: f"Imported {_crops(store.import_(Path(path)))}.")

    def forget(self) -> None:
        """Ask whether to, and forget all that is remembered."""
        answer = QMessageBox.question(
            self._button.native,
            "Forget corrections",
            "Forget all corrections that are remembered for this model and those tuned from it? "
            "Labels and models stay.",
        )
        if answer == QMessageBox.StandardButton.Yes:
            store = self._store()
            self._start(lambda: f"Forgot {_crops(store.empty())}.")

    def _start(self, action: Callable[[], str]) -> None:
        worker = worker_for(_carried_out, action)
        worker.returned.connect(self._tell)
        worker.start()

    def _tell(self, outcome: Any) -> None:
        is_failed = isinstance(outcome, Failed)
        self._told(outcome.sentence if is_failed else outcome, is_failed)


def _carried_out(action: Callable[[], str]) -> str | Failed:
    """Do something, off the window's thread; an error becomes a sentence, see `running`."""
    try:
        return action()
    except Exception as error:
        advice = "check the file, its folder, and the room on the disk"
        return Failed(one_sentence(error, "That could not be done", advice))


def _crops(n: int) -> str:
    return "1 corrected crop" if n == 1 else f"{n} corrected crops"
