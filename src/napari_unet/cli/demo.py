"""``napari-unet demo``: the first minute."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_unet.cli.failures import complain
from napari_unet.cli.options import Device, ModelName, Quiet

if TYPE_CHECKING:
    from napari_unet.demo import DemoResult


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Folder for the results.")
    ] = Path("demo"),
    model: ModelName = None,
    device: Device = "auto",
    window: Annotated[bool, typer.Option(help="Open napari, where there is a display.")] = True,
    quiet: Quiet = False,
) -> None:
    """Segment the built-in sample, and show it.

    Writes overlay.png (the image with outlines), labels.tif and nuclei.csv into the folder,
    over those of an earlier demo.

    Example: napari-unet demo --no-window
    """
    started = time.perf_counter()
    from napari_unet.cli.options import open_model
    from napari_unet.cli.progress import fraction_of, work_bar
    from napari_unet.demo import run_demo

    libraries = time.perf_counter() - started
    with work_bar(1, quiet=quiet) as show:
        result = run_demo(
            output,
            lambda: open_model(model, device),
            progress=lambda step: show(step.step, fraction_of(step)),
        )
    if not quiet:
        print_result(result, libraries)
    if window:
        show_result(result)


def print_result(result: DemoResult, libraries: float) -> None:
    """Print how many nuclei were found, how long it took, and what was written."""
    from napari_unet.cli.tables import print_table
    from napari_unet.demo import STEPS

    print(f"{result.n_nuclei} nuclei found, {result.n_true} drawn in the sample\n")
    seconds = {"loading the libraries": libraries} | {
        text: result.seconds[step] for step, text in STEPS.items() if step in result.seconds
    }
    seconds["all together"] = sum(seconds.values())
    print_table(("step", "seconds"), [(text, f"{taken:.2f}") for text, taken in seconds.items()])
    print("\nwritten:", *result.files, sep="\n  ", flush=True)


def show_result(result: DemoResult) -> None:
    """Open napari, or say why not."""
    from napari_unet.demo import has_display, open_window

    if not has_display():
        return
    try:
        open_window(result)
    except ImportError as error:
        complain(f"napari cannot be opened ({error}); install napari-unet-nuclei[gui] for it.")
