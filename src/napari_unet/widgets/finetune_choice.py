"""What is learned from: a result and its corrections, or scribbles, chosen and counted."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from napari_unet.learning.edits import NOTHING_YET
from napari_unet.network.files import known_hash, read_card
from napari_unet.network.library import find_again, find_model, list_models, models_folder
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.widgets.corrections import (
    confirm_view,
    edited,
    facts_of,
    has_confirmed,
    image_of,
    is_result,
    own_id,
    take_back,
)
from napari_unet.widgets.counting import Counter
from napari_unet.widgets.cut_off import file_of
from napari_unet.widgets.finetune_form import SEGMENT, FinetuneForm
from napari_unet.widgets.form import choose_again
from napari_unet.widgets.layers import full_resolution, layer_axes
from napari_unet.widgets.messages import LearnRequest, Painted
from napari_unet.widgets.offer import Offer
from napari_unet.widgets.preferences import preferences, use_folder
from napari_unet.widgets.remembering import NOTHING, store_text
from napari_unet.widgets.scribble_saving import background_of, is_watched, watch_scribbles
from napari_unet.widgets.scribbles import fits, guess_image, is_scribbles, scribbled, shown_channel
from napari_unet.widgets.store_menu import StoreMenu

if TYPE_CHECKING:
    from napari_unet.learning.store import Store

NO_RESULT = (
    "There is no result to correct; segment an image with Segment nuclei first, then paint on the "
    "labels it makes."
)
NOTHING_PAINTED = "Nothing is painted yet; paint some nuclei, and background beside them."


class FinetuneChoice(FinetuneForm):
    """Choose what is learned from, and count what is corrected on it.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows the layers.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._has_left = False
        self._shown: Labels | None = None
        self._request: LearnRequest | None = None
        use_folder()
        super().__init__(self._layers, self._images, _models, Offer(viewer))
        self._counter = Counter(self._show_count, self._read)
        self.layer.changed.connect(self._show_layer)
        self.background.changed.connect(self._counter.count)
        self.image.changed.connect(self._counter.count)
        for choice in (self.background, self.image):
            choice.changed.connect(self._save_scribbles)
        self.model.changed.connect(self._show_store)
        self.model.changed.connect(self._show_cut_off)
        self._menu = StoreMenu(self.stored, self._store, self._tell_store)
        self.confirm.clicked.connect(self._confirm)
        self.undo_confirm.clicked.connect(self._take_back)
        viewer.layers.selection.events.active.connect(self._follow_active)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._offer)
        self._follow_active()
        self._show_layer()

    def _layers(self, _: Any = None) -> list[Any]:
        """Give the results that can be corrected, and scribbles; napari asks again as they come."""
        layers = self._viewer.layers
        scribbles = [(f"scribbles: {it.name}", it) for it in layers if is_scribbles(it)]
        return [*((it.name, it) for it in layers if is_result(it)), *scribbles]

    def _images(self, _: Any = None) -> list[Image]:
        """Give the images that scribbles may lie on."""
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def _follow_active(self, event: Any = None) -> None:
        """Choose the layer that is active in the viewer, if it is a result."""
        layer = self._viewer.layers.selection.active
        self.layer.reset_choices()
        if (is_result(layer) or is_watched(layer)) and self.layer.enabled:
            self.layer.value = layer
        self._offer()

    def _offer(self, event: Any = None) -> None:
        """Offer what was saved of the active image, or else of the topmost, between two runs."""
        active, images = self._viewer.layers.selection.active, self._images()
        image = active if active in images else (images or [None])[-1]
        self.offer.look(image if self._request is None else None)

    def _show_layer(self, _: Any = None) -> None:
        """Count on the chosen layer, or say that there is none."""
        layer = self.layer.value
        newest = next((it for _, it in reversed(self._layers()) if is_result(it)), None)
        if layer is None and choose_again(self.layer, self._shown):
            layer = self._shown
        elif layer is None and self._request is None and choose_again(self.layer, newest):
            # It was removed; this is called again.
            return
        # By value: each time one asks, napari wraps a layer anew.
        if layer is None or layer != self._shown:
            self._shown = layer
            self._show_scribbles()
            self._counter.watch(layer)
            self._show_store()
            self._show_cut_off()
        self.enable_inputs(layer is not None)
        if self._request is None:
            self.status.value = NO_RESULT if layer is None else ""
            self.segment.text, self.segment.visible = SEGMENT, layer is None
        self._show_first_step()

    def _show_scribbles(self) -> None:
        """Show what only scribbles need, if it is them, with the likely image."""
        are_scribbles = is_scribbles(self._shown)
        self.show_scribbles(are_scribbles)
        if are_scribbles:
            for choice in (self.image, self.model):
                choice.reset_choices()
            # Both at once: with one of them alone, they would be saved as they never were.
            with self.background.changed.blocked(), self.image.changed.blocked():
                self.background.value = background_of(self._shown, int(self.background.value))
                self.image.value = guess_image(self._viewer.layers, self._shown)
            self._save_scribbles()

    def _save_scribbles(self, _: Any = None) -> None:
        """Let scribbles be saved, with what is chosen for them."""
        layer, image = self._shown, self.image.value
        if is_scribbles(layer) and fits(layer, image):
            watch_scribbles(self._viewer, layer, image, int(self.background.value))

    def _show_count(self, text: str) -> None:
        """Show how much is corrected, and whether a view can be taken back."""
        self.counts.value = text or "–"
        self.let_learn(text not in ("", NOTHING_YET))
        self._show_first_step()
        self.undo_confirm.visible = is_result(self._shown) and has_confirmed(self._shown)

    def _show_first_step(self) -> None:
        """Say what to do before anything can be learned, where nothing else is said."""
        first = NOTHING_PAINTED if is_scribbles(self._shown) else NOTHING
        if self._request is None and self.status.value in ("", NOTHING, NOTHING_PAINTED):
            self.status.value = first if self.counts.value == NOTHING_YET else ""

    def _show_store(self) -> None:
        """Show how much is remembered for the model that is to learn."""
        self.show_size("" if self._shown is None else store_text(self._store()))

    def _show_cut_off(self, _: Any = None) -> None:
        """Show the run on the chosen layer that was cut off, unless one is under way."""
        layer = self._shown
        if layer is None or self._request is not None:
            self.cut_off.look(None)
        elif is_result(layer):
            self.cut_off.look(layer, (facts_of(layer)["model"], facts_of(layer)["model_sha256"]))
        else:
            self.cut_off.look(layer, _known(str(self.model.value)))

    def _store(self) -> "Store":
        """Give what is remembered for the model that is to learn, and all of its line."""
        from napari_unet.learning.store import Store

        layer = self._chosen()
        line = facts_of(layer)["line"] if is_result(layer) else _line_of(str(self.model.value))
        return Store.of_line(data_folder(), line)

    def _tell_store(self, sentence: str, is_failed: bool) -> None:
        """Show what came of exporting, importing or forgetting corrections."""
        if self._has_left:
            return
        self._show_store()
        if is_failed:
            self._say(sentence)
        else:
            self.status.value = sentence

    def _confirm(self) -> None:
        """Take what the canvas shows for right."""
        try:
            confirm_view(self._chosen(), self._viewer)
        except ValueError as error:
            self._say(str(error))
            return
        self._counter.count()

    def _take_back(self) -> None:
        """Take the last view for unknown again."""
        take_back(self._chosen())
        self._counter.count()

    def _chosen(self) -> Labels:
        """Give the chosen layer."""
        if self._shown is None:
            raise ValueError(NO_RESULT)
        return self._shown

    def _read(self, layer: Labels, *, copied: bool = False) -> Painted:
        """Give what is painted on a layer."""
        if is_result(layer):
            return edited(layer, copied=copied)
        painted = scribbled(layer, self._image(), self._viewer, int(self.background.value))
        return replace(painted, labels=np.array(painted.labels)) if copied else painted

    def _image(self) -> Image:
        """Give the image that scribbles lie on."""
        if self.image.value is None:
            raise ValueError("Expected the image that the scribbles lie on, got none; choose it.")
        return self.image.value

    def _image_below(self) -> Image:
        """Give the image that the chosen layer belongs to."""
        layer = self._chosen()
        return image_of(self._viewer.layers, layer) if is_result(layer) else self._image()

    def _new_request(self, layer: Labels, *, live: bool) -> LearnRequest:
        """Put together what is learned from, as it is now."""
        is_corrected, image = is_result(layer), self._image_below()
        what = _of_result(layer) if is_corrected else self._of_scribbles(image)
        return LearnRequest(
            pixels=full_resolution(image),
            # Live learning copies it in its thread, as it does with every later state.
            painted=self._read(layer, copied=not live),
            # An image that is opened and segmented again does not overwrite what was learned then.
            source=f"{image.source.path or image.name} {own_id(layer)}",
            seconds=float(self.time.value),
            data=data_folder() if self.remember.value else None,
            live=live,
            saved=file_of(layer),
            **what,
        )

    def _of_scribbles(self, image: Image) -> dict[str, Any]:
        """Give what the user chose for scribbles: image, axes and model."""
        return {
            "axes": layer_axes(image),
            "channel": shown_channel(image, self._viewer),
            "model": str(self.model.value),
            "device": preferences().device,
            "line": "",
        }


def data_folder() -> Path:
    """Return the folder of all that the user's models go with."""
    return models_folder().parent


def _models(_: Any = None) -> list[str]:
    """Return the names of the models that can learn."""
    return [model.name for model in list_models()]


def _line_of(model: str) -> str:
    """Return what the line of a model began with; its name if its file does not say."""
    try:
        return read_card(find_model(model).path).line
    except (ValueError, OSError):
        return model


def _known(model: str) -> tuple[str, str]:
    """Return a model's name and SHA-256; none if its file cannot be read."""
    try:
        return model, known_hash(find_model(model).path)
    except (ValueError, OSError):
        return model, ""


def _of_result(layer: Labels) -> dict[str, Any]:
    """Return what a result says of the run that made it.

    Raises
    ------
    ValueError
        If its model is not there any more.
    """
    facts = facts_of(layer)
    # It may have another name by now, and another model its own.
    model, sha256 = _known(find_again(facts["model_file"], facts["model_sha256"]))
    if sha256 != facts["model_sha256"]:
        raise ValueError(
            f"Expected the model that made these labels, {facts['model']!r}, got none; segment "
            "again with another one, what you corrected stays."
        )
    return {
        "axes": facts["axes"],
        "channel": facts["settings"]["channel"],
        "model": model,
        "device": facts["device_choice"],
        "line": facts["line"],
        "instances": InstanceSettings(**facts["settings"]["instances"]),
    }
