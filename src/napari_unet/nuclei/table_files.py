"""The table of nuclei as a file: CSV, or Parquet where pyarrow is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet.images.atomic import overwriting

if TYPE_CHECKING:
    import pandas as pd

PARQUET = ".parquet"
ENDINGS = (".csv", PARQUET)


def check_table_name(path: Path) -> None:
    """Refuse a file that no table can be written to.

    Raises
    ------
    ValueError
        If it ends in neither .csv nor .parquet.
    ImportError
        If it is Parquet and pyarrow is not installed, with how to install it.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(
            f"Expected a table that ends in {' or '.join(ENDINGS)}, got {path}; change the ending."
        )
    if ending == PARQUET and find_spec("pyarrow") is None:
        raise ImportError(
            "Expected pyarrow to be installed, which Parquet needs; install it with "
            'pip install "napari-unet-nuclei[parquet]", or save a .csv file.'
        )


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table without its index, as a whole or not at all.

    Numbers and truth values keep their types in Parquet; a column of anything mixed is text there,
    as it is in CSV.

    Raises
    ------
    ValueError, ImportError
        As `check_table_name`.
    OSError
        If the file cannot be written.
    """
    check_table_name(path)
    with overwriting(path) as temporary:
        if path.suffix.lower() == PARQUET:
            _typed(table).to_parquet(temporary, index=False, engine="pyarrow")
        else:
            table.to_csv(temporary, index=False)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which every column has one type."""
    known = table.infer_objects()
    mixed = [name for name, kind in known.dtypes.items() if kind.kind == "O"]
    return known.astype(dict.fromkeys(mixed, "string"))
