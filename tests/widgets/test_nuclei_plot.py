"""The bars of the histogram, and what a plot does with values that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_unet.widgets.nuclei_plot import MOST_BARS, NucleiPlot, bar_edges


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([], [-0.5, 0.5]),
        ([np.nan, np.inf], [-0.5, 0.5]),
        ([3.0, 3.0], [2.5, 3.5]),
        ([0.0, 1.0, 1.0, 2.0, np.nan], [0, 0.5, 1, 1.5, 2]),
    ],
)
def test_bars_hold_all_finite_values(values: list[float], edges: list[float]) -> None:
    assert bar_edges(np.array(values)).tolist() == edges


def test_a_value_far_away_makes_no_crowd_of_bars() -> None:
    edges = bar_edges(np.array([*range(100), 1e9]))
    assert (len(edges), edges[0], edges[-1]) == (MOST_BARS + 1, 0, 1e9)


@pytest.mark.parametrize("up", [None, np.array([np.nan, np.nan])])
def test_values_that_are_no_numbers_can_be_shown_and_are_never_picked(qtbot: Any, up: Any) -> None:
    from qtpy.QtWidgets import QWidget

    seen: list[Any] = []
    parent = QWidget()
    qtbot.addWidget(parent)
    plot = NucleiPlot(parent, "dark", lambda rows, is_point: seen.append((rows.tolist(), is_point)))
    plot.show_values(np.array([np.nan, np.nan]), up, ("a", "b"))
    plot.show_rows(np.array([0]))
    plot._canvas.draw()
    x, y = plot._axes.transData.transform((0, 0.02))
    event = type("Event", (), {"x": x, "y": y, "button": 1, "inaxes": plot._axes})
    plot._press(event)
    plot._release(event)
    assert seen == [([], False)]
