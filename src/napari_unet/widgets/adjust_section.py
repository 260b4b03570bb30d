"""The section "Adjust": which result its sliders move, and what is kept for that."""

from functools import partial
from typing import Any

from napari.layers import Image, Labels

from napari_unet.images.amounts import size_text
from napari_unet.images.roomy import is_on_disk
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.segmentation import is_in_volumes
from napari_unet.widgets.adjust import AdjustForm, Measure
from napari_unet.widgets.adjusted_plane import settings_of
from napari_unet.widgets.adjusting import Adjusting
from napari_unet.widgets.corrections import facts_of, is_result
from napari_unet.widgets.layers import pixel_size
from napari_unet.widgets.segmenting import Finished


class AdjustSection:
    """Keeps the maps of results while their layers and the dock are there, and adjusts one.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows the results.
    form : AdjustForm
        The sliders.
    """

    def __init__(self, viewer: Any, form: AdjustForm) -> None:
        self._viewer = viewer
        self._form = form
        self._every: dict[Labels, Adjusting] = {}
        self.chosen: Adjusting | None = None
        for widget in form.inputs:
            widget.changed.connect(self._move)
        form.reset.clicked.connect(self._reset)
        viewer.layers.events.removed.connect(self._forget)

    def keep(self, layer: Labels, image: Image, outcome: Finished) -> None:
        """Keep the maps of a run with the result that it was drawn into."""
        self._drop(layer)
        tell = partial(self._tell_of, layer)
        self._every[layer] = Adjusting(self._viewer, image, layer, outcome, tell)
        self.show(layer)

    def show(self, layer: Any) -> None:
        """Let the sliders move a result, if its maps are there."""
        adjusting = self._every.get(layer)
        self._form.section.setVisible(adjusting is not None)
        if adjusting is self.chosen:
            return
        self.chosen = adjusting
        if adjusting is not None:
            self._form.show_settings(
                adjusting.own, adjusting.how, measure_of(layer, adjusting.outcome)
            )
            self._form.room.value = kept_text(adjusting)
            self._form.status.value = ""

    def wanted(
        self, layer: Any, model: str, axes: str, choices: dict[str, Any]
    ) -> InstanceSettings | None:
        """Return what a result was adjusted to, for the next run of the same model and kind.

        None where it was not adjusted: then the model's own settings are taken.
        """
        adjusting = self._every.get(layer)
        if adjusting is None or adjusting.how == adjusting.own or not is_result(layer):
            return None
        facts = facts_of(layer)
        same = all(facts["settings"][name] == choices[name] for name in ("link", "channel"))
        same = same and (facts["model_file"], facts["axes"]) == (model, axes)
        return adjusting.how if same else None

    def stop(self) -> None:
        """Adjust nothing while a run goes on."""
        for adjusting in self._every.values():
            adjusting.stop()
        self._form.enabled = False

    def go_on(self) -> None:
        """Let the sliders be moved again, and show where they are."""
        self._form.enabled = True
        chosen, self.chosen = self.chosen, None
        layers = [layer for layer, adjusting in self._every.items() if adjusting is chosen]
        self.show(layers[0] if layers else None)

    def leave(self) -> None:
        """Let go of all maps and of the viewer; the widgets may be gone already."""
        self._viewer.layers.events.removed.disconnect(self._forget)
        self.chosen = None
        for layer in list(self._every):
            self._drop(layer)

    def _drop(self, layer: Labels) -> None:
        """Let go of the maps of a result."""
        if layer in self._every:
            self._every.pop(layer).leave()

    def _forget(self, event: Any) -> None:
        """Let go of the maps of a result that is removed."""
        if self._every.get(event.value) is self.chosen is not None:
            self.show(None)
        self._drop(event.value)

    def _move(self, _: Any = None) -> None:
        """Adjust the result to where the sliders are."""
        if self.chosen is not None:
            self.chosen.adjust(self._form.settings())

    def _reset(self) -> None:
        """Go back to what suits the model."""
        if self.chosen is not None:
            layer = self.chosen.layer
            own = self.chosen.own
            self._form.show_settings(own, own, measure_of(layer, self.chosen.outcome))
            self.chosen.adjust(own)

    def _tell_of(self, layer: Labels, text: str) -> None:
        """Say how it goes with a result, if it is the one that is shown."""
        if self.chosen is not None and self._every.get(layer) is self.chosen:
            self._form.status.value = text


def measure_of(layer: Labels, outcome: Finished) -> Measure:
    """Return how the sizes of nuclei of a result are told."""
    pixel, unit = pixel_size(layer)
    settings = settings_of(outcome.facts)
    ndim = 3 if is_in_volumes(outcome.facts["axes"], settings.link) else 2
    is_known = unit != "pixel"
    return Measure(
        abs(pixel) if is_known else 1.0,
        unit if is_known else "px",
        outcome.diameter,
        ndim,
        settings.likely_anisotropy,
    )


def kept_text(adjusting: Adjusting) -> str:
    """Return how much room the maps of a result take, and where."""
    where = "on disk" if is_on_disk(adjusting.maps) else "in memory"
    return f"Its maps take {size_text(adjusting.maps.nbytes)} {where}."
