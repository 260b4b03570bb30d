"""Model files as far as they can be read and checked without torch: name, size, hash, card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from napari_unet.network import SUFFIX
from napari_unet.network.card import Card, card_from_json
from napari_unet.network.config import NUCLEUS_BORDER_DISTANCE, UNetConfig
from napari_unet.network.packaged import PackagedConfig

HEADER = "napari_unet"
LARGEST_FILE = 2**30  # bytes; the shipped model has 4 MB
LARGEST_HEADER = 2**20  # bytes; that of the shipped model has 10 kB
MAPS = (NUCLEUS_BORDER_DISTANCE, NUCLEUS_BORDER_DISTANCE[:1])


def read_card(path: str | Path) -> Card:
    """Return the card of a model file by its header alone; the weights are not read.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors`` file that `Model.save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a model file of this plugin, or its header is damaged. Weights that are
        damaged are found when it is loaded.
    """
    with opened(Path(path), "np") as (card, _):
        return card


@contextmanager
def opened(path: Path, framework: str, shown: str | None = None) -> Iterator[tuple[Card, Any]]:
    """Yield the card of a model file, which is checked first, and the open file.

    Parameters
    ----------
    path : Path
        The file.
    framework : {"np", "pt"}
        What its tensors are read as.
    shown : str, optional
        What errors call it; its path if not given.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no model of this plugin, or the block finds it damaged.
    """
    check_name(path)
    _check_file(path)
    try:
        _check_header(path)
        with safe_open(path, framework=framework) as file:
            card = card_from_json((file.metadata() or {}).get(HEADER, "null"))
            _check_maps(card.config)
            yield card, file
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"Expected a model of napari-unet, got {shown or str(path)!r} "
            f"({str(error).rstrip('.')}); choose a file that this plugin has written, or fetch it "
            "again."
        ) from error


def check_name(path: Path) -> None:
    """Refuse a name that no model file has.

    Raises
    ------
    ValueError
        If it does not end in ``.safetensors``.
    """
    if path.suffix != SUFFIX:
        raise ValueError(
            f"Expected a model file that ends in {SUFFIX}, got {path.name!r}; other kinds can run "
            "code when they are opened and are not used here. The weights of a network of torch "
            "are taken in by napari-unet models import-state."
        )


def check_new(path: Path, *, overwrite: bool) -> None:
    """Refuse to write over a file, unless that is wanted.

    Raises
    ------
    FileExistsError
        If it is there and `overwrite` is not set.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"Expected a new file, got the existing {str(path)!r}; choose another name or "
            "allow overwriting."
        )


def file_hash(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_hash(path: Path) -> str:
    """Return a file's SHA-256, computed anew only if its size or time has changed."""
    state = path.stat()
    return _hash_at(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hash_at(path: Path, size: int, time: int) -> str:
    return file_hash(path)


def _check_file(path: Path) -> None:
    """Refuse what cannot be a model file before anything of it is read."""
    if not path.exists():
        raise FileNotFoundError(
            f"Expected an existing model file, got {str(path)!r}; check the path."
        )
    if not path.is_file():
        raise ValueError(
            f"Expected a model file, got the folder {str(path)!r}; name one of the files in it."
        )
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(
            f"Expected a model file of at most 1 GiB, got {str(path)!r} with "
            f"{path.stat().st_size / 2**30:.1f} GiB; choose another file."
        )


def _check_maps(config: UNetConfig | PackagedConfig) -> None:
    """Refuse a network that does not map colours to nuclei; those of packages check themselves."""
    if isinstance(config, UNetConfig) and (config.in_channels != 3 or config.maps not in MAPS):
        raise ValueError(f"its network maps {config.in_channels} channels to {config.maps}")


def _check_header(path: Path) -> None:
    """Refuse a file that is none of ours by how long it says its header is."""
    with path.open("rb") as file:
        n_bytes = int.from_bytes(file.read(8), "little")
    if n_bytes > LARGEST_HEADER:
        raise ValueError("its header has more than 1 MiB, or it is no .safetensors file")
