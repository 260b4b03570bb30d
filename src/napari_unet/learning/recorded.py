"""A loss that a graphics card records once and replays.

To launch its many small kernels one after the other takes longer than they run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from napari_unet.learning.augment import Batch
from napari_unet.learning.fit import Loss, batch_loss
from napari_unet.learning.losses import LossWeights
from napari_unet.network.unet import UNet


def loss_on(device: torch.device) -> Loss:
    """Return the loss of a batch in the way that is fastest on a device."""
    return RecordedLoss() if device.type == "cuda" else batch_loss


class RecordedLoss:
    """A loss as a CUDA graph [1]_, recorded at the first batch and replayed, gradients included.

    Batches of another shape than the first one, and other networks, are computed as usual.

    Parameters
    ----------
    loss : callable
        What is recorded. It must not wait for the card.

    References
    ----------
    .. [1] https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
    """

    def __init__(self, loss: Loss = batch_loss) -> None:
        self.loss = loss
        self._replay: Callable[..., Tensor] | None = None
        self._shape = torch.Size()
        self._network: UNet | None = None

    def __call__(self, network: UNet, batch: Batch, weights: LossWeights) -> Tensor:
        """Return the loss of a network in training on a batch; see `fit.batch_loss`."""
        device = next(network.parameters()).device
        parts = [it.to(device) for it in (batch.image, batch.labels, batch.distance, batch.known)]
        if self._replay is None:
            self._replay = _recorded(_LossOfTensors(network, self.loss, weights), parts)
            self._shape, self._network = batch.image.shape, network
        if batch.image.shape != self._shape or network is not self._network:
            return self.loss(network, batch, weights)
        return self._replay(*parts)


class _LossOfTensors(nn.Module):
    """A network with its loss, from the four parts of a batch to a number."""

    def __init__(self, network: UNet, loss: Loss, weights: LossWeights) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.weights = weights

    def forward(self, image: Tensor, labels: Tensor, distance: Tensor, known: Tensor) -> Tensor:
        """Return the loss."""
        return self.loss(self.network, Batch(image, labels, distance, known), self.weights)


def _recorded(loss: nn.Module, parts: list[Tensor]) -> Callable[..., Tensor]:
    """Return a loss that is replayed; the network's state is as it was before."""
    _expect_another_stream()
    # The trial steps before the recording move the statistics of the batch norms.
    state = [buffer.clone() for buffer in loss.buffers()]
    recorded = torch.cuda.make_graphed_callables(loss, tuple(parts))
    for buffer, before in zip(loss.buffers(), state, strict=True):
        buffer.copy_(before)
    return cast(Callable[..., Tensor], recorded)


def _expect_another_stream() -> None:
    """Keep torch from warning that gradients come from the stream of the recording."""
    warn = getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", None)
    if warn is not None:  # torch 2.6 neither warns nor has this
        warn(False)
