"""What all docks share: how they lay out what they hold, leave, and tell what is wrong."""

from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import ComboBox, Container, Label, PushButton, Widget
from napari.layers import Layer
from napari.settings import get_settings
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_unet.widgets.canvas import draw_in_own_context

MINIMUM_WIDTH = 280  # px: with less, names of images and models are cut off
LEAST_HEIGHT = 120  # px, of a dock that scrolls
CLOSED, OPEN = "\u25b8", "\u25be"
Choices = Callable[[Any], list[Any]]
"""Gives what can be chosen, to whoever asks: a list of magicgui's."""
FLAT = "text-align: left; border: none; outline: none; background: transparent; padding: 4px;"


class DockForm(Container[Any]):
    """A dock that leaves with its window, and says in a line of its own what is wrong."""

    status: Label
    _viewer: Any
    _worker: Any

    def _leave_with_window(self) -> None:
        """Leave when the dock is closed, however that happens."""
        self._viewer.layers.events.removing.connect(self._before_removal)
        self.native.destroyed.connect(self._close)
        self.native_parent_changed.connect(self._close_without_parent)

    def _close_without_parent(self, parent: Any) -> None:
        """Leave when napari closes the dock: it takes the widget out and keeps it."""
        if parent is None:
            self._close()

    def _close(self, _: Any = None) -> None:
        """Leave, and let go of what napari connects for every dock and keeps."""
        events = self._viewer.layers.events
        events.removing.disconnect(self._before_removal)
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.disconnect(self.reset_choices)
        self._leave()
        # Or what it has started, whose signals end here, and the closed dock would keep each other.
        self._worker = None

    def _before_removal(self, event: Any = None) -> None:
        draw_in_own_context(self.native)

    def _leave(self, _: Any = None) -> None:
        """Let go of what a dock follows; a form alone follows nothing."""

    def _say(self, sentence: str) -> None:
        """Tell the user what is wrong, in the dock and in napari's notification area."""
        self.status.value = sentence
        show_error(sentence)


def align_labels(*forms: QWidget) -> None:
    """Make all labels of some forms as wide as the widest, so that their fields line up."""
    styled(forms[0], lambda: _align(forms))


def styled(form: QWidget, lay_out: Callable[[], None]) -> None:
    """Lay something out by its font, now and when the form is in its window, which has its own."""
    lay_out()
    again = QTimer(form)
    again.setSingleShot(True)
    again.timeout.connect(lay_out)
    again.timeout.connect(again.deleteLater)
    again.start(0)


def _align(forms: Sequence[QWidget]) -> None:
    every = [label for form in forms for label in form.findChildren(QLabel)]
    # Those that wrap are no names of fields.
    labels = [label for label in every if label.text() and not label.wordWrap()]
    widest = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(widest)


def wrap(label: QLabel) -> None:
    """Let a text take as many lines as it needs, and not widen the dock."""
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)


def choose_again(choice: ComboBox, layer: Layer | None) -> bool:
    """Choose a layer that was chosen before, if it is still there; tell whether it is.

    A layer that is renamed loses its choice, for choices go by name. While layers come and go, the
    choices may lag behind them.
    """
    if layer is None or layer not in choice.choices:
        return False
    choice.value = layer
    return True


def row(*widgets: Widget) -> Container[Any]:
    """Put widgets side by side."""
    side_by_side: Container[Any] = Container(widgets=widgets, layout="horizontal", labels=False)
    side_by_side.margins = (0, 0, 0, 0)
    return side_by_side


class Question(Container[Any]):
    """One line, and the buttons that answer it; hidden until there is something to ask.

    Parameters
    ----------
    buttons : PushButton
        The answers.
    """

    def __init__(self, *buttons: PushButton) -> None:
        self.text = Label(value="")
        super().__init__(widgets=[self.text, row(*buttons)], labels=False, visible=False)
        self.margins = (0, 0, 0, 0)
        wrap(self.text.native)


def fold(title: str, content: QWidget, tip: str) -> QCollapsible:
    """Put something into a section that the user opens."""
    section = QCollapsible(title)
    # Its own triangles are black in every theme; a text has the colour of the others.
    section.setCollapsedIcon(QIcon())
    section.setExpandedIcon(QIcon())
    button = section.toggleButton()
    button.setStyleSheet(FLAT)
    button.setToolTip(tip)

    def show(is_open: bool) -> None:
        section.setText(f"{OPEN if is_open else CLOSED} {title}")

    show(False)
    section.toggled.connect(show)
    section.addWidget(content)
    for layout in (section.layout(), section.content().layout()):
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
    return section


class Scrolled(QScrollArea):
    """Scrolls up and down, and is never narrower than what it holds.

    The wheel scrolls: it changes only a field that has the focus.

    Parameters
    ----------
    content : QWidget
        What it holds.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        self._sought: QWidget | None = None
        # Once what was just shown has its place.
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.timeout.connect(self._scroll)
        for kind in (QComboBox, QAbstractSpinBox, QAbstractSlider):
            for field in content.findChildren(kind):
                field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                field.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the least size, as Qt asks it."""
        content, bar = self.widget(), self.verticalScrollBar()
        if content is None or bar is None:
            return super().minimumSizeHint()
        least = content.minimumSizeHint()
        height = min(least.height(), LEAST_HEIGHT)
        return QSize(least.width() + bar.sizeHint().width(), height)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size in which nothing has to be scrolled, as Qt asks it."""
        content = self.widget()
        return super().sizeHint() if content is None else content.sizeHint()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Keep the wheel from fields without focus; hear of what needs another width."""
        if event is not None and watched is not None:
            if event.type() == QEvent.Type.LayoutRequest and watched is self.widget():
                self._widen()
            is_idle = watched is not self.widget() and not watched.property("focus")
            if event.type() == QEvent.Type.Wheel and is_idle:
                event.ignore()
                return True
        return super().eventFilter(watched, event)

    def reveal(self, part: QWidget) -> None:
        """Scroll to a part of what it holds, once that has its place."""
        self._sought = part
        self._settled.start()

    def _scroll(self) -> None:
        if self._sought is not None:
            self.ensureWidgetVisible(self._sought)

    def _widen(self) -> None:
        """Make the dock as wide as what it holds needs: nothing scrolls sideways."""
        form = self.parentWidget()
        if form is not None:
            form.setMinimumWidth(max(MINIMUM_WIDTH, self.minimumSizeHint().width()))


def font_size() -> int:
    """Return the size of napari's font, in points."""
    return int(get_settings().appearance.font_size)


def use_font(widget: QWidget) -> None:
    """Give a table, tree or line of text the size of napari's font, which its style leaves out."""
    font = widget.font()
    font.setPointSize(font_size())
    widget.setFont(font)


def reveal(form: QWidget, part: QWidget) -> None:
    """Scroll a dock to a part of it, if it scrolls."""
    area = form.findChild(Scrolled)
    if area is not None:
        area.reveal(part)


def let_scroll(form: QWidget, *, is_filled: bool = False) -> None:
    """Let a dock scroll where its window is too low for it.

    Parameters
    ----------
    form : QWidget
        Has a vertical layout.
    is_filled : bool
        Whether something in it takes all the height; what it holds stays at the top if not.
    """
    layout = form.layout()
    if isinstance(layout, QVBoxLayout) and not is_filled:
        layout.addStretch()
    content = QWidget()
    content.setLayout(layout)
    outer = QVBoxLayout(form)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(Scrolled(content))
