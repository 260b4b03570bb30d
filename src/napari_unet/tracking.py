"""The tracks of a movie as files: checked before anything is segmented, written at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari_unet.images.challenge import check_tracks_folder, write_challenge_by_frames
from napari_unet.nuclei.tracks import (
    Movie,
    find_parents,
    lifetimes,
    nuclei_by_frame,
    unbroken_frames,
)


def check_tracks(folder: Path | None, axes: str, *, overwrite: bool = False) -> None:
    """Refuse tracks that could not be written, before anything is segmented.

    Raises
    ------
    ValueError
        If the image is no movie.
    FileExistsError
        If something is in the folder that may not be replaced.
    """
    if folder is None:
        return
    if "T" not in axes:
        raise ValueError(
            f"Expected a movie for tracks, with an axis T, got the axes {axes}; give --axes "
            "if the file does not say which axis is time."
        )
    check_tracks_folder(folder, overwrite=overwrite)


def write_tracks(
    folder: Path, labels: Movie, *, overwrite: bool = False
) -> Iterator[tuple[int, int]]:
    """Write the tracks of a movie as a folder of the Cell Tracking Challenge.

    Nothing is written but by iterating to the end.

    Parameters
    ----------
    folder : Path
        See `napari_unet.images.challenge.write_challenge`.
    labels : array-like of int, shape (t, [z,] y, x)
        In memory or in a file, of which two frames are read at a time.
    overwrite : bool
        Whether existing tracks may be replaced.

    Yields
    ------
    done, total : int
        After every frame: all are read for their nuclei, then for who divides, then written.

    Raises
    ------
    ValueError
        If there are more than 65,535.
    OSError
        If the folder cannot be written.
    """
    n_frames, present = labels.shape[0], []
    for ids in nuclei_by_frame(labels):
        present.append(ids)
        yield len(present), 3 * n_frames
    table = lifetimes(present)
    for frame in find_parents(labels, table):
        yield n_frames + frame + 1, 3 * n_frames
    frames, table = unbroken_frames(labels, present, table)
    for frame in write_challenge_by_frames(folder, frames, table, overwrite=overwrite):
        yield 2 * n_frames + frame + 1, 3 * n_frames
