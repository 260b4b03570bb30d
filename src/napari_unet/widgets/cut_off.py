"""One line and two buttons, shown where a fine-tune of the chosen result was cut off."""

from contextlib import suppress
from pathlib import Path

from magicgui.widgets import PushButton
from napari.layers import Labels
from qtpy.QtCore import QTimer

from napari_unet.learning.cut_off import CutOff, cut_off, forget_if_free, is_under_way, run_file
from napari_unet.network.library import models_folder
from napari_unet.widgets.corrections import own_id
from napari_unet.widgets.form import Question

MILLISECONDS_BETWEEN_LOOKS = 2000
UNDER_WAY = (
    "Another window of napari is learning from these labels, or asks there whether to keep what "
    "it has learned."
)


class CutOffLine(Question):
    """Says how far a run had come, and asks whether to go on with it.

    A run that another window is at is none that was cut off, as long as it is at it.
    """

    def __init__(self) -> None:
        self.run: CutOff | None = None
        self._layer: Labels | None = None
        self._parent = ("", "")
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(MILLISECONDS_BETWEEN_LOOKS)
        self._timer.timeout.connect(self._look)
        self.go_on = PushButton(text="Go on", tooltip="Learn for the time that was left")
        self.forget = PushButton(
            text="Forget", tooltip="Delete what was learned by then; your corrections stay"
        )
        super().__init__(self.go_on, self.forget)
        self.forget.clicked.connect(self._forget)

    def look(self, layer: Labels | None, parent: tuple[str, str] = ("", "")) -> None:
        """Show the run on a layer that was cut off, if there is one.

        Parameters
        ----------
        layer : Labels, optional
            What was learned from; nothing is shown for None.
        parent : (str, str)
            Name and SHA-256 of the model that the run must have started from.
        """
        self._layer, self._parent = layer, parent
        self._look()

    def leave(self) -> None:
        """Look no more; the widgets may be gone already."""
        self._layer = None
        with suppress(RuntimeError):
            self._timer.stop()

    def _look(self) -> None:
        layer, self.run, text = self._layer, None, ""
        model, sha256 = self._parent
        if layer is not None:
            if is_under_way(file_of(layer)):
                text = UNDER_WAY
                self._timer.start()
            else:
                self.run = cut_off(file_of(layer), sha256)
                text = said(self.run, model) if self.run else ""
        self.text.value = text
        self.go_on.visible = self.forget.visible = self.run is not None
        self.visible = bool(text)

    def _forget(self) -> None:
        """Delete what is offered, unless another window has gone on with it meanwhile."""
        if self.run is not None:
            forget_if_free(self.run.path)
        self._look()


def file_of(layer: Labels) -> Path:
    """Return the file in which a fine-tune on a result is saved."""
    return run_file(models_folder().parent, own_id(layer))


def said(run: CutOff, model: str) -> str:
    """Return in one line what is offered."""
    if run.seconds is None:
        return f"Live learning on {model!r} was cut off after {run.learned:.0f} s."
    part = min(1.0, run.learned / run.seconds)
    return f"A run of {run.seconds:.0f} s on {model!r} was cut off at {part:.0%}."
