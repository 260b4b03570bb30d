"""Tables on stdout: aligned columns, whole names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

WIDE = 4096  # columns of a file or a pipe, which have no width


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[int] = (0,)
) -> None:
    """Print rows under a header.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of sequence of str
        One text per column.
    left : iterable of int
        The columns that hold words; all others are numbers and stand at the right.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    table = Table(box=None, pad_edge=False)
    words = set(left)
    for number, name in enumerate(header):
        justify: JustifyMethod = "left" if number in words else "right"
        table.add_column(name, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table, crop=False)
