"""Nucleus segmentation with a U-Net, for napari, the command line and Python.

Names are loaded when they are first used: importing the package loads neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_unet.api import fine_tune, predict, segment
    from napari_unet.learning.finetune import FineTune
    from napari_unet.network.library import list_models, load_model
    from napari_unet.network.model import Model
    from napari_unet.nuclei.instances import InstanceSettings, instances
    from napari_unet.nuclei.measure import measure
    from napari_unet.nuclei.metrics import Scores, evaluate

__all__ = [
    "FineTune",
    "InstanceSettings",
    "Model",
    "Scores",
    "__version__",
    "evaluate",
    "fine_tune",
    "instances",
    "list_models",
    "load_model",
    "measure",
    "predict",
    "segment",
]

_HOMES = {
    "FineTune": "learning.finetune",
    "InstanceSettings": "nuclei.instances",
    "Model": "network.model",
    "Scores": "nuclei.metrics",
    "evaluate": "nuclei.metrics",
    "fine_tune": "api",
    "instances": "nuclei.instances",
    "list_models": "network.library",
    "load_model": "network.library",
    "measure": "nuclei.measure",
    "predict": "api",
    "segment": "api",
}


def __getattr__(name: str) -> Any:
    """Load a public name from where it is defined."""
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-unet-nuclei")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return __all__
