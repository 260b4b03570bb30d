"""How much, as a user reads it."""

from __future__ import annotations

import pytest

from napari_unet.images.amounts import size_text, time_text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(10, "1 kB"), (2_500_000, "2.5 MB"), (9_960_000, "10 MB"), (996_000_000, "1.0 GB")],
)
def test_sizes_are_told_in_units_that_fit(n_bytes: int, text: str) -> None:
    assert size_text(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h")],
)
def test_a_unit_of_time_is_used_from_two_of_it_on(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
