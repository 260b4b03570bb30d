"""What all docks share: how they lay out what they hold, leave, and tell what is wrong."""

from typing import Any

from magicgui.widgets import Container, Label, Widget
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

MINIMUM_WIDTH = 280  # px: with less, names of images and models are cut off


class DockForm(Container[Any]):
    """A dock that leaves with its window, and says in a line of its own what is wrong."""

    status: Label

    def _leave_with_window(self) -> None:
        """Leave when the dock is closed, however that happens."""
        self.native.destroyed.connect(self._leave)
        self.native_parent_changed.connect(self._leave_without_parent)

    def _leave_without_parent(self, parent: Any) -> None:
        """Leave when napari closes the dock: it takes the widget out and keeps it."""
        if parent is None:
            self._leave()

    def _leave(self, _: Any = None) -> None:
        """Let go of what a dock follows; a form alone follows nothing."""

    def _say(self, sentence: str) -> None:
        """Tell the user what is wrong, in the dock and in napari's notification area."""
        self.status.value = sentence
        show_error(sentence)


def align_labels(form: QWidget) -> None:
    """Make all labels of a form as wide as the widest, so that its fields line up."""
    _align(form)
    # Again when the form is in its window, whose style makes labels wider.
    again = QTimer(form)
    again.setSingleShot(True)
    again.timeout.connect(lambda: _align(form))
    again.timeout.connect(again.deleteLater)
    again.start(0)


def _align(form: QWidget) -> None:
    every = form.findChildren(QLabel)
    # Those that wrap are no names of fields.
    labels = [label for label in every if label.text() and not label.wordWrap()]
    widest = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(widest)


def wrap(label: QLabel) -> None:
    """Let a text take as many lines as it needs, and not widen the dock."""
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)


def row(*widgets: Widget) -> Container[Any]:
    """Put widgets side by side."""
    side_by_side: Container[Any] = Container(widgets=widgets, layout="horizontal", labels=False)
    side_by_side.margins = (0, 0, 0, 0)
    return side_by_side
