"""Scribbles are saved like corrections, as those of a run that found nothing."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray
from qtpy.QtWidgets import QApplication

from napari_unet.learning.autosave import BACKGROUND, SCRIBBLES, Note
from napari_unet.widgets.autosave import Keeper, Origin, Watcher
from napari_unet.widgets.corrections import CONFIRMED, METADATA, PREDICTION, RESULT, own_id
from napari_unet.widgets.layers import layer_axes, spatial_fields
from napari_unet.widgets.scribbles import Scribbled


class ScribbleWatcher(Watcher):
    """Lets what is painted on scribbles be saved, until they leave the viewer.

    Parameters
    ----------
    events, layer, keeper, quitting
        As `Watcher` has them.
    image : Image
        What was painted on.
    """

    def __init__(
        self, events: Any, layer: Labels, keeper: Keeper, quitting: Any, image: Image
    ) -> None:
        self._image_id = image.unique_id
        self._empty = np.zeros((0, 0), np.int32)
        super().__init__(events, layer, keeper, quitting)

    def follow(self, image: Image) -> None:
        """Save as what was painted on this image from now on."""
        if image.unique_id != self._image_id:
            self._image_id = image.unique_id
            self._keeper.move(Origin.of(image))
            self.save_soon()

    def leave(self) -> None:
        """Watch no more; scribbles that are put back are watched anew when they are chosen."""
        super().leave()
        if (layer := self._layer()) is not None:
            _watchers.pop(layer, None)

    def _read(self, layer: Labels) -> tuple[Scribbled, dict[str, Any]]:
        painted = Scribbled(np.asarray(layer.data), background_of(layer, 1))
        if self._empty.shape != painted.labels.shape:
            self._empty = np.zeros(painted.labels.shape, np.int32)
        facts = {SCRIBBLES: layer.name, BACKGROUND: painted.background, RESULT: own_id(layer)}
        return painted, facts | {PREDICTION: self._empty, CONFIRMED: []}

    def _take_copy(self, copy: Labels) -> None:
        copy.metadata[METADATA] = {BACKGROUND: background_of(copy, 1)}


_watchers: WeakKeyDictionary[Labels, ScribbleWatcher] = WeakKeyDictionary()


def watch_scribbles(
    viewer: Any, layer: Labels, image: Image, background: int, brought_back: Note | None = None
) -> None:
    """Save what is painted on scribbles, from now on until they are removed.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows them.
    layer : Labels
        The scribbles; they get an id that outlives napari.
    image : Image
        What they lie on.
    background : int
        The value that stands for background.
    brought_back : Note, optional
        What was saved of them, if they were brought back.
    """
    application = QApplication.instance()
    if application is None:
        return
    layer.metadata.setdefault(METADATA, {}).setdefault(RESULT, str(layer.unique_id))
    set_background(layer, background)
    if layer in _watchers:
        _watchers[layer].follow(image)
        return
    keeper = Keeper(Origin.of(image), brought_back)
    watcher = ScribbleWatcher(viewer.layers.events, layer, keeper, application.aboutToQuit, image)
    _watchers[layer] = watcher
    if brought_back is None:
        # What was painted before it was chosen.
        watcher.save_soon()


def background_of(layer: Labels, default: int) -> int:
    """Return the value that stands for background on scribbles; a default on new ones."""
    return int(layer.metadata.get(METADATA, {}).get(BACKGROUND, default))


def set_background(layer: Labels, value: int) -> None:
    """Note on scribbles which value stands for background."""
    facts = layer.metadata.setdefault(METADATA, {})
    if facts.get(BACKGROUND) != value:
        facts[BACKGROUND] = value
        layer.events.metadata()


def is_watched(layer: Any) -> bool:
    """Tell whether a layer was chosen as scribbles before, now or in an earlier session."""
    facts = layer.metadata.get(METADATA, {}) if isinstance(layer, Labels) else {}
    return RESULT in facts and PREDICTION not in facts


def bring_back_scribbles(
    viewer: Any, image: Image, note: Note, labels: NDArray[np.int32]
) -> Labels:
    """Show scribbles that were saved, over their image, and return them.

    Raises
    ------
    ValueError
        If the image's axes cannot be guessed.
    """
    layer = Labels(
        labels,
        name=note.facts[SCRIBBLES],
        metadata={METADATA: {RESULT: note.facts[RESULT], BACKGROUND: note.facts[BACKGROUND]}},
        **_fields(image, labels.ndim),
    )
    # First, as a dock that chooses what is new would let it be saved beside what was.
    watch_scribbles(viewer, layer, image, note.facts[BACKGROUND], note)
    viewer.add_layer(layer)
    return layer


def _fields(image: Image, n_axes: int) -> dict[str, Any]:
    """Return where scribbles lie, if it can be where their image lies."""
    axes = layer_axes(image)
    with_channels, without = (
        spatial_fields(image, axes.replace("C", "")),
        spatial_fields(image, axes),
    )
    fields = with_channels if n_axes == image.ndim else without
    return fields if len(fields["scale"]) == n_axes else {}
