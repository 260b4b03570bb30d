"""What the user sets once for all on the plugin's page of napari's Preferences."""

from dataclasses import dataclass, fields
from pathlib import Path

from napari.settings import get_plugin_settings
from napari.utils.notifications import show_warning

from napari_unet.network import PRECISIONS
from napari_unet.network.library import models_folder, use_home
from napari_unet.segmentation import SegmentSettings
from napari_unet.widgets.model_events import models_changed
from napari_unet.widgets.window import PLUGIN

DEVICES = ("auto", "cuda", "mps", "cpu")


@dataclass(frozen=True)
class Preferences:
    """What is set; the manifest's ``configurations`` describe the page with the same defaults.

    Parameters
    ----------
    device : str
        Which one of `DEVICES` is chosen when a dock opens.
    precision : str
        Which one of `PRECISIONS` the network predicts in; learning does not ask for it.
    tile : int
        Side of the squares, in pixels, in which the network sees an image.
    folder : str
        Where models and corrections are; empty for the usual place.
    autosave : bool
        Whether corrections are saved while the user paints.
    remember : bool
        Whether a dock that opens is to remember corrections for later fine-tunes.
    """

    device: str = DEVICES[0]
    precision: str = PRECISIONS[0]
    tile: int = SegmentSettings.tile
    folder: str = ""
    autosave: bool = True
    remember: bool = True


def preferences() -> Preferences:
    """Return what is set now."""
    try:
        page = get_plugin_settings(PLUGIN).general
    except KeyError:
        # Imported as a library, the plugin may be unknown to napari, or switched off there.
        return Preferences()
    names = [field.name for field in fields(Preferences)]
    return Preferences(**{name: getattr(page, name) for name in names})


def use_folder() -> None:
    """Let models and corrections be where the user wants them.

    To be called when a dock opens: the page changes with every letter that is typed.
    """
    before = models_folder()
    use_home(_folder(preferences().folder))
    if models_folder() != before:
        models_changed(renamed={})


def _folder(text: str) -> Path | None:
    """Return the folder that a user has typed; None for none, or one that cannot be."""
    if not text.strip():
        return None
    try:
        path = Path(text.strip()).expanduser()
    # There is no user of that name.
    except RuntimeError:
        path = Path()
    if path.is_absolute():
        return path
    show_warning(
        f"Expected a folder with its whole path for models and corrections, got {text!r}; correct "
        "it in the Preferences. Until then they are in the usual place."
    )
    return None
