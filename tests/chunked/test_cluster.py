from __future__ import annotations

import sys

import pytest

from napari_unet.chunked.cluster import on_cluster


def test_a_missing_dask_distributed_is_told_with_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    words = r"Expected dask.distributed .* install 'napari-unet-nuclei\[distributed\]'"
    with pytest.raises(ImportError, match=words), on_cluster(n_workers=1):
        pass
