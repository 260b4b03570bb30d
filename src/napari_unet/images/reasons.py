"""Why something cannot be read, for a sentence of ours."""

from __future__ import annotations


def reason_of(error: BaseException) -> str:
    r"""Return an error's message on one line and without its last full stop, or else its type.

    Examples
    --------
    >>> reason_of(OSError("It is\n gone.")), reason_of(KeyError())
    ('It is gone', 'KeyError')
    """
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
