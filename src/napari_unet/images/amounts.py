"""Bytes and times as a user reads them."""

from __future__ import annotations


def size_text(n_bytes: float) -> str:
    """Return a number of bytes in a unit that fits.

    Examples
    --------
    >>> size_text(3 << 20), size_text(1.25e9)
    ('3.1 MB', '1.2 GB')
    """
    if n_bytes < 1e6:
        return f"{max(1, round(n_bytes / 1e3))} kB"
    if n_bytes < 9.95e8:
        return f"{n_bytes / 1e6:.0f} MB" if n_bytes >= 9.95e6 else f"{n_bytes / 1e6:.1f} MB"
    return f"{n_bytes / 1e9:.1f} GB"


def time_text(seconds: float) -> str:
    """Return a time in seconds, in minutes from two minutes on, or in hours from two hours on.

    Examples
    --------
    >>> time_text(75.4), time_text(400), time_text(9000)
    ('75 s', '7 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
