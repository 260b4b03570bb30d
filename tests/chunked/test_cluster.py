from __future__ import annotations

import sys

import pytest
from dask import config

from napari_unet.chunked.cluster import on_cluster


def test_a_missing_dask_distributed_is_told_with_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    words = r"Expected dask.distributed .* install 'napari-unet-nuclei\[distributed\]'"
    with pytest.raises(ImportError, match=words), on_cluster(n_workers=1):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "127.0.0.1:port"])
def test_an_address_without_a_scheduler_is_told(address: str) -> None:
    pytest.importorskip("distributed")  # first, or its defaults go with the block below
    words = f"Expected a dask scheduler at '{address}', got none .*; start one"
    with (
        config.set({"distributed.comm.timeouts.connect": "100 ms"}),
        pytest.raises(ConnectionError, match=words),
        on_cluster(address),
    ):
        pass
