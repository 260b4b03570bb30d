"""Files that are either wholly written or not touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def overwriting(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary file beside `path` that replaces it when the block ends.

    When the block raises, the temporary file is removed and `path` stays as it was.

    Parameters
    ----------
    path : path
        The file to write; its folder must exist.

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
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


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
