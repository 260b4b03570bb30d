"""The widgets with which a user looks through the nuclei of a result, the doubtful ones first."""

from collections.abc import Collection
from typing import Any

from magicgui.widgets import CheckBox, Container, Label, PushButton

from napari_unet.nuclei.doubtful import DOUBTFUL
from napari_unet.widgets.form import fold, row, wrap

NEXT, PREVIOUS, RIGHT, DELETE, SPLIT = "N", "Shift+N", "R", "D", "S"  # keys


class DoubtForm(Container[Any]):
    """Counts, ways and verdicts, in a section that folds."""

    def __init__(self) -> None:
        self.counts, self.status = Label(value=""), Label(value="")
        self.previous = PushButton(
            text="Previous", tooltip="Go to the nucleus that the network was a little less sure of"
        )
        self.next = PushButton(
            text="Next",
            tooltip="Go to the least certain nucleus, then to the next one, on whichever plane",
        )
        self.right = PushButton(
            text="Is right",
            tooltip="It is right as it is, on all its planes and frames: this counts as a "
            "correction, and it stays in the next run. Again: take that back",
        )
        self.delete = PushButton(
            text="Delete", tooltip="It is no nucleus, on any plane or frame; Ctrl+Z brings it back"
        )
        self.split = PushButton(
            text="Split",
            tooltip="It is several: cut it where it is narrowest, or else across its long axis; "
            "in a movie, in the shown frame. Ctrl+Z undoes it",
        )
        self.colour = CheckBox(
            text="Colour by confidence",
            tooltip="From yellow, doubtful, to violet, sure; grey was drawn or changed by hand",
        )
        self.ways = {PREVIOUS: self.previous, NEXT: self.next}
        self.verdicts = {RIGHT: self.right, DELETE: self.delete, SPLIT: self.split}
        self._texts = {key: button.text for key, button in self.buttons.items()}
        rows = [row(*self.ways.values()), row(*self.verdicts.values())]
        super().__init__(widgets=[self.counts, *rows, self.status, self.colour], labels=False)
        self.margins = (0, 0, 0, 0)
        for label in (self.counts, self.status):
            wrap(label.native)
        tip = f"See the nuclei that the network was less sure of; below {DOUBTFUL:g} is doubtful"
        self.section = fold("Doubtful nuclei", self.native, tip)
        self.section.setVisible(False)

    @property
    def buttons(self) -> dict[str, PushButton]:
        """The button of each key."""
        return {**self.ways, **self.verdicts}

    def show_keys(self, keys: Collection[str]) -> None:
        """Show on each button its key, where that is bound."""
        for key, button in self.buttons.items():
            button.text = self._texts[key] + (f"  {key}" if key in keys else "")

    def show_possible(self, *, can_go: bool, can_judge: bool) -> None:
        """Enable what is possible now: going to a nucleus, saying what it is."""
        for button in (*self.ways.values(), self.colour):
            button.enabled = can_go
        for button in self.verdicts.values():
            button.enabled = can_judge
