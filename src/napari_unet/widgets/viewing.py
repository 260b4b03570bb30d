"""What a network makes of the part of an image on the canvas; it touches no layer, no widget."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.axes import Plane, planes
from napari_unet.images.intensity import drop_alpha, limits
from napari_unet.images.planes import as_bytes, network_input, resized, stack_limits, zoomed
from napari_unet.images.region import Region
from napari_unet.nuclei.instances import instances
from napari_unet.nuclei.sizing import zoom_between
from napari_unet.widgets.corrections import Place, labels_axes
from napari_unet.widgets.messages import LearnRequest, Sight
from napari_unet.widgets.scribbles import nucleus_diameter

if TYPE_CHECKING:
    from napari_unet.network.card import Card
    from napari_unet.network.unet import UNet

LARGEST_SIDE = 512  # px as the network sees them: labelling as much takes a tenth of a second
SECONDS_BETWEEN_SIGHTS = 4.0
SECONDS_AFTER_A_MOVE = 1.0  # a view that was moved need not wait as long
MOST_OF_THE_TIME = 0.05  # for sights that nothing but the learning makes due


class Viewing:
    """Labels what the canvas shows, whenever that is due.

    Parameters
    ----------
    request : LearnRequest
        The image, and how nuclei come out of it.
    card : Card
        Of the network's model.
    clock : callable
        Gives the time in seconds.
    """

    def __init__(
        self, request: LearnRequest, card: "Card", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._request = request
        self._card = card
        self._clock = clock
        diameter = nucleus_diameter(request.painted.diameter, card.diameter)
        self._zoom = zoom_between(diameter, card.diameter)
        self._axes = labels_axes(request.axes)
        self._limits: dict[Any, tuple[float, float]] = {}
        self._drawn: tuple[Place, float] | None = None
        self._duration = 0.0

    def due(self, network: "UNet") -> Iterator[Sight]:
        """Yield what the canvas shows by a network, if it is time for that."""
        place = self._request.view.place
        if place is not None and self._is_due(place):
            started = self._clock()
            yield self.sight(network, place)
            # After it: a slow computer must have time to learn as well.
            self._drawn = place, self._clock()
            self._duration = self._drawn[1] - started

    def _is_due(self, place: Place) -> bool:
        if self._drawn is None:
            return True
        shown, at = self._drawn
        usual = max(SECONDS_BETWEEN_SIGHTS, self._duration / MOST_OF_THE_TIME)
        return self._clock() - at >= (usual if shown == place else SECONDS_AFTER_A_MOVE)

    def sight(self, network: "UNet", place: Place) -> Sight:
        """Return what a network, in evaluation mode, makes of the middle of a place."""
        from napari_unet.network.model import Model

        place = self._middle(place)
        region, plane = self._plane(place)
        pixels = np.asarray(region[plane.read])
        card = self._card
        seen = network_input(pixels, card.normalisation, self._bounds(place))
        maps = Model(network, card).predict(zoomed(seen, self._zoom))
        how = self._request.instances or card.instances
        return Sight(instances(as_bytes(resized(maps, pixels.shape[:2])), how), place)

    def _middle(self, place: Place) -> Place:
        """Return as much around the middle of a place as is labelled quickly."""
        side = round(LARGEST_SIDE / self._zoom)
        return tuple(
            middle(part, side) if letter in "YX" else part
            for letter, part in zip(self._axes, place, strict=True)
        )

    def _plane(self, place: Place, *, whole: bool = False) -> tuple[Region, Plane]:
        """Return the part of the image at a place of its labels, or all of that plane."""
        parts = dict(zip(self._axes, place, strict=True))
        kept = "TZ" if whole else "TZYX"
        axes, pixels = self._request.axes, self._request.pixels
        region = Region(pixels, tuple(parts[a] if a in kept else slice(None) for a in axes))
        return region, next(planes(axes, region.shape, self._request.channel))

    def _bounds(self, place: Place) -> tuple[float, float]:
        """Return the limits of the whole plane or stack: a dark corner must not be stretched."""
        key = tuple((p.start, p.stop) for a, p in zip(self._axes, place, strict=True) if a in "TZ")
        if key not in self._limits:
            self._limits[key] = self._stack_limits() or self._plane_limits(place)
        return self._limits[key]

    def _stack_limits(self) -> tuple[float, float] | None:
        request = self._request
        walk = list(planes(request.axes, request.pixels.shape, request.channel))
        return stack_limits(request.pixels, walk, self._card.normalisation)

    def _plane_limits(self, place: Place) -> tuple[float, float]:
        region, plane = self._plane(place, whole=True)
        pixels: NDArray[Any] = np.asarray(region[plane.read])
        return limits(drop_alpha(pixels, "YXS"[: pixels.ndim]), self._card.normalisation)


def middle(part: slice, length: int) -> slice:
    """Return the middle of a slice, of at most this length.

    Examples
    --------
    >>> middle(slice(10, 30), 10), middle(slice(10, 30), 100)
    (slice(15, 25, None), slice(10, 30, None))
    """
    start = part.start + max(0, part.stop - part.start - length) // 2
    return slice(start, min(part.stop, start + length))
