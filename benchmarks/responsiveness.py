"""How fluid napari's window stays while a model learns in the dock, and what that costs.

    tools/display python benchmarks/responsiveness.py --seconds 60

Some nuclei of a drawn field are corrected in a real window, and the real dock learns from them in
Qt's own event loop, where a timer of 10 ms notes the gaps between its ticks. The same fine-tune
then runs for the same time in a plain loop of the same process. A loop that polls
`processEvents` would measure its own polling. Marks are taken a few times whatever the time, which
counts on both sides: where a step takes a second, less than a minute says little, and so does a
machine on which something else runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QTimer

from napari_unet.images.micrograph import SyntheticSettings
from napari_unet.images.synthetic import nuclei_field
from napari_unet.learning.finetune import FineTuneSettings, FineTuning
from napari_unet.network.library import load_model
from napari_unet.widgets.remembering import corrected_crops

PLUGIN = "napari-unet-nuclei"
TICK = 10  # ms
LOOK = SyntheticSettings(photons=60, contrast=2, blur=2.0)


def wait(condition: Callable[[], bool], every: int = 100) -> None:
    """Run Qt's event loop until a condition holds."""
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(every)
    loop.exec()


def corrected_field(side: int, n_corrected: int) -> tuple[napari.Viewer, Any]:
    """Open a field, segment it in its dock, paint nuclei as they are; give viewer and labels."""
    viewer = napari.Viewer()
    pixels, truth = nuclei_field((side, side), n=side * side // 1200, settings=LOOK)
    viewer.add_image(pixels, name="field")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.button.native.click()
    wait(lambda: dock.run.worker is None)
    layer = viewer.layers["field nuclei"]
    for label in np.unique(truth)[1 : n_corrected + 1]:
        mask = truth == label
        layer.data_setitem(np.nonzero(np.isin(layer.data, np.unique(layer.data[mask])[1:])), 0)
        layer.data_setitem(np.nonzero(mask), int(layer.data.max()) + 1)
    return viewer, layer


class Ticks:
    """Notes when a timer of the window ticks."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._timer = QTimer()
        self._timer.timeout.connect(lambda: self.times.append(time.monotonic()))
        self._timer.start(TICK)

    def gaps(self, start: float, end: float) -> np.ndarray:
        """Give the time between ticks of a part of the run, in ms."""
        inside = [at for at in self.times if start <= at <= end]
        return np.array([1000 * (b - a) for a, b in pairwise(inside)])


def learn_in_dock(viewer: napari.Viewer, seconds: float) -> tuple[Any, np.ndarray, float]:
    """Learn in the dock; give what was learned from, the gaps in ms, and steps per second."""
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Fine-tune on corrections")
    dock.time.choices = [("as long as asked", seconds)]
    ticks, marks = Ticks(), {}
    dock.learn.native.click()
    request = dock._request
    dock._worker.yielded.connect(lambda glance: note(marks, glance))
    wait(lambda: dock._worker is None)
    if dock._learned is None:
        raise SystemExit(f"Nothing was learned: {dock.status.value}")
    steps = len(dock._learned.tuned.history)
    dock.discard.native.click()
    duration = marks["compare"] - marks["learn"]
    return request, ticks.gaps(marks["learn"], marks["compare"]), steps / duration


def note(marks: dict[str, float], glance: Any) -> None:
    """Note when a phase was first heard of."""
    if glance.phase != "learn" or glance.loss is not None or glance.mark is not None:
        marks.setdefault(glance.phase, time.monotonic())


def learn_plainly(request: Any, seconds: float) -> float:
    """Run the same fine-tune in a plain loop; give steps per second."""
    model = load_model(request.model, request.device)
    crops = corrected_crops(request, request.painted, model)
    run = FineTuning(model, crops, FineTuneSettings(seconds=seconds))
    started = time.monotonic()
    steps = sum(1 for _ in run.steps())
    return steps / (time.monotonic() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--corrected", type=int, default=10)
    options = parser.parse_args()
    viewer, _ = corrected_field(options.side, options.corrected)
    request, gaps, in_dock = learn_in_dock(viewer, options.seconds)
    plain = learn_plainly(request, options.seconds)
    middle, late = np.percentile(gaps, [50, 99])
    print("| gap 50 % ms | 99 % | longest | steps/s in the dock | plainly | ratio |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {middle:.0f} | {late:.0f} | {gaps.max():.0f} | {in_dock:.2f} | {plain:.2f} | "
        f"{in_dock / plain:.2f} |"
    )
    viewer.close()


if __name__ == "__main__":
    main()
