"""The numbers of a training run for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_unet.learning.history import Log, Row

SCALARS = ("loss", "learning_rate", "score", "waiting")


def tensorboard_log(folder: Path) -> Log:
    """Return a log that TensorBoard shows: loss, learning rate, score and share of waiting.

    Parameters
    ----------
    folder : Path
        One run's own; made if need be. What an earlier run left in it beyond the step that this
        one goes on after is hidden.

    Raises
    ------
    ImportError
        If TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "Expected the package tensorboard for these logs, got none; run "
            'pip install "napari-unet-nuclei[train]".'
        ) from error

    @contextmanager
    def opened(after: int) -> Iterator[Callable[[Row], None]]:
        with SummaryWriter(str(folder), purge_step=after + 1) as writer:

            def take(row: Row) -> None:
                for name in SCALARS:
                    value = getattr(row, name)
                    if value is not None:
                        writer.add_scalar(name, value, row.step)
                writer.flush()

            yield take

    return opened
