"""Keys of a dock in its viewer, as long as they are needed; napari's own are left alone."""

from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels


class Keys:
    """Binds keys in one viewer, and puts back what they did there before.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the keys.
    actions : dict
        What each key does.
    """

    def __init__(self, viewer: Any, actions: dict[str, Callable[[], None]]) -> None:
        self._viewer = viewer
        self._actions = {key: _bindable(action) for key, action in actions.items()}
        self._before: dict[str, Any] = {}

    @property
    def bound(self) -> list[str]:
        """The keys that are bound now."""
        return list(self._before)

    def bind(self) -> None:
        """Bind all keys but those that napari has for a viewer or labels, as the user set them."""
        taken = {str(key) for it in (ViewerModel, Labels) for key in it.class_keymap}
        for key, action in self._actions.items():
            if key not in taken and key not in self._before:
                self._before[key] = self._viewer.bind_key(key, action, overwrite=True)

    def release(self) -> None:
        """Let the keys do what they did before, unless they got something else to do meanwhile."""
        for key, before in self._before.items():
            now = self._viewer.bind_key(key, None)
            again = before if now is self._actions[key] else now
            if again is not None:
                self._viewer.bind_key(key, again)
        self._before.clear()


def _bindable(action: Callable[[], None]) -> Callable[[Any], None]:
    """Return an action as napari calls it: with the viewer, and by a function that has a name."""

    def act(viewer: Any) -> None:
        action()

    return act
