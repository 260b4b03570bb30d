"""The list of what is right and wrong: any number of lines, of which Qt asks for those it shows."""

from collections.abc import Collection, Sequence
from typing import Any, cast

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_unet.nuclei.comparison import middle
from napari_unet.nuclei.errors import COLOURS, Finding, Kind

HEADER = ("Kind", "At", "Found", "True", "IoU")
TIPS = (
    "What is right or wrong",
    "Plane or frame",
    "Ids of nuclei in the result",
    "Ids of nuclei in the truth",
    "The largest intersection over union of these",
)
AT = HEADER.index("At")
SWATCH = 12  # px
MOST_IDS = 2  # of one side that a line shows; its tooltip shows all
PADDING = 6  # px, of a line

_NOWHERE = QModelIndex()


class Lines(QAbstractTableModel):
    """Findings of the chosen kinds, one a line."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self._icons = {kind: swatch(kind) for kind in Kind}
        self.shown: list[Finding] = []

    def show(self, findings: Sequence[Finding], kinds: Collection[Kind]) -> None:
        """Show those of some kinds."""
        self.beginResetModel()
        self.shown = [finding for finding in findings if finding.kind in kinds]
        self.endResetModel()

    def rowCount(self, parent: Any = _NOWHERE) -> int:  # noqa: N802
        """Return how many lines there are, as Qt asks it."""
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: Any = _NOWHERE) -> int:  # noqa: N802
        """Return how many columns there are, as Qt asks it."""
        return 0 if parent.isValid() else len(HEADER)

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what Qt asks for of a cell."""
        finding = self.shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return texts(finding)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(finding)
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return self._icons[finding.kind]
        return None

    def headerData(  # noqa: N802
        self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the name of a column, or what it means, as Qt asks it."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return TIPS[section]
        return HEADER[section] if role == Qt.ItemDataRole.DisplayRole else None


class ErrorTable(QTableView):
    """Lines of findings, one of which is chosen.

    Attributes
    ----------
    gone_to : Signal
        Another line was chosen, or one was double-clicked.
    """

    gone_to = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines(self)
        self.setModel(self.lines)
        self.doubleClicked.connect(self.gone_to)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        rows = cast(QHeaderView, self.verticalHeader())
        rows.setVisible(False)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns = cast(QHeaderView, self.horizontalHeader())
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        columns.setHighlightSections(False)

    def show_findings(
        self, findings: Sequence[Finding], kinds: Collection[Kind], n_walked: int
    ) -> None:
        """Show findings of some kinds, of labels with ``n_walked`` axes before y and x."""
        self.lines.show(findings, kinds)
        # By now it has its font.
        rows = cast(QHeaderView, self.verticalHeader())
        rows.setDefaultSectionSize(self.fontMetrics().height() + PADDING)
        self.setColumnHidden(AT, n_walked == 0)
        self.resizeColumnsToContents()

    @property
    def chosen(self) -> Finding | None:
        """The finding that is chosen."""
        row = self.currentIndex().row()
        return self.lines.shown[row] if row >= 0 else None

    def currentChanged(self, current: Any, previous: Any) -> None:  # noqa: N802
        """Tell that another line was chosen, as Qt does."""
        super().currentChanged(current, previous)
        if current.row() != previous.row():
            self.gone_to.emit()

    def step(self, by: int) -> None:
        """Choose the finding some lines further, from the last to the first and back."""
        if n_lines := self.lines.rowCount():
            row = self.currentIndex().row()
            first = 0 if by > 0 else n_lines - 1
            self.selectRow(first if row < 0 else (row + by) % n_lines)


def texts(finding: Finding) -> tuple[str, ...]:
    """Return what the line of a finding says.

    Examples
    --------
    >>> texts(Finding(Kind.MERGED, (4,), (1, 2), 0.5, (slice(3, 4), slice(0, 2), slice(0, 2))))
    ('merged', '3', '4', '1, 2', '0.50')
    """
    iou = f"{finding.iou:.2f}" if finding.iou else ""
    at = ", ".join(str(index) for index in middle(finding)[:-2])
    return finding.kind.words, at, _ids(finding.found), _ids(finding.truth), iou


def tip(finding: Finding) -> str:
    """Return all that is known of a finding."""
    found = ", ".join(map(str, finding.found)) or "none"
    truth = ", ".join(map(str, finding.truth)) or "none"
    place = ", ".join(map(str, middle(finding)))
    return f"{finding.kind.words}: found {found}, true {truth}; around pixel {place}"


def _ids(ids: tuple[int, ...]) -> str:
    text = ", ".join(map(str, ids[:MOST_IDS]))
    return f"{text}, …" if len(ids) > MOST_IDS else text


def swatch(kind: Kind) -> QIcon:
    """Return a square in the colour of a kind."""
    square = QPixmap(SWATCH, SWATCH)
    square.fill(QColor(COLOURS[kind]))
    return QIcon(square)
