"""Networks of the U-Net's family, each with what it changes: one or two methods."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_unet.network.config import UNetConfig
from napari_unet.network.unet import Expansion, UNet, convolution

LAYERS_PER_BLOCK = 4


class AttentionGate(nn.Module):
    """Additive attention: how much of a skip passes, decided where the network knows more.

    Parameters
    ----------
    n_skip, n_signal : int
        Channels of the skip, and of the level below that decides.
    """

    def __init__(self, n_skip: int, n_signal: int) -> None:
        super().__init__()
        n_inner = max(1, n_skip // 2)
        self.of_skip = nn.Conv2d(n_skip, n_inner, 2, stride=2, bias=False)
        self.of_signal = nn.Conv2d(n_signal, n_inner, 1)
        self.score = nn.Conv2d(n_inner, 1, 1)

    def forward(self, skip: Tensor, signal: Tensor) -> Tensor:
        """Map (n, n_skip, 2y, 2x) and (n, n_signal, y, x) to (n, n_skip, 2y, 2x)."""
        score = self.score(torch.relu(self.of_skip(skip) + self.of_signal(signal)))
        share = interpolate(score.sigmoid(), scale_factor=2, mode="bilinear")
        return skip * share.to(skip.dtype)


class GatedExpansion(Expansion):
    """One level up, with an attention gate on the skip."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        dropout: float,
        batch_norm: bool,
        n_skips: int,
        block: type[nn.Module],
    ) -> None:
        super().__init__(n_in, n_out, dropout, batch_norm, n_skips, block)
        self.gate = AttentionGate(n_out, n_in)

    def forward(self, x: Tensor, *skips: Tensor) -> Tensor:
        """Map (n, n_in, y, x) and skips of (n, n_out, 2y, 2x) to (n, n_out, 2y, 2x)."""
        return super().forward(x, *(self.gate(skip, x) for skip in skips))


class AttentionUNet(UNet):
    """Attention U-Net: each skip passes a gate that the level below it controls [1]_.

    There the finest skip has no gate; here every skip has one, so that networks of two levels
    have one too. The gates are without batch normalisation, as in the paper's equations.

    References
    ----------
    .. [1] Oktay et al., Attention U-Net: learning where to look for the pancreas, MIDL 2018,
       https://arxiv.org/abs/1804.03999.
    """

    variant = "attention"
    expansion = GatedExpansion


class NestedUNet(UNet):
    """U-Net++: U-Nets of every depth in one, with dense skips between them [1]_.

    Node j of row i, of filters[i] channels, joins all earlier nodes of its row and what comes
    up from node j - 1 of the row below; node 0 is the contracting path. ``expanding`` holds
    one list of nodes for each j from 1 on, its finest row first.

    References
    ----------
    .. [1] Zhou et al., UNet++: a nested U-Net architecture for medical image segmentation,
       DLMIA 2018, https://doi.org/10.1007/978-3-030-00889-5_1; UNet++: redesigning skip
       connections to exploit multiscale features in image segmentation, IEEE Transactions
       on Medical Imaging 39, 2020, https://doi.org/10.1109/TMI.2019.2959609.
    """

    variant = "nested"

    def _expanding(self) -> nn.ModuleList:
        n_levels = len(self.config.filters)
        return nn.ModuleList(
            nn.ModuleList(self._rise(row, n_skips=j) for row in range(n_levels - j))
            for j in range(1, n_levels)
        )

    def _expand(self, levels: list[Tensor]) -> Tensor:
        return self._finest_row(levels)[-1]

    def _finest_row(self, levels: list[Tensor]) -> list[Tensor]:
        """Return the nodes of the finest row: the outputs of U-Nets of 1, 2, ... levels."""
        rows = [[features] for features in levels]
        for nodes in self.expanding:
            # Finest first: the row below then still ends with its node j - 1.
            for row, node in enumerate(nodes.children()):
                rows[row].append(node(rows[row + 1][-1], *rows[row]))
        return rows[0]


class DeepNestedUNet(NestedUNet):
    """U-Net++ with deep supervision: every U-Net in it has a head of its own [1]_.

    All heads are trained, and the result is the mean of their logits: the paper's accurate
    mode, which takes the mean of the maps.

    References
    ----------
    .. [1] As of `NestedUNet`.
    """

    variant = "nested-deep"

    def __init__(self, config: UNetConfig | None = None) -> None:
        super().__init__(config)
        n_heads = max(1, len(self.config.filters) - 1)
        n_in, n_out = self.head.in_channels, self.head.out_channels
        self.early_heads = nn.ModuleList(nn.Conv2d(n_in, n_out, 1) for _ in range(n_heads - 1))

    def heads(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map images to the logits (n, maps, y, x) of each depth, the shallowest first."""
        row = self._finest_row(self._contract(image))
        heads = (*self.early_heads, self.head)
        # Node 0 has seen no other level; it has a head only where there is none.
        return tuple(
            self.unfold(head(node)) for head, node in zip(heads, row[-len(heads) :], strict=True)
        )


class DenseBlock(nn.Module):
    """Convolutions that each see the block's input and the outputs of all before them.

    Each of the four 3x3 convolutions adds a quarter of the block's width; a 1x1 convolution
    then brings input and outputs together to that width.
    """

    def __init__(self, n_in: int, n_out: int, dropout: float, batch_norm: bool) -> None:
        super().__init__()
        growth = max(1, n_out // LAYERS_PER_BLOCK)
        widths = [n_in + i * growth for i in range(LAYERS_PER_BLOCK + 1)]
        self.layers = nn.ModuleList(
            nn.Sequential(*convolution(width, growth, batch_norm), nn.Dropout(dropout))
            for width in widths[:-1]
        )
        self.joined = nn.Sequential(*convolution(widths[-1], n_out, batch_norm, side=1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_in, y, x) to (n, n_out, y, x)."""
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        joined: Tensor = self.joined(x)
        return joined


class DenseUNet(UNet):
    """Dense U-Net: dense blocks [1]_ in place of the pairs of convolutions, as in [2]_ and [3]_.

    The blocks are shallow, of the U-Net's own width and order (convolution, normalisation,
    ReLU), so that the networks compare at equal filters.

    References
    ----------
    .. [1] Huang et al., Densely connected convolutional networks, CVPR 2017,
       https://doi.org/10.1109/CVPR.2017.243.
    .. [2] Jégou et al., The one hundred layers Tiramisu: fully convolutional DenseNets for
       semantic segmentation, CVPR Workshops 2017, https://doi.org/10.1109/CVPRW.2017.156.
    .. [3] Li et al., H-DenseUNet: hybrid densely connected UNet for liver and tumor
       segmentation from CT volumes, IEEE Transactions on Medical Imaging 37, 2018,
       https://doi.org/10.1109/TMI.2018.2845918.
    """

    variant = "dense"
    block = DenseBlock


class NoSkipUNet(UNet):
    """The ablation: a fully convolutional encoder and decoder without skip connections.

    All that reaches the output has passed the bottom, as in the coarsest of the fully
    convolutional networks (FCN-32s) [1]_, here with a decoder that mirrors the encoder as in
    [2]_. That one also carries the places of the maxima across; this one carries nothing.

    References
    ----------
    .. [1] Long, Shelhamer, Darrell, Fully convolutional networks for semantic segmentation,
       CVPR 2015, https://doi.org/10.1109/CVPR.2015.7298965.
    .. [2] Noh, Hong, Han, Learning deconvolution network for semantic segmentation, ICCV 2015,
       https://doi.org/10.1109/ICCV.2015.178.
    """

    variant = "no-skips"

    def _rise(self, level: int, n_skips: int = 0) -> Expansion:
        return super()._rise(level, n_skips)

    def _expand(self, levels: list[Tensor]) -> Tensor:
        x = levels[-1]
        for level in self.expanding:
            x = level(x)
        return x


NETWORKS: dict[str, type[UNet]] = {
    network.variant: network
    for network in (
        UNet,
        AttentionUNet,
        NestedUNet,
        DeepNestedUNet,
        DenseUNet,
        NoSkipUNet,
    )
}


def build_network(config: UNetConfig) -> UNet:
    """Return a new network of the config's variant, its weights random."""
    return NETWORKS[config.variant](config)
