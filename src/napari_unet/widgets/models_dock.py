"""The dock "Models": where each came from, which one to use, and what else to do with them."""

from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.qt.threading import FunctionWorker
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QTreeWidgetItem

from napari_unet.network import SUFFIX
from napari_unet.network.history import Version, compare, describe, parent_of
from napari_unet.network.packages import PACKAGE
from napari_unet.widgets import model_actions
from napari_unet.widgets.model_actions import Action, Outcome, carry_out
from napari_unet.widgets.model_events import model_chosen, models_changed
from napari_unet.widgets.models_form import ModelsForm
from napari_unet.widgets.preferences import use_folder
from napari_unet.widgets.window import open_dock
from napari_unet.widgets.workers import worker_for

if TYPE_CHECKING:
    import napari.viewer

FILTER = f"Model (*{SUFFIX})"
IMPORTED = f"Model (*{SUFFIX} *{PACKAGE})"


class ModelsDock(ModelsForm):
    """Show the user's models, and do with them what files and their ancestry allow.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Has the dock that segments.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = napari_viewer
        self._worker: FunctionWorker | None = None
        self._listed: list[Version] = []
        self._deleted: Path | None = None
        self._waiting: deque[Action] = deque()
        self._has_left = False
        use_folder()
        super().__init__()
        self._connect()
        self._refresh()

    def _connect(self) -> None:
        """Follow the user, and other docks, until the dock is closed."""
        self.tree.itemSelectionChanged.connect(self._show_selection)
        self.tree.itemChanged.connect(self._rename)
        self.use.clicked.connect(self._use)
        self.go_back.clicked.connect(self._go_back)
        self.compare.clicked.connect(self._compare)
        self.rename.clicked.connect(self._edit_name)
        self.delete.clicked.connect(self._delete)
        self.undo.clicked.connect(self._restore)
        self.export.clicked.connect(self._export)
        self.import_.clicked.connect(self._import)
        model_chosen.connect(self._refresh)
        models_changed.connect(self._refresh)
        self._leave_with_window()

    def _leave(self, _: Any = None) -> None:
        """Hear of models no more; the widgets may be gone already."""
        if self._has_left:
            return
        self._has_left = True
        model_chosen.disconnect(self._refresh)
        models_changed.disconnect(self._refresh)

    def _refresh(self, event: Any = None) -> None:
        """List the models as they are now."""
        self._act(model_actions.look)

    def _act(self, action: Action) -> None:
        """Do something in a thread, and after it what is asked for meanwhile, in its order."""
        if self._worker is not None:
            # Whatever waits will list the models anew at its end.
            if action is not model_actions.look or not self._waiting:
                self._waiting.append(action)
            return
        worker = worker_for(carry_out, action)
        worker.returned.connect(self._end)
        self._worker = worker
        self.enable_actions(is_busy=True)
        worker.start()

    def _end(self, outcome: Outcome) -> None:
        """Show what an action came to, and tell the other docks."""
        self._worker = None
        if self._has_left:
            return
        done = outcome.done
        if outcome.versions is not None:
            self._listed = outcome.versions
            self.show_versions(outcome.versions)
        if done.selected:
            self.select([done.selected])
        self._offer_undo(outcome)
        self._show_selection()
        if outcome.failed:
            self._say(outcome.failed)
        elif done.text:
            self.status.value = done.text
        if done.has_changed:
            self._tell(done.renamed)
        if self._waiting:
            self._act(self._waiting.popleft())

    def _offer_undo(self, outcome: Outcome) -> None:
        """Let the model that was deleted last come back, until it has or is not there any more."""
        self._deleted = outcome.done.deleted or self._deleted
        if self._deleted is not None and not self._deleted.exists():
            self._deleted = None
        self.undo.visible = self._deleted is not None
        self.undo.text = f"Bring {self._deleted.stem!r} back" if self._deleted else ""

    def _tell(self, renamed: dict[str, str]) -> None:
        """Tell the other docks that models came, went or were renamed."""
        with models_changed.blocker(self._refresh):
            models_changed(renamed=renamed)

    def _show_selection(self) -> None:
        """Let the user do what can be done with what is selected now."""
        self.facts.setVisible(False)
        self.enable_actions(is_busy=self._worker is not None)

    def _use(self) -> None:
        """Choose the selected model where the next image is segmented."""
        self._choose(self.selected()[0])

    def _go_back(self) -> None:
        """Choose the model that the selected one was tuned from."""
        try:
            parent = parent_of(self.selected()[0], self._listed)
        except ValueError as error:
            self._say(str(error))
            return
        self.select([parent.name])
        self._choose(parent)

    def _choose(self, version: Version) -> None:
        """Open the dock that segments, with a model chosen in it."""
        open_dock(self._viewer, "Segment nuclei", tabify=False)
        with model_chosen.blocker(self._refresh):
            model_chosen(model=version.name)
        self.status.value = f"Segment nuclei uses {version.name!r} now."

    def _compare(self) -> None:
        """Show what is known of the selected models."""
        chosen = self.selected()
        if len(chosen) == 1:
            facts = describe(chosen[0], self._listed)
            rows: list[tuple[str, ...]] = [(name, text) for name, text in facts.items() if text]
        else:
            rows = [*compare(chosen[0], chosen[1], self._listed)]
        self.show_facts(["", *(version.name for version in chosen)], rows)

    def _edit_name(self) -> None:
        """Let the user type another name for the selected model."""
        self.edit_name(self.selected()[0].name)

    def _rename(self, item: QTreeWidgetItem, column: int) -> None:
        """Give a model the name that was typed for it."""
        old, new = str(item.data(0, Qt.ItemDataRole.UserRole)), item.text(0)
        if column == 0 and new != old:
            self._act(partial(model_actions.rename, old, new))

    def _delete(self) -> None:
        """Move the selected model into the trash."""
        self._act(partial(model_actions.delete, self.selected()[0].name))

    def _restore(self) -> None:
        """Bring the model that was deleted last back."""
        if self._deleted is not None:
            self._act(partial(model_actions.restore, self._deleted))

    def _export(self) -> None:
        """Ask for a file, and copy the selected model to it."""
        name = self.selected()[0].name
        typed, _ = QFileDialog.getSaveFileName(self.native, "Export", f"{name}{SUFFIX}", FILTER)
        if typed:
            # The dialog asks before it lets a file be written over, but only for what was typed.
            is_agreed = Path(typed).suffix == SUFFIX
            path = Path(typed if is_agreed else f"{typed}{SUFFIX}")
            self._act(partial(model_actions.export, name, path, overwrite=is_agreed))

    def _import(self) -> None:
        """Ask for a file, and take its model in."""
        path, _ = QFileDialog.getOpenFileName(self.native, "Import", "", IMPORTED)
        if path:
            self.status.value = "Checking the file …"
            self._act(partial(model_actions.import_model, Path(path)))
