"""How long it takes from moving a slider of "Adjust" until the picture has changed.

    tools/display python benchmarks/adjusting.py --moves 20

Nuclei are drawn, and maps made from their true labels, a little blurred, so that no network has to
run. In a real window the threshold is moved to and fro, and the time is taken until the canvas has
drawn the new labels of the shown plane. Of a stack the time until all planes have followed is told
too. Nothing else may run on the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import napari
import numpy as np
import torch
from qtpy.QtCore import QEventLoop, QTimer
from scipy import ndimage

from napari_unet.images.synthetic import nuclei_field
from napari_unet.learning.targets import border_map, distance_map
from napari_unet.nuclei.confidence import confidence
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.segmentation import SegmentSettings, finish, label_maps
from napari_unet.widgets.results import add_result, draw
from napari_unet.widgets.segmenting import Finished

PLUGIN = "napari-unet-nuclei"
DIAMETER = 20.0
THRESHOLDS = (0.35, 0.45, 0.55, 0.65)


def wait(condition: Callable[[], bool], every: int = 1) -> None:
    """Run Qt's event loop until a condition holds."""
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(every)
    loop.exec()


def drawn_maps(side: int, n_planes: int) -> tuple[np.ndarray, np.ndarray]:
    """Give an image and its maps, of one plane or of many that are alike."""
    pixels, labels = nuclei_field((side, side), n=side * side // 1200, diameter=DIAMETER)
    border = np.asarray(border_map(torch.from_numpy(labels.astype(np.int32))[None]))
    truth = [labels > 0, border.reshape(labels.shape), distance_map(labels)]
    blurred = [ndimage.gaussian_filter(it.astype(np.float32), 1) for it in truth]
    maps = np.rint(255 * np.stack(blurred)).astype(np.uint8)
    if n_planes == 1:
        return pixels, maps
    return np.stack([pixels] * n_planes), np.stack([maps] * n_planes, axis=1)


def adjustable(viewer: napari.Viewer, side: int, n_planes: int, link: str) -> tuple[Any, Any]:
    """Show an image and its result, whose maps the dock keeps; give dock and result."""
    pixels, maps = drawn_maps(side, n_planes)
    axes = "ZYX"[-pixels.ndim :]
    own = InstanceSettings()
    settings = SegmentSettings(diameter=DIAMETER, link=link, instances=own)
    labels = finish(label_maps(maps, axes, settings))
    image = viewer.add_image(pixels, name="field")
    place, facts = (slice(None),) * labels.ndim, {"axes": axes, "settings": asdict(settings)}
    outcome = Finished(
        labels, place, labels.shape, DIAMETER, 0.0, facts, confidence(maps, labels), maps, own
    )
    layer = add_result(viewer, image, outcome, draw(outcome))
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock._adjusting.keep(layer, image, outcome)
    return dock, layer


def moved(viewer: napari.Viewer, dock: Any, layer: Any, n_moves: int) -> tuple[np.ndarray, float]:
    """Move the threshold; give the seconds to each picture, and those until all planes followed."""
    at: dict[str, float] = {}
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    layer.events.set_data.connect(lambda _: at.setdefault("changed", time.perf_counter()))

    def note(_: Any) -> None:
        if "changed" in at:
            at.setdefault("drawn", time.perf_counter())

    canvas.events.draw.connect(note, position="last")
    seconds = []
    for move in range(n_moves):
        at.clear()
        started = time.perf_counter()
        dock.adjust.threshold.value = THRESHOLDS[move % len(THRESHOLDS)]
        wait(lambda: "drawn" in at)
        seconds.append(at["drawn"] - started)
    wait(lambda: dock._adjusting.chosen.is_at_rest)
    return np.array(seconds), time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--sides", type=int, nargs="*", default=[512, 1024, 2048])
    parser.add_argument("--stack-side", type=int, default=512)
    parser.add_argument("--planes", type=int, default=50)
    options = parser.parse_args()
    cases = [(side, 1, "auto") for side in options.sides]
    if options.planes > 1:
        cases += [(options.stack_side, options.planes, link) for link in ("overlap", "volume")]
    print("| pixels | planes | linked by | 50 % ms | 95 % ms | until all followed s |")
    print("|---|---|---|---|---|---|")
    for side, n_planes, link in cases:
        viewer = napari.Viewer()
        dock, layer = adjustable(viewer, side, n_planes, link)
        seconds, until_all = moved(viewer, dock, layer, options.moves)
        middle, late = np.percentile(1000 * seconds, [50, 95])
        kind = link if n_planes > 1 else ""
        print(f"| {side} | {n_planes} | {kind} | {middle:.0f} | {late:.0f} | {until_all:.1f} |")
        viewer.close()


if __name__ == "__main__":
    main()
