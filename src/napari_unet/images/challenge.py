"""Tracks as a folder of the Cell Tracking Challenge: what trackers and their scores read."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import tifffile
from numpy.typing import NDArray

TABLE = "res_track.txt"
MOST_TRACKS = 2**16 - 1  # masks are uint16
_OWN = re.compile(r"mask\d{3,}\.tif|" + re.escape(TABLE))


def write_challenge(
    folder: str | os.PathLike[str],
    labels: Iterable[NDArray[np.integer]],
    table: NDArray[np.integer],
    *,
    overwrite: bool = False,
) -> None:
    """Write the tracks of a movie as a result of the Cell Tracking Challenge.

    A mask of uint16 for each frame, ``mask000.tif`` and on, and ``res_track.txt`` with a line
    ``L B E P`` for each track: label, first and last frame, label of the parent or 0. Either the
    whole folder is there at the end, or what was there before.

    Parameters
    ----------
    folder : path
        New or empty, or tracks that are there already where these may be overwritten.
    labels : frames of int, ([z,] y, x) each
        Ids up to 65,535 that follow their nuclei; each is in every frame of its track.
    table : array of int, shape (n, 4)
        The lines.
    overwrite : bool
        Whether existing tracks may be replaced.

    Raises
    ------
    FileExistsError
        If something is in the folder that may not be replaced.
    ValueError
        If there are too many tracks.
    """
    for _ in write_challenge_by_frames(folder, labels, table, overwrite=overwrite):
        pass


def write_challenge_by_frames(
    folder: str | os.PathLike[str],
    labels: Iterable[NDArray[np.integer]],
    table: NDArray[np.integer],
    *,
    overwrite: bool = False,
) -> Iterator[int]:
    """Do what `write_challenge` does; yield each frame once its mask is written.

    Who stops before the end leaves what was there before.
    """
    check_tracks_folder(folder, overwrite=overwrite)
    if len(table) and table[:, 0].max() > MOST_TRACKS:
        raise ValueError(
            f"Expected at most {MOST_TRACKS:,} tracks, which is what masks of the Cell Tracking "
            f"Challenge can number, got {int(table[:, 0].max()):,}; write a part of the movie."
        )
    target = Path(folder).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid4().hex}")
    try:
        temporary.mkdir()
        yield from _write(temporary, labels, table)
        _put(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_tracks_folder(folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse a folder of which something would be lost.

    Raises
    ------
    FileExistsError
        If it holds tracks that may not be overwritten, or anything else, or is a file.
    """
    target = Path(folder)
    if not target.exists():
        return
    if not target.is_dir():
        raise FileExistsError(
            f"Expected a folder for the tracks, got the file {target}; choose another name."
        )
    names = [file.name for file in target.iterdir()]
    others = [name for name in names if not _OWN.fullmatch(name)]
    if others:
        raise FileExistsError(
            f"Expected a new folder for the tracks, got {target} with {others[0]!r} in it; choose "
            "another one."
        )
    if names and not overwrite:
        raise FileExistsError(
            f"Expected a new folder for the tracks, got {target} with tracks in it; choose "
            "another one, or --overwrite."
        )


def _write(
    folder: Path, labels: Iterable[NDArray[np.integer]], table: NDArray[np.integer]
) -> Iterator[int]:
    for time, frame in enumerate(labels):
        mask, file = frame.astype(np.uint16), folder / f"mask{time:03d}.tif"
        tifffile.imwrite(file, mask, photometric="minisblack", compression="zlib")
        yield time
    np.savetxt(folder / TABLE, table, fmt="%d")


def _put(new: Path, target: Path) -> None:
    """Rename a folder into its place; what is there goes, or comes back if that fails."""
    if not target.exists():
        new.rename(target)
        return
    old = target.with_name(f".{uuid4().hex}")
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)
