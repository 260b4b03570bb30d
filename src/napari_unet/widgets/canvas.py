"""napari's canvas, which has to free in its own OpenGL context what it drew there."""

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QWidget


def draw_in_own_context(dock: QWidget) -> None:
    """Make the context of the canvas that is beside a dock the current one.

    When layers are removed, napari 0.9 frees at once what it drew of them, in whatever context is
    current: mostly the one in which Qt puts the window together. Freed there, a program that the
    canvas still uses has brought Mesa 22.3 down at the next frame.

    Parameters
    ----------
    dock : QWidget
        In napari's window, or floating beside it.
    """
    window: QWidget | None = dock
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    middle = None if window is None else window.centralWidget()
    canvas = None if middle is None else middle.findChild(QOpenGLWidget)
    # One that was never shown has no context, and has drawn nothing.
    if canvas is not None and canvas.isValid():
        canvas.makeCurrent()
