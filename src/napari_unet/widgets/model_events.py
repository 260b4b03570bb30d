"""What docks tell each other of models: which one to use, and that some came, went or moved."""

from typing import Any

from magicgui.widgets import ComboBox, Label
from napari.utils.events import EventEmitter

from napari_unet.network.library import BUILT_IN

model_chosen = EventEmitter(type_name="model_chosen")
"""Called with ``model=name`` when a model, which may be new, is to be used from now on."""
models_changed = EventEmitter(type_name="models_changed")
"""Called with ``renamed={old: new}`` when models came, went, or were renamed."""


class ModelList:
    """Keeps a list to choose a model from in step with the models that there are.

    Parameters
    ----------
    choices : ComboBox
        Gives its choices by a function.
    status : Label
        Says that the chosen model is gone.
    """

    def __init__(self, choices: ComboBox, status: Label) -> None:
        self._choices = choices
        self._status = status
        model_chosen.connect(self._choose)
        models_changed.connect(self._follow)

    def leave(self) -> None:
        """Let go of the widgets."""
        model_chosen.disconnect(self._choose)
        models_changed.disconnect(self._follow)

    def _choose(self, event: Any) -> None:
        """Choose the model that is to be used."""
        self._list()
        self._choices.value = event.model

    def _follow(self, event: Any) -> None:
        """Stay with the chosen model; where it is gone, take the built-in one and say so."""
        old = self._choices.value
        chosen = event.renamed.get(old, old)
        self._list()
        is_there = chosen in self._choices.choices
        self._choices.value = chosen if is_there else BUILT_IN
        if not is_there:
            self._status.value = (
                f"The model {chosen!r} is gone from the list; {BUILT_IN!r} is chosen instead."
            )

    def _list(self) -> None:
        """Give the choices anew, and in order: new ones would come after the last one."""
        with self._choices.changed.blocked():
            self._choices.native.clear()
        self._choices.reset_choices()
