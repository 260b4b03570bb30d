"""One line and two buttons, shown where a fine-tune of the chosen result was cut off."""

from pathlib import Path

from magicgui.widgets import PushButton
from napari.layers import Labels

from napari_unet.learning.cut_off import CutOff, cut_off, forget, run_file
from napari_unet.network.library import models_folder
from napari_unet.widgets.corrections import facts_of, is_result, own_id
from napari_unet.widgets.form import Question


class CutOffLine(Question):
    """Says how far a run had come, and asks whether to go on with it."""

    def __init__(self) -> None:
        self.run: CutOff | None = None
        self.go_on = PushButton(text="Go on", tooltip="Learn for the time that was left")
        self.forget = PushButton(
            text="Forget", tooltip="Delete what was learned by then; your corrections stay"
        )
        super().__init__(self.go_on, self.forget)
        self.forget.clicked.connect(self._forget)

    def look(self, layer: Labels | None) -> None:
        """Show the run of a layer that was cut off, if there is one."""
        self.run = None
        if layer is not None and is_result(layer):
            self.run = cut_off(file_of(layer), facts_of(layer)["model_sha256"])
            self.text.value = said(self.run, facts_of(layer)["model"]) if self.run else ""
        self.visible = self.run is not None

    def _forget(self) -> None:
        """Delete what is offered."""
        if self.run is not None:
            forget(self.run.path)
        self.look(None)


def file_of(layer: Labels) -> Path:
    """Return the file in which a fine-tune on a result is saved."""
    return run_file(models_folder().parent, own_id(layer))


def said(run: CutOff, model: str) -> str:
    """Return in one line what is offered."""
    return f"A run of {run.seconds:.0f} s on {model!r} was cut off at {run.fraction:.0%}."
