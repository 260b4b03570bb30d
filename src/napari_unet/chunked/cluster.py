"""The steps of a run on the processes of a dask cluster, which decides who does what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from napari_unet.chunked.walk import Run
from napari_unet.images.reasons import reason_of

RETRIES = 3  # of a step whose worker's disk or memory failed


@contextmanager
def on_cluster(address: str | None = None, n_workers: int | None = None) -> Iterator[Run]:
    """Yield what runs steps on a cluster: one that is there, or processes of this computer.

    Where workers have the resource GPU (``dask worker --resources GPU=1``), the network runs on
    these alone. A worker that dies is replaced by the others: what it had not finished is done
    again.

    Parameters
    ----------
    address : str, optional
        Of a dask scheduler, whose workers see the same files under the same names.
    n_workers : int, optional
        How many processes to start on this computer if no address is given.

    Raises
    ------
    ImportError
        If dask.distributed is not installed.
    OSError
        If there is no scheduler at the address.
    """
    try:
        from dask import config
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError(
            "Expected dask.distributed for a cluster, got none; install "
            "'napari-unet-nuclei[distributed]'."
        ) from error
    if address is not None:
        try:
            client = Client(address)
        # It does not answer, or is no address.
        except (OSError, ValueError) as error:
            raise ConnectionError(
                f"Expected a dask scheduler at {address!r}, got none ({reason_of(error)}); start "
                "one with 'dask scheduler', which prints its address, or leave it out."
            ) from error
        with client:
            yield runner(client)
        return
    # In a folder of its own: clusters that share one wait for each other's locks, and leave in it
    # what belonged to a worker that was killed.
    # One task at a time in each process: two would share one network and twice the memory.
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        config.set({"temporary-directory": scratch}),
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield runner(client)


def runner(client: Any) -> Run:
    """Return what runs steps by a client of dask.distributed."""
    from distributed import as_completed

    def run(
        function: Callable[[Any], Any], items: Sequence[Any], *, network: bool = False
    ) -> Iterator[Any]:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        has_gpus = any("GPU" in worker["resources"] for worker in workers)
        resources = {"GPU": 1} if network and has_gpus else None
        futures = client.map(function, items, pure=False, retries=RETRIES, resources=resources)
        for future in as_completed(futures):
            yield future.result()
            future.release()

    return run
