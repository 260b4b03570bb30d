"""Whether the user is in the middle of a stroke on a layer."""

from collections.abc import Callable, Generator
from typing import Any

from napari.layers import Labels


class Strokes:
    """Follows the mouse on one layer, from when a button is pressed until it is let go.

    Parameters
    ----------
    began, ended : callable
        Called when a stroke begins and when it has ended.
    """

    def __init__(self, began: Callable[[], None], ended: Callable[[], None]) -> None:
        self._began = began
        self._ended = ended
        self._layer: Labels | None = None
        self.under_way = False

    def watch(self, layer: Labels) -> None:
        """Follow this layer from now on."""
        self.leave()
        self._layer = layer
        layer.mouse_drag_callbacks.append(self._follow)

    def leave(self) -> None:
        """Follow no more."""
        if self._layer is not None:
            self._layer.mouse_drag_callbacks.remove(self._follow)
        self._layer, self.under_way = None, False

    def _follow(self, layer: Labels, event: Any) -> Generator[None, None, None]:
        """Follow one stroke; napari goes on with this at every move, and when it ends."""
        self.under_way = True
        self._began()
        yield
        while event.type == "mouse_move":
            yield
        if self.under_way:
            self.under_way = False
            self._ended()
