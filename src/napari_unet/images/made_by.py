"""What labels say of the run that made them: noted in their file, read again, compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tifffile
import zarr

PROGRAM = "napari-unet"
ATTRIBUTE = "napari_unet"  # of a Zarr group
LONGEST_VALUE = 20  # characters; longer ones, as hashes, tell a reader nothing


def software(made_by: Mapping[str, Any] | None) -> str | None:
    """Return what a TIFF file says under Software: the program and how it was run, in ASCII."""
    return None if made_by is None else f"{PROGRAM} {json.dumps(made_by)}"


def read_made_by(path: Path) -> dict[str, Any] | None:
    """Return what labels say of their run; None where they say nothing, or cannot be read.

    Parameters
    ----------
    path : Path
        A TIFF file, or the folder of an OME-Zarr image.
    """
    try:
        found = _in_zarr(path) if path.is_dir() else _in_tiff(path)
    # A damaged file raises whatever its decoder does; it says nothing.
    except Exception:
        return None
    return found if isinstance(found, dict) else None


def _in_tiff(path: Path) -> Any:
    with tifffile.TiffFile(path) as tiff:
        program, _, note = tiff.pages.first.software.partition(" ")
    return json.loads(note) if program == PROGRAM else None


def _in_zarr(path: Path) -> Any:
    return zarr.open_group(path, mode="r").attrs.get(ATTRIBUTE)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what is not the same in two runs, each with its values if these are short.

    Parameters
    ----------
    before, now : mapping
        What makes a run, nested or not, of what JSON can hold.

    Examples
    --------
    >>> differences({"model": "a", "settings": {"diameter": 20}}, {"settings": {"diameter": 25}})
    ['model (a then, not given now)', 'diameter (20 then, 25 now)']
    """
    then, current = dict(_leaves(before)), dict(_leaves(json.loads(json.dumps(now))))
    names = [*then, *(name for name in current if name not in then)]
    changed = [name for name in names if then.get(name) != current.get(name)]
    return [_told(name[-1], then.get(name), current.get(name)) for name in changed]


def _leaves(
    values: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all values that are no mappings, by their names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _told(name: str, before: Any, now: Any) -> str:
    texts = ["not given" if value is None else str(value) for value in (before, now)]
    name = name.replace("_", " ")
    if max(map(len, texts)) > LONGEST_VALUE:
        return name
    return f"{name} ({texts[0]} then, {texts[1]} now)"
