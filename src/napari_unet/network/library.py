"""Models by name: those that come with the plugin, and the user's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from napari_unet.network import PRECISIONS, SUFFIX
from napari_unet.network.files import known_hash, opened
from napari_unet.network.packaged import PackagedConfig

if TYPE_CHECKING:
    from napari_unet.network.model import Model
    from napari_unet.network.onnx_model import AnyModel

BUILT_IN = "nuclei"
BUILT_INS = (BUILT_IN, "nuclei-fast")
"""The models that come with the plugin; the first is taken where none is chosen."""
HOME_VARIABLE = "NAPARI_UNET_HOME"
_home: Path | None = None


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


def use_home(folder: Path | None) -> None:
    """Let the user's data be in a folder, in the usual one for None."""
    global _home
    _home = folder


def models_folder() -> Path:
    """Return the folder of the user's models.

    ``NAPARI_UNET_HOME`` overrides where it is, and after that `use_home` does.
    """
    home = os.environ.get(HOME_VARIABLE)
    chosen = Path(home).expanduser() if home else _home
    return (chosen or user_data_path("napari-unet", appauthor=False)) / "models"


def list_models() -> list[ModelFile]:
    """Return the models that can be loaded by name, the built-in ones first."""
    weights = Path(__file__).parent.parent / "weights"
    files = [path for path in models_folder().glob(f"*{SUFFIX}") if _is_own_model(path)]
    own = sorted(files, key=attrgetter("stem"))
    return [
        *(ModelFile(name, weights / f"{name}{SUFFIX}", built_in=True) for name in BUILT_INS),
        *(ModelFile(path.stem, path, built_in=False) for path in own),
    ]


def load_model(
    model: str | Path | AnyModel = BUILT_IN,
    device: str | None = None,
    precision: str | None = None,
) -> AnyModel:
    """Return a model by name or path, on a device.

    Parameters
    ----------
    model : str, Path or Model
        A name of `list_models`, a ``.safetensors`` file, or a model.
    device : str, optional
        "auto" (the fastest that works), "cuda", "mps" or "cpu". If not given, a model stays
        where it is, and a file is loaded as for "auto".
    precision : str, optional
        "auto" (what the device is fast at), "float32", "bfloat16" or, but for the CPU, "float16".
        If not given, a model stays as it is, and a file is loaded as for "auto".

    Raises
    ------
    ValueError, FileNotFoundError, TypeError
        If there is no such model, device or precision on it, or the file is not one.
    ImportError
        If it is a network of another program, and the libraries that run it are not installed.
    """
    # Torch comes with the model: a list of names must not wait for it.
    from napari_unet.network.onnx_model import AnyModel

    if isinstance(model, AnyModel):
        return model.to(device, precision)
    if not isinstance(model, str | Path):
        raise TypeError(
            f"Expected a model, its name or its file, got {type(model).__name__}; choose one of "
            f"{', '.join(file.name for file in list_models())}."
        )
    return load_file(
        find_model(model).path,
        "auto" if device is None else device,
        PRECISIONS[0] if precision is None else precision,
    )


def load_unet(
    model: str | Path | AnyModel, device: str | None = None, precision: str | None = None
) -> Model:
    """Return a model as `load_model` does, if its network is one of this plugin, which can learn.

    Raises
    ------
    ValueError
        If it is a network of another program; and what `load_model` raises.
    """
    from napari_unet.network.model import Model

    loaded = load_model(model, device, precision)
    if not isinstance(loaded, Model):
        raise ValueError(
            f"Expected a network of napari-unet, got {loaded.name!r}, one of another program, "
            "which can segment but cannot learn or be written for others; choose another model."
        )
    return loaded


def load_file(
    path: Path, device: str = "auto", precision: str = PRECISIONS[0], shown: str | None = None
) -> AnyModel:
    """Return the model in a file, whosever network it is.

    Parameters
    ----------
    path, device, precision, shown
        As for `napari_unet.network.model.load_model_file`.
    """
    from napari_unet.network.model import load_model_file
    from napari_unet.network.onnx_model import load_onnx_file

    with opened(path, "np", shown) as (card, _):
        is_packaged = isinstance(card.config, PackagedConfig)
    if is_packaged:
        return load_onnx_file(path, shown).to(device, precision)
    return load_model_file(path, device, precision, shown)


def find_model(model: str | Path) -> ModelFile:
    """Return a model given by its name or its file, which need not be there.

    Raises
    ------
    ValueError
        If it is a name that no model has.
    """
    known = {file.name: file for file in list_models()}
    if isinstance(model, str) and model in known:
        return known[model]
    path = Path(model)
    is_path = path.suffix == SUFFIX or path.name != model or path.exists()
    if not is_path:
        raise ValueError(
            f"Expected a model, got the unknown name {model!r}; choose one of "
            f"{', '.join(known)}, or give a file."
        )
    return ModelFile(path.stem, path, built_in=False)


def find_again(model: str, sha256: str) -> str:
    """Return a model's name or file; where that is another one by now, or gone, its new name.

    Parameters
    ----------
    model : str
        What it was loaded by.
    sha256 : str
        Of its file, which stays the same when it is renamed.
    """
    files = list_models()
    own = [file.path for file in files if file.name == model] or [Path(model)]
    if own[0].is_file() and known_hash(own[0]) == sha256:
        return model
    return next((file.name for file in files if known_hash(file.path) == sha256), model)


def _is_own_model(path: Path) -> bool:
    """Tell whether a file is a model, not a run's checkpoint or a file that is being written."""
    is_whole = not path.name.startswith(".")
    return is_whole and ".checkpoint" not in path.suffixes and path.stem not in BUILT_INS
