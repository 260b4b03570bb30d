"""Which image of an OME-TIFF is the file's own: in a set, each file tells of those in all of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tifffile


def own_series(tiff: tifffile.TiffFile) -> tuple[int, tifffile.TiffPageSeries]:
    """Return number and series of the first image with pixels in the TIFF file itself.

    Raises
    ------
    ValueError
        If a part of it is in a file that is not there, which tifffile would take as black.
    """
    with _silent_about_files():
        series = tiff.series
        own = (n for n, one in enumerate(series) if any(_is_in(page, tiff) for page in one.pages))
        found = next(own, 0)
    if series[found].kind == "ome":
        _check_whole(tiff)
    return found, series[found]


def own_image(tiff: tifffile.TiffFile) -> Mapping[str, Any]:
    """Return what the OME metadata tell of the first image with pixels in the file itself.

    Nothing, if they are in another file.
    """
    root = _root(tiff)
    images = _listed(root.get("Image", []))
    own = (image for image in images if any(_is_own(p, root, tiff) for p in _parts(image)))
    found: Mapping[str, Any] = next(own, images[0] if images else {})
    return found


def first_file(path: Path) -> Path:
    """Return the file that the image of an OME-TIFF begins in: mostly the file itself.

    So it is where the file cannot be read.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            part = next(_parts(own_image(tiff)))
            is_own = _is_own(part, _root(tiff), tiff)
            return path if is_own else path.with_name(part["UUID"]["FileName"])
    # tifffile raises nearly every kind of exception for a broken file; whoever reads it says why.
    except Exception:
        return path


@contextmanager
def _silent_about_files() -> Iterator[None]:
    """Keep back what tifffile logs of files that are not there: they are told of here."""
    logger = logging.getLogger("tifffile")
    logger.addFilter(_is_of_something_else)
    try:
        yield
    finally:
        logger.removeFilter(_is_of_something_else)


def _is_of_something_else(record: logging.LogRecord) -> bool:
    return "OME series failed to read" not in record.getMessage()


def _is_in(page: Any, tiff: tifffile.TiffFile) -> bool:
    return page is not None and page.parent is tiff


def _check_whole(tiff: tifffile.TiffFile) -> None:
    root, folder = _root(tiff), Path(tiff.filehandle.dirname)
    for part in _parts(own_image(tiff)):
        if _is_own(part, root, tiff):
            continue
        name = str(part["UUID"]["FileName"])
        if not (folder / name).is_file():
            raise ValueError(f"the file {name!r} is not beside it, which holds a part of the image")


def _root(tiff: tifffile.TiffFile) -> Mapping[str, Any]:
    root: Mapping[str, Any] = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]
    return root


def _parts(image: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield where the pixels of an image are; nothing told is in the file itself."""
    pixels = _listed(image.get("Pixels", {}))[0]
    yield from _listed(pixels.get("TiffData", {})) or [{}]


def _is_own(part: Mapping[str, Any], root: Mapping[str, Any], tiff: tifffile.TiffFile) -> bool:
    uuid = part.get("UUID") if isinstance(part, Mapping) else None
    if not isinstance(uuid, Mapping) or "FileName" not in uuid:
        return True
    is_named = str(uuid["FileName"]).lower() == tiff.filename.lower()
    return bool(uuid.get("value") == root.get("UUID", "") or is_named)


def _listed(entry: Any) -> list[Any]:
    """Return entries as a list: tifffile gives a single one without."""
    return entry if isinstance(entry, list) else [entry]
