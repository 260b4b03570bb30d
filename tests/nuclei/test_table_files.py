"""Tables of nuclei in files, and how the documentation reads them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from napari_unet.nuclei.measuring import Task, finish, steps
from napari_unet.nuclei.table_files import check_table_name, write_table

PAGE = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
READ, CONVERT = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def table() -> pd.DataFrame:
    labels = np.zeros((2, 30, 40), np.int32)
    labels[:, 5:15, 5:15] = 3
    labels[1, 20:, 20:30] = 8
    image = np.arange(labels.size, dtype=np.uint16).reshape(labels.shape)
    transform = np.column_stack([np.diag([1.0, 0.5, 0.5]), np.zeros(3)])
    return finish(steps(Task(labels, "TYX", {"": image}, transform, "um"))).table


def test_parquet_has_the_columns_values_and_types_of_the_csv(table, tmp_path):
    for name in ("cells.csv", "cells.parquet"):
        write_table(table, tmp_path / name)
    from_csv = pd.read_csv(tmp_path / "cells.csv")
    from_parquet = pd.read_parquet(tmp_path / "cells.parquet")
    assert [kind.kind for kind in from_parquet.dtypes] == [kind.kind for kind in from_csv.dtypes]
    pd.testing.assert_frame_equal(from_parquet, from_csv, check_dtype=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.csv", "cells.parquet"]


def test_parquet_is_read_without_pandas_too(table, tmp_path):
    write_table(table, tmp_path / "cells.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "cells.parquet")
    assert schema.names == list(table.columns)
    kinds = {name: str(schema.field(name).type) for name in ("label", "area_um2", "touches_rim")}
    assert kinds == {"label": "int32", "area_um2": "double", "touches_rim": "bool"}


def test_columns_of_others_are_text_if_they_are_mixed(tmp_path):
    mixed = pd.DataFrame({"label": [1, 2, 3], "note": ["round", 5, None], "dose": [1.5, None, 2]})
    write_table(mixed, tmp_path / "cells.parquet")
    read = pd.read_parquet(tmp_path / "cells.parquet")
    assert read["note"].tolist()[:2] == ["round", "5"]
    assert read["note"].isna().tolist() == [False, False, True]
    assert read["dose"].dtype == float


def test_another_ending_is_refused(table, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.csv or \.parquet, got .*cells\.xlsx"):
        write_table(table, tmp_path / "cells.xlsx")


def test_without_pyarrow_parquet_is_refused_and_csv_is_not(table, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_unet.nuclei.table_files.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "napari-unet-nuclei\[parquet\]"'):
        check_table_name(Path("cells.parquet"))
    write_table(table, tmp_path / "cells.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["cells.csv"]


@pytest.mark.parametrize("name", ["cells.csv", "cells.parquet"])
def test_the_documentation_parts_measures_from_facts(name, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table(table.assign(dose="high"), tmp_path / name)
    given = (
        READ
        if name == "cells.csv"
        else READ.replace('read_csv("cells.csv")', f'read_parquet("{name}")')
    )
    seen: dict = {}
    exec(given, seen)
    assert list(seen["facts"]) == ["frame", "label", "touches_rim", "dose"]
    assert list(seen["places"]) == ["centroid_y_um", "centroid_x_um"]
    assert len(seen["facts"].columns) + 2 + len(seen["measures"].columns) == len(table.columns) + 1
    assert set(seen["measures"].dtypes) == {np.dtype(float)}
    assert seen["facts"].index.tolist() == ["0", "1", "2"]


def test_the_documentation_makes_an_anndata_of_it(table, tmp_path, monkeypatch):
    anndata = pytest.importorskip("anndata", reason="it may want an older pandas than others do")
    monkeypatch.chdir(tmp_path)
    write_table(table, tmp_path / "cells.csv")
    seen: dict = {}
    exec(READ + CONVERT, seen)
    cells = seen["cells"]
    assert isinstance(cells, anndata.AnnData)
    assert cells.X.shape == (3, len(table.columns) - 5)
    assert cells.obs["label"].tolist() == [3, 3, 8]
    expected = table[["centroid_x_um", "centroid_y_um"]].to_numpy()
    np.testing.assert_allclose(cells.obsm["spatial"], expected)
