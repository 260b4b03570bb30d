"""``napari-unet evaluate``: how well labels, or a model's labels, agree with the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_unet.cli.failures import FILES, USAGE, complain, refused, sentence, stop
from napari_unet.cli.options import (
    Channel,
    Device,
    Diameter,
    Json,
    ModelName,
    Quiet,
    open_model,
    settings_for,
)

if TYPE_CHECKING:
    from napari_unet.cli.scoring import Case, ImageScore
    from napari_unet.nuclei.metrics import Scores

HEADER = ("image", "predicted", "true", "AP50", "AP75", "AP50:90", "AP50:95", "F1", "PQ")


def evaluate(
    first: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTED",
            help="Label file or folder of them; with --model, a folder with images/ and labels/.",
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Argument(metavar="TRUTH", help="True labels, file or folder.", show_default=False),
    ] = None,
    model: ModelName = None,
    diameter: Diameter = None,
    channel: Channel = None,
    device: Device = "auto",
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Show the scores of every image too.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score labels, or a model, against the truth.

    Nuclei are counted over all images. AP is TP / (TP + FP + FN) at an IoU of 0.5 (AP50), of
    0.75 (AP75), and its mean over the IoU thresholds from 0.5 to 0.9 and to 0.95. Files of two
    folders are matched by their stems.

    Example: napari-unet evaluate labels/ truth/ --per-image

    Example: napari-unet evaluate data/ --model nuclei
    """
    check_usage(truth, model, diameter=diameter, channel=channel)
    if truth is not None:
        cases = cases_of_files(first, truth)
    else:
        cases = cases_of_model(first, model, device, diameter=diameter, channel=channel)
    rows = score(cases, quiet=quiet)
    conclude(rows, per_image=per_image, as_json=as_json)


def check_usage(truth: Path | None, model: str | None, **of_model: float | None) -> None:
    """Refuse options that do not belong together."""
    if (truth is None) == (model is None):
        stop(
            "Expected either TRUTH or --model, which segments images; give one of them.",
            USAGE,
        )
    for name, value in of_model.items():
        if model is None and value is not None:
            stop(f"--{name} is for segmenting; give --model too, or leave it out.", USAGE)


def cases_of_files(predicted: Path, truth: Path) -> list[Case]:
    """Pair the files; those that are not there are bad files, a file and a folder bad usage."""
    from napari_unet.cli.scoring import file_cases

    for path in (predicted, truth):
        if not path.exists():
            stop(f"Expected an existing file or folder, got {path}; check the path.", FILES)
    with refused():
        return file_cases(predicted, truth)


def cases_of_model(
    data: Path, model: str | None, device: str, **choices: float | None
) -> list[Case]:
    """Pair the true labels of a data set with what a model will make of its images."""
    from napari_unet.cli.scoring import model_cases

    network = open_model(model, device)
    return model_cases(data, network.predict, settings_for(network, **choices))


def score(cases: list[Case], *, quiet: bool) -> list[ImageScore]:
    """Score all cases, with a sentence on stderr for each that fails."""
    from napari_unet.cli.progress import fraction_of, work_bar
    from napari_unet.cli.scoring import score_cases

    rows: list[ImageScore] = []
    with work_bar(len(cases), quiet=quiet) as show:
        for row in score_cases(
            cases, lambda case, step: show(case.name, len(rows) + fraction_of(step))
        ):
            rows.append(row)
            if row.error is not None:
                complain(f"{row.name}: {sentence(row.error)}")
    return rows


def conclude(rows: list[ImageScore], *, per_image: bool, as_json: bool) -> None:
    """Print the scores; end with status 1 if any image has none."""
    from napari_unet.cli.scoring import pool

    scored = [row for row in rows if row.scores is not None]
    if not rows:
        complain("Expected at least one image to score, got none; check the folders.")
    if scored and as_json:
        print_json(scored, pool(scored))
    elif scored:
        print_scores(scored if per_image else [], pool(scored), len(scored))
    if len(scored) < max(len(rows), 1):
        raise typer.Exit(FILES)


def print_json(rows: list[ImageScore], pooled: Scores) -> None:
    """Print all scores as one JSON object."""
    import json

    from napari_unet.cli.scoring import facts

    images = [{"name": row.name, **facts(row.scores)} for row in rows if row.scores is not None]
    print(json.dumps({"pooled": facts(pooled), "images": images}, indent=2))


def print_scores(rows: list[ImageScore], pooled: Scores, n_images: int) -> None:
    """Print a table, the pooled scores in its last row."""
    from napari_unet.cli.tables import print_table

    lines = [as_cells(row.name, row.scores) for row in rows if row.scores is not None]
    name = "1 image" if n_images == 1 else f"{n_images} images, pooled"
    print_table(HEADER, [*lines, as_cells(name, pooled)])


def as_cells(name: str, scores: Scores) -> tuple[str, ...]:
    """Return one row of the table."""
    shown = (scores.ap50, scores.ap75, scores.mean_ap, scores.mean_ap_95, scores.f1, scores.pq)
    return (
        name,
        str(scores.n_predicted),
        str(scores.n_truth),
        *(f"{score:.3f}" for score in shown),
    )
