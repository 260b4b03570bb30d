"""Walk through the docks in a real window, check each step, and leave a picture of it.

    tools/display .venv/bin/python docs/walk.py [--themes dark light] [--pictures FOLDER]

Preview, segment, adjust, next doubtful nucleus, right, correct, learn, measure, compare, copy,
export: with the stack of the samples, opened from a file, in each theme of napari. Models and
corrections go to a temporary folder. Ends with an error at the first step that does not do what it
should.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import napari
import numpy as np
import PIL.Image
import tifffile
from make_finetune_picture import paint_missed
from make_pictures import FOLDER, PLUGIN, SETTLE, image_layer, wait
from napari.settings import get_settings
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest

from napari_unet.network.library import list_models
from napari_unet.widgets import model_actions
from napari_unet.widgets.copy_menu import COMMAND, METHODS, PYTHON
from napari_unet.widgets.doubt_form import NEXT, RIGHT

WINDOW = (1280, 860)
SAMPLE = "stack"
N_COLOURS = 256  # of a picture: a third of the file
PALETTE = PIL.Image.Quantize.MAXCOVERAGE  # the default joins rare colours, as those of a legend
ZOOM = 3.0  # of the preview, so that a part of the plane is shown
STRICTER = 0.8  # threshold
EXACTLY = 1.0  # IoU: some nuclei are painted as they are drawn in the sample
SECONDS = 30.0  # of learning
LONGEST_LEARNING = 600_000  # ms
LEARNED = "nuclei v1"
COPIES = {METHODS: "U-Net", PYTHON: "import", COMMAND: "napari-unet segment"}
"""What can be copied, and what must be in it."""


class Walk:
    """The docks of a viewer, and the steps through them."""

    def __init__(self, theme: str, folder: Path, pictures: Path) -> None:
        get_settings().appearance.theme = theme
        self.theme, self.number = theme, 0
        self.folder, self.pictures = folder, pictures
        self.viewer = napari.Viewer()
        self.viewer.window.resize(*WINDOW)
        self.viewer.open_sample(PLUGIN, SAMPLE)
        self.image = self.from_file(folder / f"{SAMPLE}.tif")
        self.viewer.layers.selection.active = self.image
        self.dock = self.opened("Segment nuclei")

    def from_file(self, path: Path) -> Any:
        """Put the image of the sample into a file, and open that instead."""
        sample = image_layer(self.viewer)
        tifffile.imwrite(path, sample.data)
        place = {"scale": sample.scale, "units": sample.units, "name": sample.name}
        self.viewer.layers.remove(sample)
        (opened,) = self.viewer.open(path, **place)
        return opened

    def opened(self, name: str) -> Any:
        area, dock = self.viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        area.show()
        area.raise_()
        return dock

    def take(self, step: str) -> None:
        self.number += 1
        QTest.qWait(SETTLE)
        name = f"walk_{self.number}_{step}_{self.theme}.png"
        shot = self.viewer.screenshot(canvas_only=False, flash=False)
        picture = PIL.Image.fromarray(shot[..., :3])
        picture.quantize(N_COLOURS, PALETTE, kmeans=1).save(self.pictures / name)
        print(name)

    def click(self, dock: Any, name: str) -> None:
        """Click the button that starts a dock's work, and wait for its end."""
        dock.button.native.click()
        wait(lambda: dock.button.text == name, name)

    @property
    def result(self) -> Any:
        return self.viewer.layers[f"{self.image.name} nuclei"]

    def preview(self) -> None:
        self.viewer.scene.camera.zoom *= ZOOM
        self.dock.region.value = "this view"
        self.click(self.dock, "Segment nuclei")
        shown = self.result.data[self.viewer.dims.current_step[0]]
        check(shown.any(), "the view has nuclei")
        check(not self.result.data[0].any(), "nothing but the view has nuclei")
        self.take("preview")
        self.viewer.reset_view()

    def segment(self) -> None:
        self.dock.region.value = "everything"
        self.click(self.dock, "Segment nuclei")
        check(len(self.nuclei()) > 10, "the whole stack has nuclei")
        self.take("segment")

    def adjust(self) -> None:
        adjust, before = self.dock.adjust, self.result.data.copy()
        adjust.section.expand(animate=False)
        adjust.threshold.value = STRICTER
        wait(lambda: self.result.data.sum() < before.sum(), "the slider")
        wait(lambda: self.dock._adjusting.chosen.is_at_rest, "all planes")
        self.take("adjust")
        adjust.reset.native.click()
        wait(lambda: np.array_equal(self.result.data, before), "the reset")
        adjust.section.collapse(animate=False)

    def doubt(self) -> None:
        doubt = self.dock.doubts
        doubt.section.expand(animate=False)
        doubt.colour.value = True
        self.press(NEXT)
        wait(lambda: doubt.right.enabled, "the next nucleus")
        self.take("next")
        self.press(RIGHT)
        self.take("right")
        doubt.colour.value = False
        doubt.section.collapse(animate=False)
        self.viewer.reset_view()
        self.viewer.dims.set_current_step(0, self.image.data.shape[0] // 2)

    def press(self, key: str) -> None:
        """Press a key in the canvas."""
        canvas = self.viewer.window._qt_viewer.canvas.native
        canvas.setFocus()
        QTest.keyClick(canvas, key.lower())
        QTest.qWait(SETTLE)

    def correct(self) -> None:
        dock = self.opened("Fine-tune on corrections")
        wait(lambda: dock.counts.value.startswith("1 "), "the nucleus that was called right")
        paint_missed(self.result, self.viewer.layers[f"{SAMPLE} truth"].data, EXACTLY)
        wait(lambda: "reshaped" in dock.counts.value, "what was painted")
        self.take("correct")

    def learn(self) -> None:
        dock = self.opened("Fine-tune on corrections")
        dock.time.value = SECONDS
        dock.learn.native.click()
        wait(lambda: dock.outcome.visible, "what was learned", LONGEST_LEARNING)
        self.take("learn")
        dock.keep.native.click()
        check(any(model.name == LEARNED for model in list_models()), "the new model is listed")

    def measure(self) -> None:
        self.viewer.layers.selection.active = self.result
        dock = self.opened("Measure nuclei")
        self.click(dock, "Measure nuclei")
        check(set(self.nuclei()) <= set(self.result.features["index"]), "every nucleus has a row")
        self.take("measure")

    def compare(self) -> None:
        dock = self.opened("Compare with truth")
        self.click(dock, "Compare")
        check(dock.outcome.visible, "there are scores")
        self.take("compare")

    def copy(self) -> None:
        for kind, words in COPIES.items():
            clipboard = QGuiApplication.clipboard()
            clipboard.clear()
            self.dock.next_steps.copies.copy(kind)
            wait(lambda words=words, c=clipboard: words in c.text(), f"the {kind}")

    def export(self) -> None:
        """Export the new model, and the nuclei for QuPath, which takes no other package."""
        dock = self.opened("Models")
        wait(lambda: any(name == LEARNED for name, _ in dock._items()), "the new model")
        dock.select([LEARNED])
        model, outlines = (
            self.folder / f"{self.theme}.{end}" for end in ("safetensors", "geojson")
        )
        dock._act(partial(model_actions.export, LEARNED, model, overwrite=False))
        wait(model.exists, "the model's file")
        self.take("export")
        self.result.save(str(outlines))
        (read,) = self.viewer.open(outlines, plugin=PLUGIN)
        check(len(np.unique(read.data)) == len(np.unique(self.result.data)), "all nuclei are there")

    def nuclei(self) -> Any:
        return np.setdiff1d(self.result.data, 0)


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"Expected that {what}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--themes", nargs="+", default=["dark", "light"])
    parser.add_argument("--pictures", type=Path, default=FOLDER)
    options = parser.parse_args()
    options.pictures.mkdir(exist_ok=True)
    for theme in options.themes:
        # Each begins as a newcomer does, without models and corrections.
        with tempfile.TemporaryDirectory() as home:
            os.environ["NAPARI_UNET_HOME"] = home
            walk = Walk(theme, Path(home), options.pictures)
            for step in (
                walk.preview,
                walk.segment,
                walk.adjust,
                walk.doubt,
                walk.correct,
                walk.learn,
                walk.measure,
                walk.compare,
                walk.copy,
                walk.export,
            ):
                step()
            walk.viewer.close()


if __name__ == "__main__":
    main()
