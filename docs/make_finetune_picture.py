"""Make the picture of fine-tuning from the real docks: what is wrong, painted, and learned.

tools/display .venv/bin/python docs/make_finetune_picture.py

The nuclei are drawn as bright rims around dim insides, as the built-in model has never seen them.
Models and corrections go to a temporary folder.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import imageio.v3 as imageio
import napari
import numpy as np
from make_pictures import FOLDER, LONGEST_RUN, PLUGIN, SETTLE, wait
from numpy.typing import NDArray
from qtpy.QtTest import QTest
from scipy.ndimage import distance_transform_edt

from napari_unet.images.micrograph import SyntheticSettings
from napari_unet.images.synthetic import nuclei_field
from napari_unet.nuclei.metrics import overlaps

WINDOW = (700, 610)
SHAPE = (448, 336)  # px, of the drawn field
DIAMETER = 30.0  # px
FEW_TOUCH = SyntheticSettings(touching=0.3)
BRIGHT, DIM, GROUND, NOISE = 90, 8, 30, 8  # grey values: rims, insides, all, and its deviation
RIM, WIDTH = 3.0, 2.0  # px: how deep the rims lie, and how wide they are
N_PAINTED = 12
SECONDS = 60.0
GAP = 8  # px between the pictures
FOUND = 0.5  # least IoU of a nucleus that was found


def rims() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Draw nuclei with bright rims, and their true labels."""
    _, truth = nuclei_field(SHAPE, n=60, diameter=DIAMETER, seed=3, settings=FEW_TOUCH)
    depth = distance_transform_edt(truth > 0)
    rim = np.exp(-(((depth - RIM) / WIDTH) ** 2))
    light = GROUND + (BRIGHT * rim + DIM) * (truth > 0)
    noise = np.random.default_rng(0).normal(0, NOISE, truth.shape)
    return (light + noise).clip(0, 255).astype(np.uint8), truth


def picture(viewer: napari.Viewer) -> NDArray[np.uint8]:
    QTest.qWait(SETTLE)
    return viewer.screenshot(canvas_only=False, flash=False)[..., :3]


def paint_missed(labels: Any, truth: NDArray[np.int32], found: float = FOUND) -> None:
    """Paint some of the nuclei that overlap less with what was found, over whatever lies there."""
    best = overlaps(np.asarray(labels.data), truth).max(axis=0).toarray()
    for label in np.unique(truth[truth > 0])[best < found][:N_PAINTED]:
        mask = truth == label
        for wrong in np.setdiff1d(labels.data[mask], [0]):
            labels.data_setitem(np.nonzero(labels.data == wrong), 0)
        labels.data_setitem(np.nonzero(mask), int(labels.data.max()) + 1)


def segmented(pixels: NDArray[np.uint8]) -> napari.Viewer:
    """Open an image in a window without lists, and segment it."""
    viewer = napari.Viewer()
    viewer.window.resize(*WINDOW)
    for side in (
        viewer.window._qt_viewer.dockLayerList,
        viewer.window._qt_viewer.dockLayerControls,
    ):
        side.setVisible(False)
    viewer.add_image(pixels, name="rims")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    dock.button.native.click()
    wait(lambda: dock.button.text == "Segment nuclei", "Segment nuclei")
    viewer.window.remove_dock_widget(dock.native)
    return viewer


def strip() -> NDArray[np.uint8]:
    """Give the three pictures side by side."""
    pixels, truth = rims()
    viewer = segmented(pixels)
    labels = viewer.layers["rims nuclei"]
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Fine-tune on corrections")
    viewer.reset_view()
    pictures = [picture(viewer)]
    paint_missed(labels, truth)
    pictures.append(picture(viewer))
    dock.time.value = SECONDS
    wait(lambda: dock.learn.enabled, "what is painted")
    dock.learn.native.click()
    labels.visible = False
    longest = LONGEST_RUN + int(4000 * SECONDS)
    wait(lambda: dock._worker is None, "what is learned", longest)
    pictures.append(picture(viewer))
    dock.discard.native.click()
    viewer.close()
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([pictures[0], gap, pictures[1], gap, pictures[2]])


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_UNET_HOME"] = home
        imageio.imwrite(FOLDER / "finetune.png", strip())


if __name__ == "__main__":
    main()
