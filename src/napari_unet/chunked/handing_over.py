"""The end of a run in blocks: its labels are put in place, its folder goes, whenever it is killed.

Folders cannot replace each other in one step everywhere: what a kill may leave is put right by
`settle`.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from napari_unet.images.ome_zarr import add_to_image, is_zarr

LABELS = "labels.zarr"  # in a run's folder: its labels, before they are put in place
REPLACED = "replaced.zarr"  # and those that were there before; empty if there were none
IS_WHOLE = "whole"  # and an empty file: its labels are whole in one of the target's name, or were


def parts_folder(target: Path) -> Path:
    """Return the hidden folder of an unfinished run.

    Examples
    --------
    >>> parts_folder(Path("out/a.ome.zarr")).name
    '.a.ome.zarr.parts'
    """
    return target.with_name(f".{target.name}.parts")


def hand_over(folder: Path, target: Path) -> None:
    """Put the labels of a run in place of those that are there."""
    replaced = folder / REPLACED
    shutil.rmtree(replaced, ignore_errors=True)
    if target.exists():
        target.rename(replaced)
    else:
        replaced.mkdir()
    (folder / LABELS).rename(target)
    _list(target)


def hand_over_file(folder: Path, target: Path) -> None:
    """Put the labels of a run, in a file of the target's name in its folder, in their place."""
    (folder / IS_WHOLE).touch()
    (folder / target.name).replace(target)


def discard(folder: Path) -> None:
    """Delete the folder of a run that has ended: at once for the next run, however long it takes.

    A folder of which half is deleted would be taken for an unfinished run. One that is in use
    stays until `settle`: the labels are in place, and that is no error.
    """
    ended = _ended(folder)
    with suppress(OSError):
        ended.mkdir(exist_ok=True)
        # There may be others that could not be deleted.
        folder.rename(ended / uuid4().hex)
    shutil.rmtree(ended, ignore_errors=True)


def settle(target: Path) -> None:
    """Put right what a run that was killed while it put its labels in place has left.

    Labels that were moved out of the way are there again, as long as those of the run are not.
    """
    folder = parts_folder(target)
    shutil.rmtree(_ended(folder), ignore_errors=True)
    if (folder / IS_WHOLE).exists():
        _settle_file(folder, target)
    replaced = folder / REPLACED
    if not replaced.is_dir():
        return
    if target.exists():
        if not (folder / LABELS).exists():
            _list(target)
            discard(folder)
    elif any(replaced.iterdir()):
        replaced.rename(target)
    else:
        replaced.rmdir()


def _settle_file(folder: Path, target: Path) -> None:
    """End a run whose file is in its place; otherwise it will be written again."""
    if target.exists() and not (folder / target.name).exists():
        discard(folder)
    else:
        (folder / IS_WHOLE).unlink()


def _ended(folder: Path) -> Path:
    """Return the folder of what is to be deleted."""
    return folder.with_suffix(".ended")


def _list(target: Path) -> None:
    """List labels that are in an image among those."""
    if target.parent.name == "labels" and is_zarr(target.parent.parent):
        add_to_image(target.parent.parent, target.name)
