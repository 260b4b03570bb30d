"""What the list of models of the dock "Segment nuclei" lets choose from."""

from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QFileDialog

from napari_unet.network.library import BUILT_IN, list_models

CHOOSE_FILE = "choose a file …"


class ModelChoice:
    """Models by name, the files that were chosen so far, and choosing another file.

    Attributes
    ----------
    files : list of str
        Their paths.
    """

    def __init__(self) -> None:
        self.files: list[str] = []
        self._chosen = BUILT_IN

    def choices(self, _: Any = None) -> list[tuple[str, str]]:
        """Give what is shown of each choice, and what is meant by it."""
        names = [model.name for model in list_models()]
        files = [(Path(file).name, file) for file in self.files]
        return [*zip(names, names, strict=True), *files, (CHOOSE_FILE, CHOOSE_FILE)]

    def model(self, choice: str) -> str | Path:
        """Return the name or the file of a choice."""
        return Path(choice) if choice in self.files else choice

    def choose(self, models: ComboBox, choice: str) -> None:
        """Ask for a model file where the user wants to choose one."""
        if choice != CHOOSE_FILE:
            self._chosen = choice
            return
        path, _ = QFileDialog.getOpenFileName(models.native, "Model", "", "Model (*.safetensors)")
        if path and path not in self.files:
            self.files.append(path)
        models.reset_choices()
        models.value = path or self._chosen
