"""The section "Doubtful nuclei": goes through the nuclei of a result, the least certain first."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_unet.nuclei.cleaning import distinct
from napari_unet.nuclei.doubtful import Doubts, doubts_of, touched, whereabouts
from napari_unet.widgets.certainty import confidence_of
from napari_unet.widgets.corrections import Edited, confirm_nucleus, edited, is_confirmed
from napari_unet.widgets.counting import WATCHED, Counter
from napari_unet.widgets.doubt_form import DELETE, NEXT, PREVIOUS, RIGHT, SPLIT, DoubtForm
from napari_unet.widgets.going import bring_into_view
from napari_unet.widgets.highlight import CERTAINTY, Highlight
from napari_unet.widgets.keys import Keys
from napari_unet.widgets.nucleus_edits import delete_nucleus, split_nucleus

UNKNOWN = "How sure the network is of these nuclei is not saved; it comes with the next run."
NONE_LEFT = "Every nucleus is corrected or right."
COLOURS = "viridis_r"  # told apart by colour-blind eyes; what is doubtful is bright
LEAST, MOST = 0.6, 0.95  # confidences at the ends of the colours: hardly a nucleus is beyond


@dataclass(frozen=True, eq=False)
class Left:
    """What is left to look at, of how many nuclei."""

    doubts: Doubts
    n_nuclei: int

    def summary(self) -> str:
        """Return the counts in words."""
        nuclei = "1 nucleus" if self.n_nuclei == 1 else f"{self.n_nuclei:,} nuclei"
        return f"{nuclei}, {self.doubts.n_doubtful:,} doubtful"


@dataclass(frozen=True, eq=False)
class Looked:
    """A result that is looked through.

    Parameters
    ----------
    result : Edited
        What became of it.
    labels : (..., y, x) integers
        Its labels as they are now.
    confidence : array of float32, optional
        How sure the network was of each nucleus, by label.
    """

    result: Edited
    labels: NDArray[np.integer]
    confidence: NDArray[np.float32] | None

    def find(self) -> Left:
        """Return what is left, and how many nuclei there are now.

        Raises
        ------
        ValueError
            See `doubts`.
        """
        return Left(self.doubts(), int(np.count_nonzero(distinct(self.labels))))

    def doubts(self) -> Doubts:
        """Return what is left: nuclei that were not changed, and not called right.

        Raises
        ------
        ValueError
            If the confidence is not known, or the labels were replaced by others.
        """
        if self.confidence is None:
            raise ValueError(UNKNOWN)
        prediction, labels = self.result.prediction, self.labels
        if labels.shape != prediction.shape:
            raise ValueError("Expected the labels of the run, got others; segment the image again.")
        taken = set(touched(prediction, labels).tolist()) | set(self.result.right)
        taken.update(*(np.unique(labels[place]).tolist() for place in self.result.confirmed))
        return doubts_of(self.confidence, taken)


class DoubtSection:
    """Brings nuclei into view, and does with them what the user says.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows the results, and gets the keys while one is looked through.
    form : DoubtForm
        The buttons.
    """

    def __init__(self, viewer: Any, form: DoubtForm) -> None:
        self._viewer, self._form = viewer, form
        self._layer: Labels | None = None
        self._confidence: NDArray[np.float32] | None = None
        self._at: tuple[float, int] | None = None
        self._highlight = Highlight(CERTAINTY)
        self._counter = Counter(self._show_count, self._read, (*WATCHED, "features"))
        actions: dict[str, Callable[[], None]] = {
            NEXT: partial(self._go, 1),
            PREVIOUS: partial(self._go, -1),
            RIGHT: partial(self._judge, self._call_right),
            DELETE: partial(self._judge, self._delete),
            SPLIT: partial(self._judge, self._split),
        }
        self._keys = Keys(viewer, actions)
        for key, button in form.buttons.items():
            button.clicked.connect(lambda _=None, act=actions[key]: act())
        form.colour.changed.connect(self._colour)

    def show(self, layer: Labels | None) -> None:
        """Look through a result from now on, through none if it is None."""
        # By value: each time one asks, napari wraps a layer anew.
        if layer == self._layer:
            return
        self._leave_layer()
        self._layer, self._at = layer, None
        self._form.section.setVisible(layer is not None)
        self._form.status.value = ""
        if layer is not None:
            for name, heard in self._heard.items():
                getattr(layer.events, name).connect(heard)
        self._renew()
        self._counter.watch(layer)

    def leave(self) -> None:
        """Let go of the layer and of the keys; the widgets may be gone already."""
        self._leave_layer()
        self._keys.release()
        self._counter.leave()

    @property
    def _heard(self) -> dict[str, Callable[..., None]]:
        """What is to be done after an event of the layer."""
        return {
            "features": self._renew,
            "selected_label": self._show_possible,
            "colormap": self._show_colouring,
        }

    def _leave_layer(self) -> None:
        """Let go of the layer, with its own colours put back."""
        if self._layer is None:
            return
        for name, heard in self._heard.items():
            getattr(self._layer.events, name).disconnect(heard)
        self._highlight.clear()
        self._layer = None

    def _renew(self, event: Any = None) -> None:
        """Read how sure the network was; without that there is nothing to do, and no key."""
        before = self._confidence
        self._confidence = None if self._layer is None else confidence_of(self._layer)
        if not _same(before, self._confidence):
            # After another run the same number is another nucleus.
            self._at = None
        if self._confidence is None:
            self._keys.release()
        else:
            self._keys.bind()
        self._form.show_keys(self._keys.bound)
        self._show_possible()
        if self._highlight.is_shown:
            self._colour(self._confidence is not None)
        self._show_colouring()

    def _read(self, layer: Labels) -> Looked:
        result = edited(layer)
        return Looked(result, result.labels, self._confidence)

    def _show_count(self, text: str) -> None:
        self._form.counts.value = text

    def _show_possible(self, event: Any = None) -> None:
        """Enable what can be done now."""
        self._form.show_possible(
            can_go=self._confidence is not None, can_judge=self._chosen() is not None
        )

    def _chosen(self) -> int | None:
        """Return the nucleus that was gone to, if it is still the selected one."""
        if self._layer is None or self._confidence is None or self._at is None:
            return None
        number = self._at[1]
        return number if self._layer.selected_label == number else None

    def _go(self, step: int) -> None:
        """Go to the next (1) or the previous (-1) nucleus."""
        if self._layer is None or self._confidence is None:
            return
        # By a key it may be folded, and says what one goes to.
        self._form.section.expand(animate=False)
        try:
            number = self._read(self._layer).doubts().beside(self._at, step)
        except ValueError as error:
            self._form.status.value = str(error)
            return
        if number is None:
            self._form.status.value = NONE_LEFT
        else:
            self._go_to(self._layer, number, float(self._confidence[number]))

    def _go_to(self, layer: Labels, number: int, confidence: float) -> None:
        """Bring a nucleus into view and select it; its layer becomes the active one."""
        dims = self._viewer.dims
        shift = dims.ndim - layer.ndim
        walked = [axis - shift for axis in dims.not_displayed if axis >= shift]
        where = whereabouts(np.asarray(layer.data), number, walked)
        if where is not None:
            bring_into_view(self._viewer, layer, where.point, where.low, where.high)
        self._viewer.layers.selection.active = layer
        self._at = confidence, number
        layer.selected_label = number
        self._form.status.value = f"Nucleus {number}, confidence {confidence:.2f}"
        self._show_possible()

    def _judge(self, verdict: Callable[[Labels, int], str]) -> None:
        """Do with the nucleus what the user says, and say what was done."""
        number = self._chosen()
        if self._layer is None or number is None:
            self._form.status.value = "Go to a nucleus first, with Next."
            return
        try:
            self._form.status.value = verdict(self._layer, number)
        except ValueError as error:
            self._form.status.value = str(error)
        self._counter.count()

    def _call_right(self, layer: Labels, number: int) -> str:
        is_right = not is_confirmed(layer, number)
        if is_right and not (layer.data == number).any():
            raise ValueError(f"Expected nucleus {number}, got none any more; go to the next one.")
        confirm_nucleus(layer, number, is_right=is_right)
        return f"Nucleus {number} is {'right' if is_right else 'not called right any more'}."

    def _delete(self, layer: Labels, number: int) -> str:
        delete_nucleus(layer, number)
        return f"Nucleus {number} is deleted."

    def _split(self, layer: Labels, number: int) -> str:
        others = split_nucleus(layer, number, self._viewer)
        return f"Nucleus {number} is split; new: {', '.join(map(str, others))}."

    def _colour(self, is_wanted: bool) -> None:
        """Colour nuclei by how sure the network was, or as they were before."""
        if not is_wanted or self._layer is None or self._confidence is None:
            self._highlight.clear()
            return
        from matplotlib import colormaps

        numbers = np.flatnonzero(~np.isnan(self._confidence))
        at = (self._confidence[numbers] - LEAST) / (MOST - LEAST)
        colours: NDArray[np.float64] = np.asarray(colormaps[COLOURS](at))
        self._highlight.show_colours(self._layer, zip(numbers.tolist(), colours, strict=True))

    def _show_colouring(self, event: Any = None) -> None:
        """Show whether the layer has these colours: others may come from elsewhere."""
        with self._form.colour.changed.blocked():
            self._form.colour.value = self._highlight.is_shown


def _same(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> bool:
    """Tell whether features say the same of all nuclei, or nothing."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)
