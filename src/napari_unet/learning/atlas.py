"""All planes of a run in the memory of a graphics card, which then makes its own crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from napari_unet.learning.augment import Augmentation, Batch, Sample, draw_weights
from napari_unet.learning.light import vary_light
from napari_unet.learning.places import random_places


class Atlas:
    """Samples one behind the other in flat tensors, of which all crops of a batch are read at once.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.
    device : torch.device
        Where they are kept, and where the batches are made.
    """

    def __init__(self, samples: Sequence[Sample], device: torch.device) -> None:
        self.device = device
        self.pixels = _flat(samples, device, lambda sample: sample.pixels)
        self.labels = _flat(samples, device, lambda sample: sample.labels)
        self.distance = _flat(samples, device, lambda sample: sample.distance)
        self.known = _flat(samples, device, lambda sample: sample.known)
        sizes = torch.tensor([sample.labels.numel() for sample in samples])
        counts = torch.tensor([sample.pixels.numel() for sample in samples])
        self.starts = (sizes.cumsum(0) - sizes).to(device)
        self.pixel_starts = (counts.cumsum(0) - counts).to(device)
        self.n_channels = (counts // sizes).to(device)
        self.extents = torch.tensor([sample.labels.shape[:0:-1] for sample in samples]).to(device)
        self.diameters = torch.tensor([sample.diameter for sample in samples]).to(device)
        self._samples = samples
        self._weights: dict[float, Tensor] = {}  # by how much more often colour is drawn

    @staticmethod
    def n_bytes(samples: Sequence[Sample]) -> int:
        """Return how much memory the atlas of some samples takes."""
        parts = ((it.pixels, it.labels, it.distance, it.known) for it in samples)
        return sum(part.nbytes for sample in parts for part in sample)

    def random_batch(
        self, size: int, n: int, settings: Augmentation, random: torch.Generator
    ) -> Batch:
        """Return ``n`` random crops of ``size`` pixels a side, as `augment.random_batch` does.

        Parameters
        ----------
        size, n : int
            Side of the crops, in pixels, and their number.
        settings : Augmentation
            What is varied.
        random : torch.Generator
            On the atlas's device. Its state decides everything that is random here.
        """
        chosen = torch.multinomial(self._draw(settings), n, replacement=True, generator=random)
        extents = self.extents[chosen]
        places = random_places(extents.float(), self.diameters[chosen], size, settings, random)
        widths = extents[:, :1, None]
        starts = self.starts[chosen][:, None, None]
        nearest = places.long().minimum((extents - 1)[:, None, None])
        at = starts + nearest[..., 1] * widths + nearest[..., 0]
        labels = self.labels[at]
        corners = _corners(places, extents)
        distance = _interpolated(self.distance, starts, widths, corners) * (labels > 0)
        image = self._image(chosen, extents, widths, corners)
        return Batch(vary_light(image, settings, random), labels, distance, self.known[at].float())

    def _draw(self, settings: Augmentation) -> Tensor:
        """Return how often each plane is drawn against others."""
        if settings.colour not in self._weights:
            weights = draw_weights(self._samples, settings)
            self._weights[settings.colour] = weights.to(self.device)
        return self._weights[settings.colour]

    def _image(
        self, chosen: Tensor, extents: Tensor, widths: Tensor, corners: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Return the pixels of crops, (n, 3, y, x); grey is repeated."""
        area, last = extents.prod(1), self.n_channels[chosen] - 1
        starts = (self.pixel_starts[chosen] + area * last.clamp(max=c) for c in range(3))
        channels = [
            _interpolated(self.pixels, start[:, None, None], widths, corners) for start in starts
        ]
        return torch.stack(channels, dim=1)


def _flat(
    samples: Sequence[Sample], device: torch.device, part: Callable[[Sample], Tensor]
) -> Tensor:
    """Return one part of all samples as one row of numbers."""
    return torch.cat([part(sample).flatten() for sample in samples]).to(device)


def _corners(places: Tensor, extents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two pixels along each axis between whose middles places lie, and how far in.

    Both of the shape (n, y, x, 2); what lies beyond the middle of the outermost pixel counts as
    that pixel.
    """
    last = (extents - 1)[:, None, None]
    inner = (places - 0.5).clamp(min=0).minimum(last)
    first = inner.long()
    both = torch.stack([first, (first + 1).minimum(last)])
    return both, inner - first


def _interpolated(
    values: Tensor, starts: Tensor, widths: Tensor, corners: tuple[Tensor, Tensor]
) -> Tensor:
    """Return values between pixels, (n, y, x) float32, bilinear."""
    (low, high), share = corners
    top, bottom = (starts + rows * widths for rows in (low[..., 1], high[..., 1]))
    upper, lower = (
        values[row + low[..., 0]].float().lerp(values[row + high[..., 0]].float(), share[..., 0])
        for row in (top, bottom)
    )
    return upper.lerp(lower, share[..., 1])
