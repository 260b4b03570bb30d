"""Why something cannot be read, for a sentence of ours."""

from __future__ import annotations

import re
from pathlib import Path


def reason_of(error: BaseException) -> str:
    r"""Return an error's message on one line and without its last full stop, or else its type.

    Examples
    --------
    >>> reason_of(OSError("It is\n gone.")), reason_of(KeyError())
    ('It is gone', 'KeyError')
    """
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def missing(path: Path) -> str:
    """Return the sentence on a path where nothing is."""
    # A path has lost one of the two slashes of an address.
    is_address = re.match(r"[A-Za-z][A-Za-z0-9]+:/", path.as_posix())
    advice = "download it first" if is_address else "check the path"
    return f"Expected an existing file or folder, got {str(path)!r}; {advice}."
