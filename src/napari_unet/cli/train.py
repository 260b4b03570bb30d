"""``napari-unet train``: from images and labels to a model file."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet.cli.failures import FILES, INTERRUPTED, USAGE, refused, stop
from napari_unet.cli.options import Device, Overwrite, Quiet, given, open_model
from napari_unet.network import SUFFIX

if TYPE_CHECKING:
    from napari_unet.learning.fit import Step
    from napari_unet.learning.train import TrainingRun
    from napari_unet.network.model import Model

STEPS_OF_LOSS = 20  # that the loss shown is the mean of: one step's own jumps about


def train(
    data: Annotated[
        Path,
        typer.Argument(help="Folder with images/ and labels/, or <id>/images/ and <id>/masks/."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model, a .safetensors file.")],
    validation: Annotated[
        Path | None,
        typer.Option(
            help="Folder like DATA; a tenth of DATA is held out if not given.", show_default=False
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="End after this time.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="End after so many steps.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was to write this model.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Model to start from, by name or file; random weights if not given.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on images with labels.

    The file always holds the best model so far. All data are read first: if files cannot be
    used, they are listed and nothing is trained. A run that was stopped goes on with the same
    options and --resume.

    Example: napari-unet train data/ --validation held_out/ --minutes 40 -o mine.safetensors
    """
    check_output(output, may_exist=resume or overwrite)
    options = given(minutes=minutes, steps=steps, seed=seed)
    parent = None if start is None else open_model(start, device)
    run = prepare(data, output, validation, parent, device, options, quiet)
    from napari_unet.learning.train import train as train_steps

    try:
        best = follow(train_steps(run, resume=resume), quiet=quiet)
    except KeyboardInterrupt:
        stop(f"Stopped; {how_to_go_on(run)}", INTERRUPTED)
    if not quiet:
        reached = "no better score" if best is None else f"score {score_text(best)}"
        print(f"{output}: {reached} (mean AP at IoU 0.5 to 0.9)")


def check_output(output: Path, *, may_exist: bool) -> None:
    """Refuse a file that could not be written after a long run, and make its folder."""
    if output.suffix != SUFFIX:
        stop(f"Expected a {SUFFIX} file for the model, got {output}; change the ending.", USAGE)
    if output.exists() and not may_exist:
        stop(
            f"Expected a new file, got the existing {output}; choose another name, or give "
            "--overwrite or --resume.",
            FILES,
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(output.parent, os.W_OK):
        stop(f"The folder {output.parent} cannot be written; choose another one.", FILES)


def prepare(
    data: Path,
    output: Path,
    validation: Path | None,
    start: Model | None,
    device: str,
    options: dict[str, Any],
    quiet: bool,
) -> TrainingRun:
    """Read and check all data; one line on stderr for each file that cannot be used."""
    from napari_unet.cli.progress import work_bar
    from napari_unet.learning.fit import Recipe
    from napari_unet.learning.train import prepare_run
    from napari_unet.network.device import choose_device

    with refused():
        choose_device(device)
        recipe = Recipe(**options)
    try:
        with work_bar(1, quiet=quiet) as show:
            run = prepare_run(
                data,
                output,
                validation=validation,
                recipe=recipe,
                start=start,
                device=device,
                progress=lambda done, n: show("reading the data", done / n),
            )
    except ValueError as error:
        # Its lines are the files.
        stop(str(error), FILES)
    if not run.samples or not run.scenes:
        stop("Expected at least two images, or one and --validation, got fewer; add some.", FILES)
    return run


def follow(run: Iterator[Step], *, quiet: bool) -> float | None:
    """Show loss, time left and best score of a run until its end; return the best score."""
    from napari_unet.cli.progress import work_bar

    best: float | None = None
    losses: deque[float] = deque(maxlen=STEPS_OF_LOSS)
    # A resumed run does not begin at 0, so the bar's own guess at the time left would be wrong.
    with work_bar(1, quiet=quiet, time_left=False) as show:
        for step in run:
            losses.append(step.loss)
            best = step.score if step.is_best else best
            loss = fmean(losses)
            show(f"{loss_line(step, loss)}  best {score_text(best)}", step.fraction)
            if step.score is not None and not quiet:
                mark = " (best)" if step.is_best else ""
                text = f"{loss_line(step, loss)}  score {score_text(step.score)}{mark}"
                print(text, file=sys.stderr)
    return best


def loss_line(step: Step, loss: float) -> str:
    """Return where a run stands."""
    from napari_unet.cli.progress import clock

    left = step.seconds * (1 - step.fraction) / max(step.fraction, 1e-9)
    return f"step {step.number}  {clock(left)} left  loss {loss:.3f}"


def score_text(score: float | None) -> str:
    """Return a score as it is shown, also where there is none yet."""
    return "-" if score is None else f"{score:.3f}"


def how_to_go_on(run: TrainingRun) -> str:
    """Say what a stopped run leaves behind."""
    if run.checkpoint.exists():
        return f"the best model so far is {run.output}; go on with the same options and --resume."
    return "it was too short to leave a model."
