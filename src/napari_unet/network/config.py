"""The shape of a network: what its file says of it, and what it is built from (no torch)."""

from __future__ import annotations

from dataclasses import dataclass

from napari_unet.network import VARIANTS

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
    variant : str
        One of `napari_unet.network.VARIANTS`: the U-Net itself, or another network of the
        same levels and filters. `variants.build_network` builds each.

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
    variant: str = VARIANTS[0]

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
        if self.variant not in VARIANTS:
            raise ValueError(
                f"Expected one of {', '.join(VARIANTS)} as the network's variant, got "
                f"{self.variant!r}; choose one of them."
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
    def halo(self) -> tuple[int, int]:
        """Rim (y, x) of the maps that is no good, in pixels: none, where there is a picture."""
        return 0, 0

    @property
    def width(self) -> int:
        """Filters of the first level, on which the memory for a pixel depends."""
        return self.filters[0]

    @property
    def multiple(self) -> int:
        """Height and width of the input must be multiples of this, in pixels.

        Examples
        --------
        >>> UNetConfig(filters=(8, 16, 32), dropout=(0.0,) * 5, stem=2).multiple
        8
        """
        return int(self.stem * 2 ** (len(self.filters) - 1))


def _check_counts(names: str, counts: tuple[int, ...], largest: int) -> None:
    # True is a number to Python, but none to torch.
    if not all(type(n) is int and 1 <= n <= largest for n in counts):
        raise ValueError(
            f"Expected {names} to be whole numbers from 1 to {largest}, got {counts}; "
            "choose a network of another size."
        )
