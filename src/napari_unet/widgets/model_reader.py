"""Model files dropped on napari's window: a reader that asks, and puts the model into the list."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_unet.network.files import read_card
from napari_unet.widgets.model_actions import Outcome, carry_out, import_model
from napari_unet.widgets.model_events import models_changed
from napari_unet.widgets.preferences import use_folder
from napari_unet.widgets.running import one_sentence
from napari_unet.widgets.workers import worker_for

NO_LAYER: list[tuple[None]] = [(None,)]  # napari's sign for a file that was read and has no layer


def model_reader(path: str | list[str]) -> Callable[[str], list[tuple[None]]] | None:
    """Return what takes in a model file; None for several files at once."""
    return offer_model if isinstance(path, str) else None


def offer_model(path: str) -> list[tuple[None]]:
    """Ask whether a model is to be in the list, and put it there in a thread; no layer comes of it.

    What is wrong with the file is told in one sentence in napari's notification area.
    """
    file = Path(path)
    try:
        read_card(file)
    except (OSError, ValueError) as error:
        show_error(one_sentence(error, "The file could not be read", "check it"))
        return NO_LAYER
    if _is_wanted(file):
        use_folder()
        worker = worker_for(carry_out, partial(import_model, file))
        worker.returned.connect(_tell)
        worker.start()
    return NO_LAYER


def _is_wanted(file: Path) -> bool:
    # Without a window there is nobody to ask, and Qt would end the program.
    if QApplication.instance() is None:
        show_error(
            "Expected napari's window to ask in, got none; import the model by napari-unet models "
            "import."
        )
        return False
    answer = QMessageBox.question(
        QApplication.activeWindow(),
        "Add a model",
        f"{file.name} is a model that segments nuclei. Copy it into your list of models?",
    )
    return answer == QMessageBox.StandardButton.Yes


def _tell(outcome: Outcome) -> None:
    """Say what became of it, and let all docks list the models anew."""
    if outcome.failed:
        show_error(outcome.failed)
    if outcome.done.has_changed:
        show_info(outcome.done.text)
        models_changed(renamed=outcome.done.renamed)
