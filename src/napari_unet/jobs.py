"""Which images a work list holds, and what their labels are called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from napari_unet.images.files import TIFF_SUFFIXES, image_files
from napari_unet.images.ome_tiff import first_file
from napari_unet.images.ome_zarr import ZARR_SUFFIX, is_zarr, is_zarr_array, labels_inside

LABELS = "_labels"
ENDING = f"{LABELS}.tif"
ZARR_ENDING = f"{LABELS}.ome.zarr"
OME_ENDINGS = tuple(f".ome{suffix}" for suffix in TIFF_SUFFIXES)
FILE_SUFFIXES = (*TIFF_SUFFIXES, ZARR_SUFFIX)


@dataclass(frozen=True)
class Job:
    """One image file to read, and what to write for it: a label file, and a folder of tracks.

    Of one that has its labels, from a run that was stopped, the tracks alone are written.
    """

    source: Path
    target: Path
    tracks: Path | None = None
    has_labels: bool = False


def find_inputs(paths: Iterable[Path]) -> list[Path]:
    """Return the image files that paths stand for, each once.

    Label files as :func:`choose_outputs` names them are left out: those in a folder, and those
    named together with their image, as ``*.tif`` does in a shell. So are files that go on with the
    image of another one, as an OME-TIFF over several files has them. A path without any image stays
    in the list, for :func:`napari_unet.batch.read_input` to say what is wrong with it.

    Parameters
    ----------
    paths : iterable of Path
        Files, and folders whose own files and OME-Zarr images are taken.
    """
    found = {file: None for path in paths for file in files_at(path)}
    unique = list({os.path.realpath(file): file for file in found}.values())
    images = {(file.parent, stem_of(file)) for file in unique}
    return [
        file
        for file in unique
        if not is_label_file(file) or (file.parent, stem_of(file)[: -len(LABELS)]) not in images
        if not _goes_on(file, found)
    ]


def _goes_on(file: Path, files: Container[Path]) -> bool:
    """Tell whether a file's image begins in another one of some files."""
    if not file.name.lower().endswith(OME_ENDINGS):
        return False
    first = first_file(file)
    return first != file and first in files


def files_at(path: Path) -> list[Path]:
    """Return the images in a folder, or the path itself if it is none or holds none."""
    if not path.is_dir() or is_zarr(path):
        return [path]
    return [file for file in images_in(path) if not is_label_file(file)] or [path]


def images_in(folder: Path) -> list[Path]:
    """Return the sorted image files, OME-Zarr and label files in a folder, without hidden ones."""
    zarrs = (it for it in folder.iterdir() if it.is_dir() and is_zarr(it) and it.name[0] != ".")
    return sorted([*image_files(folder), *zarrs])


def is_label_file(path: Path) -> bool:
    """Tell whether a file bears the name of labels that a run has written."""
    return path.name.lower().endswith((ENDING, ZARR_ENDING))


def stem_of(path: Path) -> str:
    """Return a file's name without its ending, of which ".ome" is a part.

    Examples
    --------
    >>> stem_of(Path("plate7/a01.ome.tif")), stem_of(Path("a.b.png"))
    ('a01', 'a.b')
    """
    return path.stem[:-4] if path.stem.lower().endswith(".ome") else path.stem


def choose_outputs(inputs: Sequence[Path], folder: Path | None = None) -> list[Job]:
    """Return a label file of its own for every input: ``<stem>_labels.tif``.

    Labels of OME-Zarr images are OME-Zarr themselves, inside the image if no folder is given; those
    of a Zarr array by itself are beside it. A ``folder`` whose name ends in .tif or .zarr is the
    label file of the one input.

    Inputs that would share it get longer names, the first of these that tells them apart:
    with the ending (``a_png_labels.tif``), with the folder (``plate7_a_labels.tif``), with both,
    with a number. No output is one of the inputs.

    Parameters
    ----------
    inputs : sequence of Path
        Image files.
    folder : Path, optional
        Where the labels go; beside each image if not given.

    Raises
    ------
    ValueError
        If one label file is named for several images.
    """
    if folder is not None and folder.suffix.lower() in FILE_SUFFIXES:
        if len(inputs) != 1:
            raise ValueError(
                f"Expected one image for the label file {folder}, got {len(inputs)}; name a folder "
                "for them."
            )
        return [Job(inputs[0], folder)]
    wanted = Counter(
        (level, identity(target))
        for source in inputs
        for level, target in enumerate(targets(source, folder))
    )
    taken = {identity(source) for source in inputs}
    jobs = []
    for source in inputs:
        free = (
            target
            for level, target in enumerate([*targets(source, folder)])
            if wanted[level, identity(target)] == 1 and identity(target) not in taken
        )
        target = next(free, None) or numbered(source, folder, taken)
        taken.add(identity(target))
        jobs.append(Job(source, target))
    return jobs


def targets(source: Path, folder: Path | None) -> list[Path]:
    """Return the names that the labels of an image may have, the shortest first."""
    stem, parent = stem_of(source), source.absolute().parent.name
    ending = source.name[len(stem) + 1 :].replace(".", "_")
    stems = (stem, f"{stem}_{ending}", f"{parent}_{stem}", f"{parent}_{stem}_{ending}")
    if is_zarr(source):
        inside = [] if folder or is_zarr_array(source) else [labels_inside(source)]
        return inside + [(folder or source.parent) / f"{name}{ZARR_ENDING}" for name in stems]
    return [(folder or source.parent) / f"{name}{ENDING}" for name in stems]


def numbered(source: Path, folder: Path | None, taken: set[str]) -> Path:
    """Return a free name with a number, for images that no other name tells apart."""
    place, stem = folder or source.parent, stem_of(source)
    names = (place / f"{stem}_{number}{ENDING}" for number in count(2))
    return next(path for path in names if identity(path) not in taken)


def identity(path: Path) -> str:
    """Return what two paths share that may be one file: many file systems ignore case."""
    return os.path.realpath(path).casefold()
