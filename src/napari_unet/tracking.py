"""The tracks of a movie as files: checked before anything is segmented, written at the end."""

from __future__ import annotations

from pathlib import Path

from napari_unet.images.challenge import check_tracks_folder, write_challenge
from napari_unet.nuclei.tracks import Movie, unbroken_frames


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


def write_tracks(folder: Path, labels: Movie, *, overwrite: bool = False) -> None:
    """Write the tracks of a movie as a folder of the Cell Tracking Challenge.

    Parameters
    ----------
    folder : Path
        See `napari_unet.images.challenge.write_challenge`.
    labels : array-like of int, shape (t, [z,] y, x)
        In memory or in a file, of which two frames are read at a time.
    overwrite : bool
        Whether existing tracks may be replaced.

    Raises
    ------
    ValueError
        If there are more than 65,535.
    OSError
        If the folder cannot be written.
    """
    write_challenge(folder, *unbroken_frames(labels), overwrite=overwrite)
