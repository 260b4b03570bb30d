"""A network as it predicts fastest: batch norm folded into convolutions, weights of one type."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain, pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_unet.network.unet import UNet


def folded(network: UNet, dtype: torch.dtype) -> UNet:
    """Return a copy that gives the same maps in evaluation mode, up to rounding.

    Where a batch normalisation follows a convolution, its scale and shift go into that one's
    weights: one pass less over the features of every convolution.

    Parameters
    ----------
    network : UNet
        Stays as it is.
    dtype : torch.dtype
        Floating-point type of the copy's weights, and of the images that it takes.

    Returns
    -------
    UNet
        In evaluation mode, on the same device, channels last.
    """
    with torch.no_grad():
        copy = deepcopy(network).eval()
        for layers in [layer for layer in copy.modules() if isinstance(layer, nn.Sequential)]:
            for number, (layer, after) in enumerate(pairwise(list(layers))):
                if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                    layers[number] = fuse_conv_bn_eval(layer, after)
                    layers[number + 1] = nn.Identity()
        return copy.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class Folding:
    """Keeps the folded copy of a network until one of its weights changes."""

    def __init__(self) -> None:
        self._kept: tuple[object, UNet] | None = None

    def of(self, network: UNet, dtype: torch.dtype) -> UNet:
        """Return the network's `folded` copy of a type."""
        weights = chain(network.parameters(), network.buffers())
        # Torch counts the changes of each tensor; a tensor that is moved gets another address.
        state = dtype, [(weight.data_ptr(), weight._version) for weight in weights]
        kept = self._kept
        if kept is None or kept[0] != state:
            self._kept = kept = state, folded(network, dtype)
        return kept[1]
