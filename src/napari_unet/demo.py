"""The first minute: the built-in sample, segmented, measured, drawn and timed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from napari_unet.api import model_settings
from napari_unet.images.atomic import overwriting
from napari_unet.images.files import write_labels
from napari_unet.images.intensity import limits, normalise
from napari_unet.images.synthetic import nuclei_field
from napari_unet.network.onnx_model import AnyModel
from napari_unet.nuclei.measure import measure
from napari_unet.nuclei.table_files import write_table
from napari_unet.segmentation import STEPS as WALK_STEPS
from napari_unet.segmentation import Progress, finish, segment

SHAPE = (512, 512)  # pixels
N_NUCLEI = 150
ZOOM = 2  # of the drawing, so that an outline hides little of a nucleus
YELLOW = (255, 221, 0)
FILES = ("overlay.png", "labels.tif", "nuclei.csv")
STEPS = {"sample": "making the sample", **WALK_STEPS, "files": "writing the files"}


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Parameters
    ----------
    image : (y, x) uint16
        The sample.
    labels : (y, x) int32
        The nuclei found in it.
    n_true : int
        The nuclei drawn in it.
    seconds : dict of str to float
        How long each step took, in the order of :data:`STEPS`.
    files : tuple of Path
        What was written.
    """

    image: NDArray[np.uint16]
    labels: NDArray[np.int32]
    n_true: int
    seconds: dict[str, float]
    files: tuple[Path, ...]

    @property
    def n_nuclei(self) -> int:
        """Number of nuclei found."""
        return int(self.labels.max(initial=0))


def run_demo(
    folder: Path,
    load: Callable[[], AnyModel],
    shape: tuple[int, int] = SHAPE,
    n: int = N_NUCLEI,
    progress: Callable[[Progress], None] = lambda step: None,
) -> DemoResult:
    """Segment the sample and write its picture, labels and table; earlier ones are replaced.

    Parameters
    ----------
    folder : Path
        Gets ``overlay.png``, ``labels.tif`` and ``nuclei.csv``; made if it is not there.
    load : callable
        Gives the model; called here to be timed.
    shape : (int, int)
        Shape of the sample, in pixels.
    n : int
        Nuclei to draw in it.
    progress : callable
        Called with every step of the walk.

    Raises
    ------
    ValueError, OSError
        If the folder holds other files of these names, the model cannot be loaded or the
        folder not be written.
    """
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    with timed("sample", seconds):
        image, truth = nuclei_field(shape, n=n)
    with timed("model", seconds):
        model = load()
    steps = segment(image, "YX", model.predict, model_settings(model))
    labels = finish(steps, timed_steps(seconds, progress)).labels
    with timed("files", seconds):
        files = write_files(folder, image, labels)
    return DemoResult(image, labels, int(truth.max(initial=0)), seconds, files)


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds files of these names which are not all from an earlier demo.

    Raises
    ------
    FileExistsError
        If it does.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there and len(there) < len(FILES):
        raise FileExistsError(
            f"Expected a folder of an earlier demo or a new one, got {str(folder)!r} with "
            f"{there[0]} of something else; choose another folder."
        )


def timed_steps(
    seconds: dict[str, float], progress: Callable[[Progress], None]
) -> Callable[[Progress], None]:
    """Return a callback of the walk that adds up how long each of its steps takes."""
    last = time.perf_counter()

    def note(step: Progress) -> None:
        nonlocal last
        now = time.perf_counter()
        seconds[step.step] = seconds.get(step.step, 0.0) + now - last
        last = now
        progress(step)

    return note


@contextmanager
def timed(step: str, seconds: dict[str, float]) -> Iterator[None]:
    """Note how long a block takes."""
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started


def write_files(
    folder: Path, image: NDArray[np.uint16], labels: NDArray[np.int32]
) -> tuple[Path, ...]:
    """Write the picture, the labels and the table."""
    picture, tiff, table = (folder / name for name in FILES)
    with overwriting(picture) as temporary:
        iio.imwrite(temporary, outline(image, labels), extension=".png", plugin="pillow")
    write_labels(tiff, labels, "YX", overwrite=True)
    write_table(measure(labels, image), table)
    return picture, tiff, table


def outline(image: NDArray[Any], labels: NDArray[np.int32], zoom: int = ZOOM) -> NDArray[np.uint8]:
    """Return an image in grey with a yellow line around every nucleus, for looking at.

    Parameters
    ----------
    image : (y, x)
        Intensities.
    labels : (y, x) int32
        0 is background.
    zoom : int
        Pixels of the picture per pixel of the image.

    Returns
    -------
    array of uint8, (zoom * y, zoom * x, 3)
    """
    grey = (normalise(image, limits(image), ceiling=1.0) * 255).astype(np.uint8)
    large = [np.repeat(np.repeat(a, zoom, axis=0), zoom, axis=1) for a in (grey, labels)]
    picture = np.stack([large[0]] * 3, axis=-1)
    picture[find_boundaries(large[1], mode="inner")] = YELLOW
    return picture


def has_display() -> bool:
    """Tell whether a window can be opened on this computer."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        return False
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_window(result: DemoResult) -> None:
    """Show the sample and its nuclei in napari; return when the window is closed.

    Raises
    ------
    ImportError
        If napari or its Qt binding is not installed.
    """
    from napari_unet.widgets.window import show

    show(result.image, result.labels, "sample")
