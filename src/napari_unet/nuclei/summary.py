"""What a table of nuclei comes to, in one line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_unet.images.spacing import IN_UM
from napari_unet.nuclei.measuring import INDEX_NAMES, Measured, with_unit

UM_PER_MM = IN_UM["mm"]
PIXELS = {2: 1_000, 3: 1_000_000}  # that nuclei are counted on where there is no length
SIZES = {2: "area", 3: "volume"}
POWERS = {2: "²", 3: "³"}


@dataclass(frozen=True)
class Summary:
    """The numbers of an image.

    Attributes
    ----------
    n_nuclei : int
        Rows of the table: in a movie, every nucleus in every frame.
    n_frames : int
        What was measured for itself.
    frames : str
        What that is: "frames", "planes", or both.
    median : float
        Of the areas or volumes; NaN without nuclei.
    median_unit : str
        Such as "µm²".
    density : float
        Nuclei for each unit of a frame.
    density_unit : str
        "mm²" or "mm³", or a number of pixels where there is no length.
    """

    n_nuclei: int
    n_frames: int
    frames: str
    median: float
    median_unit: str
    density: float
    density_unit: str

    @property
    def text(self) -> str:
        """Return the summary in words."""
        size = SIZES[3 if self.median_unit.endswith("³") else 2]
        frames = f" in {self.n_frames} {self.frames}" if self.n_frames > 1 else ""
        count = f"{self.n_nuclei:,} {'nucleus' if self.n_nuclei == 1 else 'nuclei'}{frames}"
        if not self.n_nuclei:
            return count
        median = f"median {size} {readable(self.median)} {self.median_unit}"
        return f"{count}, {median}, {readable(self.density)} per {self.density_unit}"


def summarise(measured: Measured) -> Summary:
    """Return the number of nuclei, their median size and how dense they are."""
    n, ndim = len(measured.table), len(measured.shape)
    sizes = measured.table[with_unit(SIZES[ndim], measured.unit, ndim)] if n else None
    per_frame = n / max(measured.n_frames, 1)
    field = float(np.prod(measured.shape)) / PIXELS[ndim]
    density_unit = f"{PIXELS[ndim]:,} px"
    if measured.unit in IN_UM:
        in_mm = np.array(measured.spacing) * IN_UM[measured.unit] / UM_PER_MM
        field, density_unit = float(np.prod(measured.shape * in_mm)), f"mm{POWERS[ndim]}"
    return Summary(
        n,
        measured.n_frames,
        " and ".join(f"{name}s" for name in INDEX_NAMES.values() if name in measured.table),
        float("nan") if sizes is None else float(sizes.median()),
        f"{measured.unit.replace('um', 'µm')}{POWERS[ndim]}",
        per_frame / field,
        density_unit,
    )


def readable(value: float) -> str:
    """Return a number with three digits that count, and no exponent below a million.

    Examples
    --------
    >>> readable(0.01234), readable(52.34), readable(81234.0)
    ('0.0123', '52.3', '81,234')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
