"""The U-Net: contracting path, expanding path, skip connections by concatenation."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_unet.network import VARIANTS
from napari_unet.network.config import UNetConfig


class DoubleConvolution(nn.Sequential):
    """Two 3x3 convolutions with ReLU, dropout between them."""

    def __init__(self, n_in: int, n_out: int, dropout: float, batch_norm: bool) -> None:
        super().__init__(
            *convolution(n_in, n_out, batch_norm),
            nn.Dropout(dropout),
            *convolution(n_out, n_out, batch_norm),
        )


class Expansion(nn.Module):
    """One level up: transposed convolution, concatenation of the skips, convolutions."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        dropout: float,
        batch_norm: bool,
        n_skips: int = 1,
        block: type[nn.Module] = DoubleConvolution,
    ) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(n_in, n_out, 2, stride=2)
        self.convolutions = block((n_skips + 1) * n_out, n_out, dropout, batch_norm)

    def forward(self, x: Tensor, *skips: Tensor) -> Tensor:
        """Map (n, n_in, y, x) and skips of (n, n_out, 2y, 2x) to (n, n_out, 2y, 2x)."""
        joined: Tensor = self.convolutions(torch.cat([*skips, self.up(x)], dim=1))
        return joined


class UNet(nn.Module):
    """U-Net of Ronneberger, Fischer and Brox with padded convolutions [1]_.

    The output is *logits*: apply a sigmoid to get the maps. So training can use the
    numerically stable losses, and inference decides on its own precision.

    Parameters
    ----------
    config : UNetConfig, optional
        Of this class's variant.

    Raises
    ------
    ValueError
        If the config is that of another variant.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, U-Net: convolutional networks for biomedical image
       segmentation, MICCAI 2015, https://doi.org/10.1007/978-3-319-24574-4_28.
    """

    variant: ClassVar[str] = VARIANTS[0]
    block: ClassVar[type[nn.Module]] = DoubleConvolution
    expansion: ClassVar[type[Expansion]] = Expansion

    def __init__(self, config: UNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNetConfig(variant=self.variant)
        if config.variant != self.variant:
            raise ValueError(
                f"Expected a config of the variant {self.variant}, got one of {config.variant}; "
                "let build_network choose the class."
            )
        n_folded = config.stem**2
        widths = (config.in_channels * n_folded, *config.filters)
        self.fold = nn.PixelUnshuffle(config.stem)
        self.contracting = nn.ModuleList(
            self.block(widths[i], widths[i + 1], config.dropout[i], config.batch_norm)
            for i in range(len(config.filters))
        )
        self.pool = nn.MaxPool2d(2)
        self.expanding = self._expanding()
        self.head = nn.Conv2d(config.filters[0], len(config.maps) * n_folded, 1)
        self.unfold = nn.PixelShuffle(config.stem)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (n, in_channels, y, x) to logits (n, maps, y, x), the mean of all heads."""
        heads = self.heads(image)
        return heads[0] if len(heads) == 1 else torch.stack(heads).mean(dim=0)

    def heads(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map images to the logits (n, maps, y, x) of every head that is trained: here one."""
        return (self.unfold(self.head(self._expand(self._contract(image)))),)

    def _contract(self, image: Tensor) -> list[Tensor]:
        """Return the features of every level of the contracting path, the finest first."""
        levels = [self.contracting[0](self.fold(image))]
        for level in self.contracting[1:]:
            levels.append(level(self.pool(levels[-1])))
        return levels

    def _expand(self, levels: list[Tensor]) -> Tensor:
        """Return the features (n, filters[0], y, x) at the end of the expanding path."""
        x = levels.pop()
        for level in self.expanding:
            x = level(x, levels.pop())
        return x

    def _expanding(self) -> nn.ModuleList:
        """Return the layers of the expanding path, the coarsest first."""
        return nn.ModuleList(self._rise(i) for i in reversed(range(len(self.config.filters) - 1)))

    def _rise(self, level: int, n_skips: int = 1) -> Expansion:
        """Return the way up to a level (0 is the finest) from the one below it."""
        config = self.config
        n_in, n_out = config.filters[level + 1], config.filters[level]
        dropout = config.dropout[-1 - level]
        return self.expansion(n_in, n_out, dropout, config.batch_norm, n_skips, self.block)


def convolution(n_in: int, n_out: int, batch_norm: bool, side: int = 3) -> list[nn.Module]:
    """Return the layers of one convolution, 3x3, He-normal initialised (He et al., ICCV 2015)."""
    layer = nn.Conv2d(n_in, n_out, side, padding=side // 2, bias=not batch_norm)
    # On the meta device it would draw nothing, and load torch's compiler for that: seconds.
    if not layer.weight.is_meta:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return [layer, *([nn.BatchNorm2d(n_out)] if batch_norm else []), nn.ReLU(inplace=True)]
