"""The U-Net: contracting path, expanding path, skip connections by concatenation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

NUCLEUS_BORDER_DISTANCE = ("nucleus", "border", "distance")
LARGEST_COUNT = 4096
MOST_LEVELS = 8


@dataclass(frozen=True)
class UNetConfig:
    """Shape of a U-Net; everything that is needed to build it again.

    Parameters
    ----------
    in_channels : int
        Channels of the input image (3: red, green, blue; grey is repeated).
    maps : tuple of str
        Names of the output maps, one sigmoid each.
    filters : tuple of int
        Filters per level from the finest to the bottom; one level fewer poolings.
    dropout : tuple of float
        Dropout probability per level, contracting path first, then the bottom,
        then the expanding path from the bottom up: ``2 * len(filters) - 1`` values.
    batch_norm : bool
        Batch normalisation after every 3x3 convolution.
    stem : int
        Side of the pixel blocks that the first level works on. 1 works on pixels;
        2 folds each 2x2 block into channels (pixel unshuffle) and unfolds the maps at
        the end (pixel shuffle), which spares the costly full-size level [1]_.

    Raises
    ------
    ValueError
        If a value is out of its range, or the dropout does not fit the levels.

    References
    ----------
    .. [1] Shi et al., Real-time single image and video super-resolution using an
       efficient sub-pixel convolutional neural network, CVPR 2016.
    """

    in_channels: int = 3
    maps: tuple[str, ...] = NUCLEUS_BORDER_DISTANCE
    filters: tuple[int, ...] = (32, 64, 128, 256)
    dropout: tuple[float, ...] = (0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0)
    batch_norm: bool = True
    stem: int = 2

    def __post_init__(self) -> None:
        """Refuse what no U-Net can be built from, and what no computer could hold."""
        widths = (self.in_channels, len(self.maps), *self.filters)
        _check_counts("channels, maps and filters", widths, LARGEST_COUNT)
        _check_counts("levels and stem", (len(self.filters), self.stem), MOST_LEVELS)
        n_dropouts = 2 * len(self.filters) - 1
        if len(self.dropout) != n_dropouts:
            raise ValueError(
                f"Expected {n_dropouts} dropout probabilities for {len(self.filters)} levels, got "
                f"{len(self.dropout)}; give one per level of both paths."
            )
        if not all(0 <= p <= 1 for p in self.dropout):
            raise ValueError(
                f"Expected dropout probabilities from 0 to 1, got {self.dropout}; "
                "choose 0 for no dropout."
            )

    @classmethod
    def classic(cls) -> UNetConfig:
        """Return the plain network for 128x128x3 images, one map and 1,941,105 parameters."""
        return cls(
            maps=("nucleus",),
            filters=(16, 32, 64, 128, 256),
            dropout=(0.1, 0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.1, 0.1),
            batch_norm=False,
            stem=1,
        )

    @property
    def multiple(self) -> int:
        """Height and width of the input must be multiples of this, in pixels.

        Examples
        --------
        >>> UNetConfig(filters=(8, 16, 32), dropout=(0.0,) * 5, stem=2).multiple
        8
        """
        return int(self.stem * 2 ** (len(self.filters) - 1))


class DoubleConvolution(nn.Sequential):
    """Two 3x3 convolutions with ReLU, dropout between them."""

    def __init__(self, n_in: int, n_out: int, dropout: float, batch_norm: bool) -> None:
        super().__init__(
            *_convolution(n_in, n_out, batch_norm),
            nn.Dropout(dropout),
            *_convolution(n_out, n_out, batch_norm),
        )


class Expansion(nn.Module):
    """One level up: transposed convolution, concatenation of the skip, two convolutions."""

    def __init__(self, n_in: int, n_out: int, dropout: float, batch_norm: bool) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(n_in, n_out, 2, stride=2)
        self.convolutions = DoubleConvolution(2 * n_out, n_out, dropout, batch_norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map (n, n_in, y, x) and (n, n_out, 2y, 2x) to (n, n_out, 2y, 2x)."""
        joined: Tensor = self.convolutions(torch.cat([skip, self.up(x)], dim=1))
        return joined


class UNet(nn.Module):
    """U-Net of Ronneberger, Fischer and Brox with padded convolutions [1]_.

    The output is *logits*: apply a sigmoid to get the maps. So training can use the
    numerically stable losses, and inference decides on its own precision.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, U-Net: convolutional networks for biomedical image
       segmentation, MICCAI 2015, https://doi.org/10.1007/978-3-319-24574-4_28.
    """

    def __init__(self, config: UNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNetConfig()
        filters, dropout, norm = config.filters, config.dropout, config.batch_norm
        n_levels, n_folded = len(filters), config.stem**2
        widths = (config.in_channels * n_folded, *filters)
        self.fold = nn.PixelUnshuffle(config.stem)
        self.contracting = nn.ModuleList(
            DoubleConvolution(widths[i], widths[i + 1], dropout[i], norm) for i in range(n_levels)
        )
        self.pool = nn.MaxPool2d(2)
        self.expanding = nn.ModuleList(
            Expansion(filters[i + 1], filters[i], dropout[2 * n_levels - 2 - i], norm)
            for i in reversed(range(n_levels - 1))
        )
        self.head = nn.Conv2d(filters[0], len(config.maps) * n_folded, 1)
        self.unfold = nn.PixelShuffle(config.stem)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (n, in_channels, y, x) to logits (n, maps, y, x)."""
        x = self.contracting[0](self.fold(image))
        skips = []
        for level in self.contracting[1:]:
            skips.append(x)
            x = level(self.pool(x))
        for level in self.expanding:
            x = level(x, skips.pop())
        logits: Tensor = self.unfold(self.head(x))
        return logits


def _convolution(n_in: int, n_out: int, batch_norm: bool) -> list[nn.Module]:
    """Return the layers of one 3x3 convolution, He-normal initialised (He et al., ICCV 2015)."""
    layer = nn.Conv2d(n_in, n_out, 3, padding=1, bias=not batch_norm)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return [layer, *([nn.BatchNorm2d(n_out)] if batch_norm else []), nn.ReLU(inplace=True)]


def _check_counts(names: str, counts: tuple[int, ...], largest: int) -> None:
    if not all(isinstance(n, int) and 1 <= n <= largest for n in counts):
        raise ValueError(
            f"Expected {names} to be whole numbers from 1 to {largest}, got {counts}; "
            "choose a network of another size."
        )
