"""Models by name: the one that comes with the plugin, and the user's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

if TYPE_CHECKING:
    from napari_unet.network.model import Model

__all__ = ["BUILT_IN", "ModelFile", "list_models", "load_model", "models_folder"]

BUILT_IN = "nuclei"
HOME_VARIABLE = "NAPARI_UNET_HOME"


@dataclass(frozen=True)
class ModelFile:
    """A model that can be loaded by its name.

    Parameters
    ----------
    name : str
        The file's stem.
    path : Path
        The ``.safetensors`` file.
    built_in : bool
        Whether it came with the plugin.
    """

    name: str
    path: Path
    built_in: bool


def models_folder() -> Path:
    """Give the folder of the user's models; ``NAPARI_UNET_HOME`` overrides where it is."""
    home = os.environ.get(HOME_VARIABLE)
    return (Path(home) if home else user_data_path("napari-unet", appauthor=False)) / "models"


def list_models() -> list[ModelFile]:
    """Give the models that can be loaded by name, the built-in one first."""
    shipped = Path(__file__).parent.parent / "weights" / f"{BUILT_IN}.safetensors"
    own = sorted(models_folder().glob("*.safetensors"))
    return [
        ModelFile(BUILT_IN, shipped, built_in=True),
        *(ModelFile(path.stem, path, built_in=False) for path in own if path.stem != BUILT_IN),
    ]


def load_model(model: str | Path | Model = BUILT_IN, device: str = "auto") -> Model:
    """Load a model by name or path, onto a device.

    Parameters
    ----------
    model : str, Path or Model
        A name of :func:`list_models`, a ``.safetensors`` file, or a model, which is moved.
    device : str
        "auto" (the fastest that works), "cuda", "mps" or "cpu".

    Raises
    ------
    ValueError, FileNotFoundError
        If there is no such model, or the file is not one.
    """
    # Torch comes with the model: a list of names must not wait for it.
    from napari_unet.network.model import load_model_file

    if not isinstance(model, str | Path):
        return model.to(device)
    if isinstance(model, Path) or model.endswith(".safetensors") or os.sep in model:
        return load_model_file(model, device)
    known = {file.name: file.path for file in list_models()}
    if model not in known:
        raise ValueError(
            f"there is no model {model!r}; choose one of {', '.join(known)}, or give a file."
        )
    return load_model_file(known[model], device)
