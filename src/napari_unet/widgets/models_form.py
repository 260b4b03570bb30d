"""The widgets of the dock "Models": the models as a tree, buttons, and what is known of them."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, cast

from magicgui.widgets import Container, Label, PushButton
from qtpy.QtCore import Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QTreeWidget,
    QTreeWidgetItem,
    QTreeWidgetItemIterator,
)

from napari_unet.network.history import Branch, Version, ancestry
from napari_unet.widgets.form import MINIMUM_WIDTH, DockForm, let_scroll, row, use_font, wrap

HEADER = ("Model", "Overlap", "Nuclei", "Date")
TIPS = (
    "Each model stands below the one that it was tuned from",
    "With the corrected nuclei: of its parent, and of the model",
    "How many corrected or confirmed nuclei it learned from",
    "When it was made",
)
INDENTATION = 12  # px
WIDEST_COLUMN = 160  # px
ENABLED, SELECTABLE, EDITABLE = (
    Qt.ItemFlag.ItemIsEnabled,
    Qt.ItemFlag.ItemIsSelectable,
    Qt.ItemFlag.ItemIsEditable,
)


class ModelsForm(DockForm):
    """What there is, what can be done with it, and what came of that."""

    def __init__(self) -> None:
        self._versions: dict[str, Version] = {}
        self.tree = _tree()
        self.facts = _table()
        for view in (self.tree, self.facts):
            use_font(view)
        self._make_buttons()
        self.status = Label(value="")
        self._place: Container[Any] = Container(labels=False)
        self._place.margins = (0, 0, 0, 0)
        rows = [
            row(self.use, self.go_back, self.compare),
            row(self.rename, self.delete),
            row(self.export, self.import_),
        ]
        super().__init__(widgets=[self._place, *rows, self.status, self.undo], labels=False)
        self._place.native.layout().addWidget(self.tree)
        self.native.layout().addWidget(self.facts, stretch=1)
        self.native.setMinimumWidth(MINIMUM_WIDTH)
        wrap(self.status.native)
        let_scroll(self.native, is_filled=True)

    def _make_buttons(self) -> None:
        """Make what can be clicked."""
        self.use = PushButton(text="Use", tooltip="Choose this model in Segment nuclei")
        self.go_back = PushButton(
            text="Go back", tooltip="Use the model that this one was tuned from; this one stays"
        )
        self.compare = PushButton(
            text="Compare", tooltip="Show what is known of a model, or of two side by side"
        )
        self.rename = PushButton(text="Rename", tooltip="Type another name in the list")
        self.delete = PushButton(
            text="Delete", tooltip="Move the model into the trash, from where it can come back"
        )
        self.export = PushButton(text="Export …", tooltip="Copy the model to a file")
        self.import_ = PushButton(
            text="Import …", tooltip="Check a model file from elsewhere, and copy it into the list"
        )
        self.undo = PushButton(tooltip="Bring the deleted model back", visible=False)

    def selected(self) -> list[Version]:
        """Return the models that are selected, in the order of the list."""
        return [
            self._versions[name]
            for name, item in self._items()
            if item.isSelected() and name in self._versions
        ]

    def select(self, names: Sequence[str]) -> None:
        """Select models by name, and no others."""
        for name, item in self._items():
            item.setSelected(name in names)
            if names and name == names[0]:
                self.tree.setCurrentItem(item)

    def edit_name(self, name: str) -> None:
        """Let the user type another name."""
        for other, item in self._items():
            if other == name:
                self.tree.editItem(item, 0)

    def show_versions(self, versions: Sequence[Version]) -> None:
        """Show models as they are now; what was selected and is still there stays selected."""
        names = [version.name for version in self.selected()]
        self._versions = {version.name: version for version in versions}
        was_blocked = self.tree.blockSignals(True)
        self.tree.clear()
        self.tree.addTopLevelItems([self._item(branch) for branch in ancestry(versions)])
        self.tree.expandAll()
        self.select(names)
        self.tree.blockSignals(was_blocked)

    def enable_actions(self, is_busy: bool) -> None:
        """Let the user do what can be done with what is selected."""
        chosen = self.selected()
        one = chosen[0] if len(chosen) == 1 and not is_busy else None
        is_own = one is not None and not one.file.built_in
        is_whole = one is not None and one.card is not None
        self.use.enabled = self.export.enabled = is_whole
        self.go_back.enabled = one is not None and bool(one.parent)
        self.rename.enabled = self.delete.enabled = is_own
        self.compare.enabled = len(chosen) in (1, 2)
        self.compare.text = "Details" if len(chosen) == 1 else "Compare"
        self.import_.enabled = self.undo.enabled = not is_busy

    def show_facts(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show what is known of models, one column for each."""
        self.facts.setColumnCount(len(header))
        self.facts.setRowCount(len(rows))
        self.facts.setHorizontalHeaderLabels(list(header))
        for number, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text.replace("->", "→"))
                item.setToolTip(_tip(text))
                self.facts.setItem(number, column, item)
        self.facts.setVisible(True)
        self.facts.resizeRowsToContents()

    def _items(self) -> Iterator[tuple[str, QTreeWidgetItem]]:
        """Yield the lines of the tree with the names of their models, as they were listed."""
        lines = QTreeWidgetItemIterator(self.tree)
        while item := lines.value():
            yield str(item.data(0, Qt.ItemDataRole.UserRole)), item
            lines += 1

    def _item(self, branch: Branch) -> QTreeWidgetItem:
        """Return the line of a model, and those of its children below it."""
        item = QTreeWidgetItem(_texts(branch))
        version = branch.version
        if version is None:
            item.setFlags(ENABLED)
            item.setToolTip(0, "Only the models that were tuned from it tell of it")
            grey = self.tree.palette().brush(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
            item.setForeground(0, grey)
        else:
            item.setData(0, Qt.ItemDataRole.UserRole, version.name)
            own = ENABLED | SELECTABLE | EDITABLE
            item.setFlags(ENABLED | SELECTABLE if version.file.built_in else own)
            item.setToolTip(0, _tip(version.problem or str(version.file.path)))
            item.setToolTip(3, _tip(version.learned.when))
        item.addChildren([self._item(child) for child in branch.children])
        return item


def _texts(branch: Branch) -> list[str]:
    """Return what the line of a model says."""
    version = branch.version
    if version is None:
        return [f"{branch.name} (gone)"]
    learned = version.learned
    return [
        # A name that is typed anew starts with this one.
        version.name,
        "damaged" if version.card is None else learned.change("corrected").replace("->", "→"),
        "" if learned.n_nuclei is None else str(learned.n_nuclei),
        learned.when[:10],
    ]


def _tip(text: str) -> str:
    """Return a tooltip that says what a file says, and does not take it for HTML."""
    return f"<p>{escape(text)}</p>"


def _tree() -> QTreeWidget:
    """Return an empty tree of models."""
    tree = QTreeWidget()
    tree.setHeaderLabels(HEADER)
    tree.setToolTip(TIPS[0])
    for column, tip in enumerate(TIPS):
        cast(QTreeWidgetItem, tree.headerItem()).setToolTip(column, tip)
    tree.setIndentation(INDENTATION)
    tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    header = cast(QHeaderView, tree.header())
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    # Stretched, the last one has 100 px at least, and a narrow dock scrolls sideways for nothing.
    header.setStretchLastSection(False)
    header.setMaximumSectionSize(WIDEST_COLUMN)
    return tree


def _table() -> QTableWidget:
    """Return an empty table of facts, which is hidden until there are some."""
    table = QTableWidget()
    table.setToolTip("What the files of the models say")
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    cast(QHeaderView, table.verticalHeader()).setVisible(False)
    columns = cast(QHeaderView, table.horizontalHeader())
    columns.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    table.setVisible(False)
    return table
