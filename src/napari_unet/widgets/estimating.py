"""What a long run will take, said before it starts; a tile is timed in a thread, once."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_unet.estimate import Pace, estimate
from napari_unet.images.planes import as_bytes, network_input
from napari_unet.images.region import Region
from napari_unet.images.synthetic import nuclei_field
from napari_unet.images.turns import TURNS
from napari_unet.network.files import read_card
from napari_unet.network.library import find_model
from napari_unet.nuclei.instances import instances
from napari_unet.segmentation import SegmentSettings, overlap_for
from napari_unet.widgets.lane import Lane
from napari_unet.widgets.running import Failed, load
from napari_unet.widgets.segmenting import Request

MILLISECONDS_OF_REST = 700  # of the choices, before anything is looked up
LONG = 8_000_000  # px; with fewer, nobody waits long enough to ask
SIDE = 512  # px of the tile that is timed
N_PLANES = 4  # of the volume
ACTIVATIONS = 3.2  # times the values of the first level, measured for tiles of 256 to 768 pixels

Key = tuple[str, str, str]
_paces: dict[Key, Pace] = {}


@dataclass(frozen=True, eq=False)
class Plan:
    """A run as far as it can be foreseen: its request, the settings that suit its model.

    Parameters
    ----------
    request : Request
        What the user has chosen.
    settings : SegmentSettings
        With a diameter if one is given, or was found before.
    """

    request: Request
    settings: SegmentSettings

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the part of the image that is segmented."""
        return Region(self.request.pixels, self.request.region).shape

    def text(self, pace: Pace) -> str:
        """Return what the run will take."""
        text = estimate(self.shape, self.request.axes, self.settings, pace).text()
        if self.settings.diameter is None:
            text += f", if nuclei are about {self.settings.model_diameter:.0f} px wide"
        return f"{text[0].upper()}{text[1:]}."


class Estimating:
    """Says what a long run will take when the choices are at rest.

    Parameters
    ----------
    plan : callable
        Gives the request and the diameter found before, if any; None where nothing can be run.
    show : callable
        Called with one sentence; an empty one for a short run.
    """

    def __init__(
        self,
        plan: Callable[[], tuple[Request, float | None] | None],
        show: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._show = show
        self._lane = Lane(self._time, self._remember, "run it", is_dropped=False)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(MILLISECONDS_OF_REST)
        self._timer.timeout.connect(self._look)

    def look(self, _: Any = None) -> None:
        """Look at the choices when they are at rest."""
        self._timer.start()

    def leave(self) -> None:
        """Say nothing more; at napari's end Qt may have deleted the timer first."""
        self._lane.cancel()
        with suppress(RuntimeError):
            self._timer.stop()

    def _look(self) -> None:
        chosen = self._plan()
        if chosen is None:
            return
        try:
            plan = planned(*chosen)
        except (ValueError, OSError):
            # Starting the run says what is wrong with the model.
            return
        views = len(TURNS) if plan.settings.quality == "best" else 1
        key = (str(plan.request.model), plan.request.device, plan.request.precision)
        if np.prod(plan.shape, dtype=float) * views < LONG:
            self._show("")
        elif key in _paces:
            self._show(plan.text(_paces[key]))
        else:
            self._lane.ask(key)

    def _time(self, key: Key, cancelled: Event) -> tuple[Key, Pace]:
        """Time a tile; in a thread."""
        return key, pace_of(*key)

    def _remember(self, timed: tuple[Key, Pace] | Failed, _: Event) -> None:
        """Remember a pace for the session, and say what the run takes that is chosen by now."""
        if not isinstance(timed, Failed):
            key, pace = timed
            _paces[key] = pace
            self._look()


def planned(request: Request, diameter: float | None) -> Plan:
    """Return a run with the settings that suit its model; torch is not needed for that."""
    card = read_card(find_model(request.model).path)
    choices = {**request.choices, "diameter": request.choices["diameter"] or diameter}
    settings = SegmentSettings(
        model_diameter=card.diameter,
        overlap=overlap_for(card.config.halo),
        grid=card.config.multiple,
        normalisation=card.normalisation,
        **{"instances": card.instances, **choices},
    )
    return Plan(request, settings)


def pace_of(model: str, device: str, precision: str) -> Pace:
    """Return how fast a model is on a device at a precision, from one tile of drawn nuclei."""
    loaded = load(model, device, precision)
    card = loaded.card
    field, _ = nuclei_field((SIDE, SIDE), n=150, diameter=card.diameter)
    pixels = network_input(field, card.normalisation)
    loaded.predict(pixels[:, :64, :64])  # the first time takes longer
    started = time.monotonic()
    maps = as_bytes(loaded.predict(pixels))
    seen = time.monotonic()
    instances(maps, card.instances)
    flat = time.monotonic()
    instances(np.repeat(maps[:, None], N_PLANES, axis=1), card.instances)
    deep = time.monotonic()
    on_card = loaded.device.type == "cuda"
    return Pace(
        (seen - started) / SIDE**2,
        (flat - seen) / SIDE**2,
        (deep - flat) / (N_PLANES * SIDE**2),
        0.0 if on_card else ACTIVATIONS * 4 * loaded.config.width,
    )
