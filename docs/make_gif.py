"""Make the moving picture at the top of the README: a real window, clicked and painted in.

    tools/display .venv/bin/python docs/make_gif.py

An image whose nuclei the built-in model has never seen the like of is opened, segmented, corrected
with napari's brush, learned from, segmented again, adjusted and measured. Frames are taken of the
screen, so that menus are on them; the arrow is drawn in, and a line below says what is done. Models
and corrections go to a temporary folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import matplotlib
import napari
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import tifffile
from make_finetune_picture import FOUND, N_PAINTED, rims
from make_pictures import FOLDER, LONGEST_RUN, wait
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QGuiApplication, QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMenu, QWidget
from scipy.ndimage import distance_transform_edt

from napari_unet.nuclei.metrics import overlaps

WINDOW = (1100, 700)
SIZE = (820, 522)  # of the window in the picture, px
STRIP = 36  # px below it, for what is done
SETTLE = 300  # ms, for the canvas to be drawn
N_COLOURS = 56
STEPS, STEP = 4, 50  # of the arrow on its way, and ms of each
SECONDS = 180.0  # of learning
EVERY = 12_000  # ms between frames while it learns
ARROW = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))
PLAIN, LEFT = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
CORE = 0.7  # of the depth of a nucleus: where the middle of the brush goes
FASTER_AFTER = 2  # nuclei are painted stroke by stroke; the others are shown when painted


class Film:
    """Frames of the screen, with an arrow and a line of text."""

    def __init__(self) -> None:
        self.frames: list[PIL.Image.Image] = []
        self.times: list[int] = []  # ms
        self.arrow = QPointF(WINDOW[0] / 2, WINDOW[1] / 2)
        self.text = ""
        path = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
        self._font = PIL.ImageFont.truetype(str(path), 18)

    def take(self, milliseconds: int) -> None:
        """Add what the screen shows now."""
        frame = PIL.Image.new("RGB", (SIZE[0], SIZE[1] + STRIP), "#10141c")
        frame.paste(screen().resize(SIZE, PIL.Image.Resampling.LANCZOS))
        draw = PIL.ImageDraw.Draw(frame)
        draw.text((12, SIZE[1] + 8), self.text, "white", self._font)
        x, y = self.arrow.x() * SIZE[0] / WINDOW[0], self.arrow.y() * SIZE[1] / WINDOW[1]
        draw.polygon([(x + dx, y + dy) for dx, dy in ARROW], "white", "black")
        self.frames.append(frame)
        self.times.append(milliseconds)

    def hold(self, text: str, milliseconds: int) -> None:
        """Say something, let the window be drawn, and show it for a while."""
        self.text = text
        QTest.qWait(SETTLE)
        self.take(milliseconds)

    def go(self, place: QPoint) -> None:
        """Move the arrow to a place on the screen."""
        start = self.arrow
        for step in range(1, STEPS + 1):
            self.arrow = start + (QPointF(place) - start) * (step / STEPS)
            self.take(STEP)

    def click(self, widget: QWidget) -> None:
        """Click the middle of a widget."""
        self.go(widget.mapToGlobal(widget.rect().center()))
        QTest.mouseClick(widget, LEFT, PLAIN, widget.rect().center())
        QTest.qWait(SETTLE)
        self.take(200)

    def write(self, path: Path) -> None:
        """Write a GIF that goes round, in one set of colours: little changes between frames."""
        sample = self.frames[:: max(1, len(self.frames) // 12)]
        together = PIL.Image.fromarray(np.hstack([np.asarray(frame)[::2, ::2] for frame in sample]))
        colours = together.quantize(N_COLOURS, PIL.Image.Quantize.MAXCOVERAGE, kmeans=1)
        plain = PIL.Image.Dither.NONE
        first, *rest = (frame.quantize(palette=colours, dither=plain) for frame in self.frames)
        first.save(
            path, save_all=True, append_images=rest, duration=self.times, loop=0, optimize=False
        )
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, {sum(self.times) / 1000:.0f} s")


def screen() -> PIL.Image.Image:
    """Return the part of the screen that the window is on, with menus that lie on it."""
    grabbed = QGuiApplication.primaryScreen().grabWindow(0, 0, 0, *WINDOW)
    image = grabbed.toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    path = str(Path(tempfile.gettempdir(), f"frame_{os.getpid()}.bmp"))
    image.save(path)
    with PIL.Image.open(path) as frame:
        return frame.convert("RGB")


class Scene:
    """A window in which the steps are done, and the film of them."""

    def __init__(self, folder: Path) -> None:
        pixels, self.truth = rims()
        tifffile.imwrite(folder / "rims.tif", pixels)
        self.film, self.viewer = Film(), napari.Viewer()
        self.window = self.viewer.window._qt_window
        self.window.setGeometry(0, 0, *WINDOW)
        self.viewer.open(folder / "rims.tif")
        self.viewer.reset_view()

    def dock(self, name: str) -> Any:
        """Give a dock that is open."""
        docks = self.viewer.window.dock_widgets
        return next(dock for title, dock in docks.items() if title.startswith(name))

    @property
    def result(self) -> Any:
        return self.viewer.layers["rims nuclei"]

    def segment(self) -> None:
        self.film.hold("1  Open an image: these nuclei are unlike any that the model knows", 1600)
        self.film.text = "2  Layers > Segment > Segment nuclei"
        self.choose("Layers", "Segment", "Segment nuclei (U-Net nuclei)")
        dock = self.dock("Segment nuclei")
        self.film.hold(self.film.text, 500)
        self.film.click(dock.button.native)
        wait(lambda: dock.button.text == "Segment nuclei", "Segment nuclei")
        self.film.hold("The bright rims were taken for nuclei", 1500)
        self.film.click(dock.correct.native)

    def choose(self, *names: str) -> None:
        """Go through a menu as the mouse does."""
        bar = self.window.menuBar()
        action = named(bar, names[0])
        self.film.go(bar.mapToGlobal(bar.actionGeometry(action).center()))
        bar.setActiveAction(action)
        menu: QMenu = action.menu()
        for name in names[1:]:
            action = named(menu, name)
            QTest.qWait(SETTLE)
            self.film.go(menu.mapToGlobal(menu.actionGeometry(action).center()))
            menu.setActiveAction(action)
            QTest.qWait(SETTLE)
            self.film.take(300)
            last, menu = menu, action.menu()
        QTest.keyClick(last, Qt.Key.Key_Return)

    def paint(self) -> None:
        controls = self.viewer.window._qt_viewer.controls.widgets[self.result]
        self.film.hold(
            "3  Delete what is wrong, and paint nuclei as they are with napari's brush", 600
        )
        self.film.click(controls.paint_button)
        missed = self.missed()
        n_found = int(self.result.data.max())
        for number, label in enumerate(missed):
            mask = self.truth == label
            wrong = np.unique(self.result.data[mask])
            self.delete(wrong[(wrong > 0) & (wrong <= n_found)])
            stroke = Stroke(mask)
            self.result.selected_label = int(self.result.data.max()) + 1
            self.result.brush_size = stroke.size
            self.draw([self.place(at) for at in stroke.path], slowly=number < FASTER_AFTER)
        check_painted(self.result.data, self.truth, missed)

    def delete(self, labels: NDArray[np.integer]) -> None:
        """Delete nuclei, as filling them with 0 does."""
        self.result.data_setitem(np.nonzero(np.isin(self.result.data, labels)), 0)

    def missed(self) -> NDArray[np.int64]:
        """Return the true labels of some nuclei that were not found."""
        best = overlaps(np.asarray(self.result.data), self.truth).max(axis=0).toarray()
        return np.unique(self.truth[self.truth > 0])[best < FOUND][:N_PAINTED]

    def place(self, at: NDArray[np.float64]) -> QPoint:
        """Return where a pixel of the image is on the canvas."""
        canvas = self.viewer.window._qt_viewer.canvas
        origin, end = (
            np.array(canvas._map_canvas2world(p, canvas.view)) for p in ((0, 0), (99, 99))
        )
        y, x = 99 * (at - origin[-2:]) / (end - origin)[-2:]
        return QPoint(round(x), round(y))

    def draw(self, path: list[QPoint], *, slowly: bool) -> None:
        """Draw with the left button pressed."""
        canvas = self.viewer.window._qt_viewer.canvas.native
        self.film.go(canvas.mapToGlobal(path[0])) if slowly else None
        QTest.mousePress(canvas, LEFT, PLAIN, path[0])
        for at in path:
            QTest.mouseMove(canvas, at)
            self.film.arrow = QPointF(canvas.mapToGlobal(at))
            QTest.qWait(20)
            if slowly:
                self.film.take(60)
        QTest.mouseRelease(canvas, LEFT, PLAIN, path[-1])
        QTest.qWait(50)
        self.film.take(120)

    def learn(self) -> None:
        dock = self.dock("Fine-tune on corrections")
        dock.time.value = SECONDS
        wait(lambda: dock.learn.enabled, "what is painted")
        self.film.hold("4  Learn from my corrections", 700)
        self.film.click(dock.learn.native)
        self.result.visible = False
        self.film.text = (
            f"It learns for {SECONDS / 60:.0f} minutes, and the view is redrawn meanwhile"
        )
        for _ in range(int(2 * 1000 * SECONDS) // EVERY):
            QTest.qWait(EVERY)
            if dock._worker is None:
                break
            self.film.take(150)
        wait(lambda: dock._worker is None, "what is learned", LONGEST_RUN)
        self.film.hold("What got better, on nuclei that it did not learn from", 2000)
        self.film.click(dock.keep.native)
        self.film.hold("5  Keep it, and segment again with it", 700)
        self.film.click(dock.segment.native)

    def again(self) -> None:
        dock = self.dock("Segment nuclei")
        self.result.visible = True
        self.film.click(dock.button.native)
        wait(lambda: dock.button.text == "Segment nuclei", "Segment nuclei")
        self.film.hold("What was painted stays, the rest is drawn anew", 1600)

    def adjust(self) -> None:
        dock = self.dock("Segment nuclei")
        adjust = dock.adjust
        self.film.text = "6  Adjust: the result follows the sliders at once"
        adjust.section.expand(animate=False)
        QTest.qWait(SETTLE)
        self.film.go(adjust.threshold.native.mapToGlobal(adjust.threshold.native.rect().center()))
        for value in (0.6, 0.7, 0.8, 0.6, 0.4, 0.5):
            adjust.threshold.value = value
            QTest.qWait(SETTLE)
            self.film.take(300)
        wait(lambda: dock._adjusting.chosen.is_at_rest, "the sliders")
        adjust.section.collapse(animate=False)

    def measure(self) -> None:
        self.film.text = "7  Measure: a table, and a plot in which nuclei are picked"
        self.film.click(self.dock("Segment nuclei").measure.native)
        dock = self.dock("Measure nuclei")
        self.film.click(dock.button.native)
        wait(lambda: dock.button.text == "Measure nuclei", "Measure nuclei")
        dock.x.value, dock.y.value = "area_px", "eccentricity"
        QTest.qWait(SETTLE)
        canvas = dock.plot.native.findChild(FigureCanvasQTAgg)
        start, end = (
            QPoint(canvas.width() * x // 18, canvas.height() * y // 18)
            for x, y in ((10, 2), (17, 14))
        )
        self.film.go(canvas.mapToGlobal(start))
        QTest.mousePress(canvas, LEFT, PLAIN, start)
        QTest.mouseMove(canvas, end)
        self.film.go(canvas.mapToGlobal(end))
        QTest.mouseRelease(canvas, LEFT, PLAIN, end)
        self.film.hold(self.film.text, 2000)


class Stroke:
    """How a nucleus is painted: the size of the brush, and the way of its middle."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        depth = distance_transform_edt(mask)
        core = np.argwhere(depth >= CORE * depth.max()).astype(float)
        spread = core - core.mean(axis=0)
        along = spread @ np.linalg.svd(spread, full_matrices=False)[2][0]
        self.size = 2 * CORE * depth.max()
        self.path = core[np.argsort(along)][:: max(1, len(core) // 12)]


def check_painted(labels: NDArray[Any], truth: NDArray[Any], missed: NDArray[Any]) -> None:
    """End with an error if the brush did not paint what it should."""
    best = overlaps(np.asarray(labels), truth).max(axis=0).toarray()
    found = dict(zip(np.unique(truth[truth > 0]), best, strict=True))
    if any(found[label] < FOUND for label in missed):
        raise SystemExit(f"Painted badly: {[round(found[label], 2) for label in missed]}.")


def named(menu: Any, name: str) -> Any:
    """Return the action of a menu that has a name."""
    return next(each for each in menu.actions() if each.text().replace("&", "") == name)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_UNET_HOME"] = home
        scene = Scene(Path(home))
        for step in (
            scene.segment,
            scene.paint,
            scene.learn,
            scene.again,
            scene.adjust,
            scene.measure,
        ):
            step()
        scene.film.write(FOLDER / "dock.gif")
        scene.viewer.close()


if __name__ == "__main__":
    main()
