"""Files that are either wholly written or not touched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

OS_ERROR = re.compile(r"\(os error (\d+)\)")  # as libraries in Rust say it, safetensors for one


@contextmanager
def overwriting(path: str | os.PathLike[str], *, is_new: bool = False) -> Iterator[Path]:
    """Yield a temporary file beside `path` that replaces it when the block ends.

    When the block raises, the temporary file is removed and `path` stays as it was.

    Parameters
    ----------
    path : path
        The file to write; its folder must exist.
    is_new : bool
        Leave a file alone that another program has made by then.

    Yields
    ------
    pathlib.Path
        A hidden, empty file in the same folder, with the same last suffix.

    Raises
    ------
    FileNotFoundError
        When the folder does not exist.
    PermissionError
        When the folder cannot be written.
    FileExistsError
        When the file has to be new and is there at the end of the block.
    OSError
        When the disk is full: whatever the block's writer raises then.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with overwriting(Path(folder) / "note.txt") as temporary:
    ...         n_characters = temporary.write_text("done")
    ...     [file.name for file in Path(folder).iterdir()]
    ['note.txt']
    """
    target = Path(path)
    _check_folder(target)
    temporary = target.with_name(f".{uuid4().hex}{target.suffix}")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        _flush(temporary)
        # Some writers make a file of their own that its owner alone may read.
        temporary.chmod(mode)
        if is_new:
            move_to_new(temporary, target)
        else:
            temporary.replace(target)
    except Exception as error:
        if (code := _system_error(error)) is None:
            raise
        raise OSError(code, os.strerror(code), str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)


def move_to_new(path: Path, target: Path) -> Path:
    """Move a file to a name that no file has, and return that; another program may take it too.

    Raises
    ------
    FileExistsError
        If there is a file of that name.
    """
    try:
        # A rename would replace the other file without a word.
        os.link(path, target)
    except FileExistsError:
        raise FileExistsError(
            f"Expected a new file, got {str(target)!r}, which another program has written "
            "meanwhile; choose another name."
        ) from None
    except OSError:
        return _renamed(path, target)
    path.unlink()
    return target


def _renamed(path: Path, target: Path) -> Path:
    """Move a file where a disk has no second names for files."""
    if target.exists():
        raise FileExistsError(f"Expected a new file, got {str(target)!r}; choose another name.")
    return path.rename(target)


def _system_error(error: Exception) -> int | None:
    """Return the number of a system's error that names no file, or that a library wraps."""
    if isinstance(error, OSError):
        return error.errno if error.filename is None else None
    found = OS_ERROR.search(str(error))
    return int(found[1]) if found else None


def _check_folder(target: Path) -> None:
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"Expected an existing folder for {target.name!r}, got {str(target.parent)!r}; "
            "make the folder first."
        )
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(
            f"Expected a folder that can be written for {target.name!r}, got "
            f"{str(target.parent)!r}; choose another one or change its permissions."
        )


def _flush(path: Path) -> None:
    # Without it a power cut just after the rename can leave an empty file under the final name.
    with path.open("rb+") as file:
        os.fsync(file.fileno())
