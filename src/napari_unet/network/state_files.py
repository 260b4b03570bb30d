"""Weights that torch has saved, taken in only when the user asks for that file."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import torch

from napari_unet.network.card import LINE
from napari_unet.network.files import LARGEST_FILE
from napari_unet.network.model import Model, fitted


def model_from_state(path: str | Path, like: Model) -> Model:
    """Return a model with the weights of a state dict, everything else being another's.

    torch reads the file as `weights_only`: numbers and texts, nothing that runs.

    Parameters
    ----------
    path : str or Path
        What ``torch.save(network.state_dict(), path)`` wrote.
    like : Model
        Has a network of the same shape; stays as it is.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is none, or its weights do not fit the network or are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file of torch, got {str(path)!r}; check the path.")
    try:
        with path.open("rb") as file:
            weights = state_in(file)
        network = fitted(like.config, weights)
    except MemoryError:
        raise
    # torch raises nearly every kind of exception when it meets a broken file.
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")[:200]
        raise ValueError(
            f"Expected the weights of a network like that of {like.name!r}, got {str(path)!r} "
            f"({reason}); save them by torch.save(network.state_dict(), path)."
        ) from error
    card = replace(
        like.card,
        name=path.stem,
        training={LINE: path.stem, "data": f"unknown: weights of {path.name}"},
        scores={},
        parent=None,
    )
    return Model(network.eval(), card)


def state_in(file: BinaryIO) -> dict[str, torch.Tensor]:
    """Return the tensors in an open file by name, its size being checked before they are read.

    Nearly every kind of exception is raised for a broken file.

    Raises
    ------
    ValueError
        If it is too large, or holds something else.
    """
    with zipfile.ZipFile(file) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > LARGEST_FILE:
        raise ValueError("it has more than 1 GiB")
    file.seek(0)
    state: Any = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise ValueError("it is no state dict")
    return state
