"""How a command fails: one sentence on stderr and an exit status, never a traceback."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

FILES, USAGE, INTERRUPTED = 1, 2, 130

# What the engine and its libraries raise for bad files, options, memory and missing packages.
FAILURES = (OSError, ValueError, TypeError, MemoryError, RuntimeError, ImportError)


class FailingGroup(TyperGroup):
    """The commands, run so that whatever a user can cause ends in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            stop("Stopped; no file is half written.", INTERRUPTED)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line and leave Python with its exit status."""
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: complain(str(message))
            try:
                status = super().main(*args, **options | {"standalone_mode": False})
            except Exception as error:
                status = report(error)
        sys.exit(status or 0)


def report(error: Exception) -> int:
    """Print what went wrong; return the exit status, or raise again what nobody could cause."""
    # Typer has its own copy of click in newer versions: its errors are known by what they offer.
    if hasattr(error, "format_message"):
        complain(str(error.format_message()))
        return int(getattr(error, "exit_code", USAGE))
    if not isinstance(error, FAILURES):
        raise error
    complain(error)
    return FILES


def complain(problem: str | Exception) -> None:
    """Print one sentence on stderr."""
    text = problem if isinstance(problem, str) else sentence(problem)
    print(f"napari-unet: {text}", file=sys.stderr)


def stop(problem: str | Exception, status: int) -> NoReturn:
    """Print one sentence on stderr and end the command."""
    complain(problem)
    raise typer.Exit(status)


def sentence(error: Exception) -> str:
    """Return an error as one line that names the file where there is one.

    Examples
    --------
    >>> sentence(PermissionError(13, "Permission denied", "a.tif"))
    'a.tif: Permission denied'
    """
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"There is not enough memory ({error}); use a smaller image or another computer."
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def refused() -> Iterator[None]:
    """Take what fails in the block as wrong usage: the user's option cannot be right."""
    try:
        yield
    except (ValueError, TypeError, RuntimeError) as error:
        stop(error, USAGE)
