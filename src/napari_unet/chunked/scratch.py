"""The files of a run in blocks: each is whole or not there, so that a killed run can go on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from napari_unet.images.atomic import overwriting
from napari_unet.images.made_by import differences

Item = tuple[int, int]
"""Number of a plane or unit, and of a tile or block in it."""

FACTS = "run.json"
LAYOUT = 3  # of the files: a run that an older program has left is not gone on with

LEVEL = 1  # of zstd, which takes a tenth of the time of zip's own compression, and packs as well


def file_of(folder: Path, kind: str, item: Item) -> Path:
    """Return the file for one item of a kind, such as "tiles"."""
    return folder / kind / f"{item[0]}-{item[1]}.npz"


def missing(folder: Path, kind: str, items: Iterable[Item]) -> list[Item]:
    """Return the items of a kind that have no file yet."""
    (folder / kind).mkdir(parents=True, exist_ok=True)
    there = {path.name for path in (folder / kind).iterdir()}
    return [item for item in items if file_of(folder, kind, item).name not in there]


def write(folder: Path, kind: str, item: Item, **arrays: NDArray[Any]) -> None:
    """Write the arrays of one item."""
    with overwriting(file_of(folder, kind, item)) as temporary:
        packed = {name: _packed(array) for name, array in arrays.items()}
        np.savez(temporary, allow_pickle=False, **packed)


def read(folder: Path, kind: str, item: Item, *names: str) -> list[NDArray[Any]]:
    """Return some arrays of one item."""
    with np.load(file_of(folder, kind, item), allow_pickle=False) as stored:
        return [_unpacked(stored[name]) for name in names]


def write_whole(folder: Path, kind: str, item: Item, array: NDArray[Any]) -> None:
    """Write the one array of an item so that parts of it can be read.

    It is not compressed, and as ``.npy``, whatever its name.
    """
    with overwriting(file_of(folder, kind, item)) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def open_whole(folder: Path, kind: str, item: Item) -> NDArray[Any]:
    """Return the array of `write_whole`, of which no more is read than is taken."""
    array: NDArray[Any] = np.load(file_of(folder, kind, item), mmap_mode="r", allow_pickle=False)
    return array


def _packed(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of a file with an array, compressed."""
    whole = BytesIO()
    np.save(whole, array, allow_pickle=False)
    return np.frombuffer(imagecodecs.zstd_encode(whole.getvalue(), LEVEL), np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> NDArray[Any]:
    whole = BytesIO(imagecodecs.zstd_decode(packed.tobytes()))
    return np.asarray(np.load(whole, allow_pickle=False))


def begin(folder: Path, facts: dict[str, Any], *, resume: bool) -> None:
    """Make the folder of a run, or check that the one that is there is of the same run.

    Raises
    ------
    FileExistsError
        If there is one and the run is not to be resumed.
    ValueError
        If the one that is there is of another image, model or other settings.
    """
    path, facts = folder / FACTS, {"layout_of_files": LAYOUT, **facts}
    if path.exists() and not resume:
        raise FileExistsError(
            f"Expected no unfinished run in {str(folder)!r}, got one; resume it, or delete the "
            "folder."
        )
    if path.exists():
        _check_same(json.loads(path.read_text(encoding="utf-8")), facts, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with overwriting(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _check_same(stored: dict[str, Any], facts: dict[str, Any], folder: Path) -> None:
    changed = differences(stored, facts)
    if changed:
        raise ValueError(
            f"Expected the run that was begun in {str(folder)!r}, got another "
            f"{', '.join(changed)}; give what was given then, or delete the folder."
        )
