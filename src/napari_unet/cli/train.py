"""``napari-unet train``: from images and labels to a model file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet.cli.failures import FILES, INTERRUPTED, USAGE, refused, stop
from napari_unet.cli.options import (
    Device,
    Overwrite,
    Quiet,
    check_model_output,
    given,
    open_unet,
)
from napari_unet.network import VARIANTS

if TYPE_CHECKING:
    from napari_unet.learning.classic import ClassicRecipe
    from napari_unet.learning.fit import Step
    from napari_unet.learning.history import Log
    from napari_unet.learning.recipe import Recipe
    from napari_unet.learning.runs import TrainingRun
    from napari_unet.network.config import UNetConfig
    from napari_unet.network.model import Model

WIDEST_LINE = 64  # characters beside the bar, which is short then
CLASSIC = "classic"
RECIPES = ("default", CLASSIC)
RecipeName = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="default, or classic: whole images of 128x128 pixels, a plain U-Net, at most 25 "
        "epochs; for comparison.",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Model to start from, by name or file; random weights if not given.",
        show_default=False,
    ),
]
Variant = Annotated[
    str | None,
    typer.Option(
        help=f"Kind of network: {', '.join(VARIANTS)}; {VARIANTS[0]} if not given.",
        show_default=False,
    ),
]
Report = Annotated[
    bool,
    typer.Option(
        "--report/--no-report",
        help="Write curves, scores and pictures into a folder beside the model.",
    ),
]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard", help="Folder for logs that TensorBoard shows.", show_default=False
    ),
]


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
    start: Start = None,
    variant: Variant = None,
    recipe: RecipeName = RECIPES[0],
    report: Report = True,
    tensorboard: TensorBoard = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on images with labels.

    The file always holds the best model so far. All data are read first: if files cannot be
    used, they are listed and nothing is trained. A run that was stopped goes on with the same
    options and --resume. Beside mine.safetensors a folder mine_report shows how well it went:
    open its index.html.

    Example: napari-unet train data/ --validation held_out/ --minutes 40 -o mine.safetensors
    """
    check_model_output(output, may_exist=resume or overwrite, ways="--overwrite or --resume")
    logs = tensorboard_logs(tensorboard, output)
    options = given(minutes=minutes, steps=steps, seed=seed)
    parent = None if start is None else open_unet(start, device)
    run = prepare(
        data,
        output,
        validation,
        recipe=choose_recipe(recipe, options),
        config=network_config(variant, parent),
        start=parent,
        device=device,
        quiet=quiet,
    )
    try:
        best = follow(steps_of(run, resume, logs, report), quiet=quiet)
    except KeyboardInterrupt:
        page = written_report(run, quiet=quiet) if report and has_score(run) else None
        stop(f"Stopped; {how_to_go_on(run, page)}", INTERRUPTED)
    page = written_report(run, quiet=quiet) if report else None
    if not quiet:
        conclude(run, best, page)


def prepare(
    data: Path,
    output: Path,
    validation: Path | None,
    *,
    device: str,
    quiet: bool,
    **what: Any,
) -> TrainingRun:
    """Read and check all data; one line on stderr for each file that cannot be used."""
    from napari_unet.cli.progress import work_bar
    from napari_unet.learning.runs import prepare_run
    from napari_unet.network.device import choose_device

    with refused():
        choose_device(device)
    try:
        with work_bar(1, quiet=quiet) as show:
            run = prepare_run(
                data,
                output,
                validation=validation,
                device=device,
                **what,
                progress=lambda done, n: show("reading the data", done / n),
            )
    except ValueError as error:
        # Its lines are the files.
        stop(str(error), FILES)
    return run


def choose_recipe(name: str, options: dict[str, Any]) -> Recipe | ClassicRecipe:
    """Return a recipe by its name, with what was asked for."""
    from napari_unet.learning.classic import ClassicRecipe
    from napari_unet.learning.recipe import Recipe

    if name not in RECIPES:
        stop(f"Expected one of {', '.join(RECIPES)} as --recipe, got {name!r}; choose one.", USAGE)
    if name == CLASSIC and options.keys() - {"seed"}:
        stop("The classic recipe has its own length; leave --minutes and --steps out.", USAGE)
    with refused():
        return ClassicRecipe(**options) if name == CLASSIC else Recipe(**options)


def network_config(variant: str | None, start: Model | None) -> UNetConfig | None:
    """Return the network that was asked for, of the size of the model to start from."""
    from napari_unet.network.config import UNetConfig

    if variant is None:
        return None
    with refused():
        return replace(start.config if start else UNetConfig(), variant=variant)


def tensorboard_logs(folder: Path | None, output: Path) -> list[Log]:
    """Return the log for TensorBoard, if there is to be one: in a folder of the model's name."""
    if folder is None:
        return []
    from napari_unet.learning.scalars import tensorboard_log

    try:
        return [tensorboard_log(folder / output.stem)]
    except ImportError as error:
        stop(error, USAGE)


def steps_of(run: TrainingRun, resume: bool, logs: list[Log], report: bool) -> Iterator[Step]:
    """Return the steps of a run, which are written down."""
    from napari_unet.learning.history import history_log
    from napari_unet.learning.train import train

    return train(run, resume=resume, logs=[*logs, *([history_log(run.history)] if report else [])])


def has_score(run: TrainingRun) -> bool:
    """Tell whether a run got as far as its first validation, and so has a model."""
    from napari_unet.learning.history import read_history

    return any(row.score is not None for row in read_history(run.history))


def written_report(run: TrainingRun, *, quiet: bool) -> Path:
    """Write the report of a run; return its page."""
    from napari_unet.cli.progress import work_bar
    from napari_unet.learning.report import write_report

    with work_bar(1, quiet=quiet, time_left=False) as show:
        show("writing the report", 0)
        return write_report(run)


def follow(run: Iterator[Step], *, quiet: bool) -> float | None:
    """Show loss, time left and best score of a run until its end; return the best score."""
    from napari_unet.cli.progress import work_bar

    best: float | None = None
    # A resumed run does not begin at 0, so the bar's own guess at the time left would be wrong.
    with work_bar(1, quiet=quiet, time_left=False, widest=WIDEST_LINE) as show:
        for step in run:
            best = step.score if step.is_best else best
            show(f"{loss_line(step)}  best {score_text(best)}", step.fraction)
            if step.score is not None and not quiet:
                mark = " (best)" if step.is_best else ""
                text = f"{loss_line(step)}  score {score_text(step.score)}{mark}"
                print(text, file=sys.stderr)
    return best


def loss_line(step: Step) -> str:
    """Return where a run stands."""
    from napari_unet.cli.progress import clock

    left = step.seconds * (1 - step.fraction) / max(step.fraction, 1e-9)
    where = f"step {step.number}  {clock(left)} left  loss {step.mean_loss:.3f}"
    return f"{where}  waiting {100 * step.waiting:.0f} %"


def score_text(score: float | None) -> str:
    """Return a score as it is shown, also where there is none yet."""
    return "-" if score is None else f"{score:.3f}"


def conclude(run: TrainingRun, best: float | None, page: Path | None) -> None:
    """Print what a run has left."""
    reached = "no better score" if best is None else f"score {score_text(best)}"
    print(f"{run.output}: {reached} ({run.score_meaning})")
    if page is not None:
        print(f"{page}: curves, scores and pictures")


def how_to_go_on(run: TrainingRun, page: Path | None) -> str:
    """Say what a stopped run leaves behind."""
    if run.checkpoint.exists():
        report = f" (report: {page})" if page else ""
        return (
            f"the best model so far is {run.output}{report}; go on with the same options and "
            "--resume."
        )
    return "it was too short to leave a model."
