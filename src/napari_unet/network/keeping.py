"""The user's own models: kept under a name, renamed, deleted and brought back, exported, imported.

The name of a model is that of its file. Renaming one moves the file and changes nothing in it, so
that its SHA-256 stays, by which the models that were tuned from it know their parent.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet.images.atomic import move_to_new, overwriting
from napari_unet.network import SUFFIX
from napari_unet.network.files import check_name, check_new, file_hash, known_hash
from napari_unet.network.library import (
    BUILT_INS,
    ModelFile,
    find_model,
    list_models,
    load_file,
    models_folder,
)
from napari_unet.network.packages import MODEL, PACKAGE, Package, unpack_model

if TYPE_CHECKING:
    from napari_unet.network.onnx_model import AnyModel

UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # in the names of files, on one system or another
RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?", re.IGNORECASE)  # on Windows
LONGEST_NAME = 200  # bytes; file systems allow 255, with endings and what tells temporary files
VERSION = re.compile(r"(.*?)(?: v(\d+))?", re.DOTALL)
TRASH = "trash"
MOST_IN_TRASH = 20  # models; older ones are removed for good


def free_name(parent: str, taken: Collection[str]) -> str:
    """Return a parent's name with the next version that no model has.

    Examples
    --------
    >>> free_name("nuclei", ["nuclei"])
    'nuclei v1'
    >>> free_name("nuclei v1", ["nuclei", "nuclei v1", "nuclei v4"])
    'nuclei v5'
    """
    stem, version = _parts(parent)
    versions = [number for name, number in map(_parts, taken) if name.lower() == stem.lower()]
    return f"{stem} v{max([version, *versions]) + 1}"


def file_for(name: str, folder: Path) -> Path:
    """Return the new file of a model in a folder.

    Raises
    ------
    ValueError
        If the name cannot be that of a file, or is taken.
    """
    path = _path_for(name, folder)
    if path.exists():
        raise _taken(path.stem)
    return path


def keep(model: AnyModel, name: str) -> Path:
    """Save a new model among the user's own, and return its file.

    Parameters
    ----------
    model : AnyModel
        Stays as it is.
    name : str
        Of the new model and its file.

    Raises
    ------
    ValueError
        If the name is not one, or taken.
    OSError
        If the file cannot be written.
    """
    path = file_for(name, _made(models_folder()))
    return replace(model, card=replace(model.card, name=path.stem)).save(path)


def rename(old: str, new: str) -> Path:
    """Give one of the user's models another name, and return its file.

    Raises
    ------
    ValueError
        If there is no such model, it is a built-in one, or the new name is not one or taken.
    OSError
        If the file cannot be moved.
    """
    path = _own(old, "renamed").path
    target = _path_for(new, path.parent)
    # Where "Mine" and "mine" are one file, it may change from one to the other.
    if target.exists() and not target.samefile(path):
        raise _taken(target.stem)
    return path.rename(target) if target.exists() else move_to_new(path, target)


def delete(name: str) -> Path:
    """Move one of the user's models into the trash, and return its file there.

    Its children stay, and know it again by its hash when it is restored.

    Raises
    ------
    ValueError
        If there is no such model, or it is a built-in one.
    OSError
        If the file cannot be moved.
    """
    path = _own(name, "deleted").path
    folder = _made(_trash() / str(time.time_ns()))
    trashed = Path(shutil.move(path, folder / path.name))
    for old in list_deleted()[MOST_IN_TRASH:]:
        old.path.unlink(missing_ok=True)
        _remove_folder(old.path.parent)
    return trashed


def list_deleted() -> list[ModelFile]:
    """Return the models in the trash, the one that was deleted last first."""
    files = [path for path in _trash().glob(f"*/*{SUFFIX}") if path.parent.name.isdecimal()]
    files.sort(key=lambda path: int(path.parent.name), reverse=True)
    return [ModelFile(path.stem, path, built_in=False) for path in files]


def restore(model: str | Path) -> Path:
    """Bring a deleted model back under its name, and return its file.

    Parameters
    ----------
    model : str or Path
        Its name (of several the one that was deleted last), or the file that `delete` returned.

    Raises
    ------
    ValueError
        If there is no such model in the trash, or its name is taken by now.
    OSError
        If the file cannot be moved.
    """
    deleted = list_deleted()
    found = [file.path for file in deleted if model in (file.name, file.path)]
    if not found:
        names = ", ".join(dict.fromkeys(file.name for file in deleted))
        raise ValueError(
            f"Expected a deleted model, got {str(model)!r}; "
            + (f"choose one of {names}." if names else "none is in the trash.")
        )
    path = _made(models_folder()) / found[0].name
    if path.exists():
        raise ValueError(
            f"Expected the name {path.stem!r} to be free, got a model of that name; rename that "
            "one first."
        )
    restored = move_to_new(found[0], path)
    _remove_folder(found[0].parent)
    return restored


def export(model: str | Path, path: Path, *, overwrite: bool = False) -> Path:
    """Copy a model to a file or into a folder, and return the copy.

    Raises
    ------
    ValueError
        If there is no such model, or the copy's name has another ending.
    FileExistsError
        If the file is there and `overwrite` is not set.
    OSError
        If it cannot be written.
    """
    source = find_model(model).path
    path = path / source.name if path.is_dir() else path
    check_name(path)
    check_new(path, overwrite=overwrite)
    with overwriting(path, is_new=not overwrite) as temporary:
        shutil.copyfile(source, temporary)
    return path


def import_model(path: Path, name: str | None = None, diameter: float | None = None) -> Path:
    """Take a model in among the user's own, and return its file.

    Parameters
    ----------
    path : Path
        A file of this plugin, or a package of the BioImage Model Zoo, a zip or a folder. The
        model is loaded and checked as a whole, and the file stays where it is.
    name : str, optional
        A new name; that of the file if not given, with a version where it is taken.
    diameter : float, optional
        Of the nuclei that the network of another program knows best, in pixels; measured on the
        package's test image if not given. A model of this plugin has its own.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no model that can be used, one that is there already, or the name is not one or
        taken.
    ImportError
        If it is a network of another program, and the libraries that run it are not installed.
    OSError
        If the copy cannot be written.
    """
    path = Path(path).resolve() if Path(path).is_dir() else Path(path)
    if path.suffix.lower() != PACKAGE and not path.is_dir():
        return _take_in(path, name)
    with tempfile.TemporaryDirectory() as folder:
        return _take_in(_unpacked(path, Path(folder), diameter), name, shown=path.name)


def _unpacked(path: Path, folder: Path, diameter: float | None) -> Path:
    """Write the model in a package to a file in a folder, and return that."""
    package = Package(path)
    if _is_own_package(package):
        return unpack_model(path, folder)
    # Torch comes with it.
    from napari_unet.network.taking_in import model_of_package

    return model_of_package(package, diameter).save(folder / f"{package.stem}{SUFFIX}")


def _is_own_package(package: Package) -> bool:
    """Tell whether napari-unet has written a package, or nothing is known of it."""
    try:
        return MODEL in package.names()
    except ValueError:
        return True


def _take_in(path: Path, name: str | None, shown: str | None = None) -> Path:
    """Copy a model file among the user's own; errors call it by its name, or as it is shown."""
    files = list_models()
    checked = load_file(path, "cpu", shown=shown)
    shown = shown or path.name
    if twins := [file.name for file in files if known_hash(file.path) == checked.sha256]:
        raise ValueError(
            f"Expected a new model, got {shown!r}, which is here already as {twins[0]!r}; use that "
            "one."
        )
    taken = [file.name for file in files]
    is_taken = path.stem.lower() in map(str.lower, taken)
    name = name or (free_name(path.stem, taken) if is_taken else path.stem)
    target = file_for(name, _made(models_folder()))
    with overwriting(target, is_new=True) as temporary:
        shutil.copyfile(path, temporary)
        if file_hash(temporary) != checked.sha256:
            raise ValueError(
                f"Expected {shown!r} to stay as it is while it is copied, got other content; "
                "try again."
            )
    return target


def _own(name: str, done: str) -> ModelFile:
    """Return one of the user's own models, to which something is to be done."""
    own = {file.name: file for file in list_models() if not file.built_in}
    if name in BUILT_INS:
        raise ValueError(
            f"Expected one of your own models, got the built-in {name!r}, which cannot be {done}; "
            "choose another."
        )
    if name not in own:
        names = f"choose one of {', '.join(own)}." if own else "there is none yet."
        raise ValueError(f"Expected one of your models, got the unknown name {name!r}; {names}")
    return own[name]


def _path_for(name: str, folder: Path) -> Path:
    """Return the file of a model in a folder, which may be there, if its name can be one."""
    stem = name.strip().removesuffix(SUFFIX)
    n_bytes = len(stem.encode("utf-8", "surrogatepass"))
    if n_bytes > LONGEST_NAME:
        raise ValueError(
            f"Expected a shorter name, got one of {len(stem)} letters; choose another."
        )
    is_odd = stem.startswith(".") or stem.endswith(".") or RESERVED.fullmatch(stem)
    if not stem or is_odd or UNFIT.search(stem):
        raise ValueError(
            f"Expected a name that a file can have on every system, got {name!r}; choose letters, "
            "digits, spaces and hyphens."
        )
    path = folder / f"{stem}{SUFFIX}"
    if stem.lower() in BUILT_INS or ".checkpoint" in path.suffixes:
        raise _taken(stem)
    return path


def _taken(name: str) -> ValueError:
    return ValueError(f"Expected a new name, got {name!r}, which is taken; choose another.")


def _remove_folder(folder: Path) -> None:
    """Remove a folder of the trash; one in which the system has put files of its own stays."""
    with suppress(OSError):
        folder.rmdir()


def _trash() -> Path:
    return models_folder().parent / TRASH


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _parts(name: str) -> tuple[str, int]:
    """Return a name without its version, and that; 0 where there is none."""
    match = VERSION.fullmatch(name)
    return (match[1], int(match[2] or 0)) if match else (name, 0)
