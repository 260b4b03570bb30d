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
    Overwrite,
    Quiet,
    open_model,
    settings_for,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_unet.cli.scoring import Case, ImageScore
    from napari_unet.nuclei.comparison import Comparison
    from napari_unet.nuclei.errors import Kind
    from napari_unet.nuclei.metrics import Scores

HEADER = ("image", "predicted", "true", "AP50", "AP75", "AP50:90", "AP50:95", "F1", "PQ", "Dice")


def evaluate(
    first: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTED",
            help="Label file, OME-Zarr, or folder of these; with --model, a folder with "
            "images/ and labels/.",
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
    each_plane: Annotated[
        bool,
        typer.Option(
            "--each-plane",
            help="Take every plane of a stack for itself; else it is one volume. Frames of a "
            "movie are compared each for itself in any case.",
        ),
    ] = False,
    errors: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            file_okay=False,
            help="Write an image of each into this folder, its nuclei coloured by kind: right "
            "green, missed red, invented pink, merged orange, split blue, badly outlined yellow.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score labels, or a model, against the truth.

    Nuclei are counted over all images. AP is TP / (TP + FP + FN) at an IoU of 0.5 (AP50), of
    0.75 (AP75), and its mean over the IoU thresholds from 0.5 to 0.9 and to 0.95. Files of two
    folders are matched by their stems.

    A second table counts what is right and wrong: true nuclei that were missed, invented ones,
    one over several true ones (merged), several over one (split), and those found alone with an
    IoU below 0.75 (badly outlined). Nuclei are compared there if they share more than half of
    the smaller one.

    Example: napari-unet evaluate labels/ truth/ --per-image --errors wrong/

    Example: napari-unet evaluate data/ --model nuclei
    """
    check_usage(truth, model, diameter=diameter, channel=channel)
    if truth is not None:
        cases = cases_of_files(first, truth)
    else:
        cases = cases_of_model(first, model, device, diameter=diameter, channel=channel)
    check_error_images(cases, errors, overwrite=overwrite)
    rows = score(cases, errors, each_plane=each_plane, quiet=quiet)
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


def check_error_images(cases: list[Case], folder: Path | None, *, overwrite: bool) -> None:
    """Refuse to write over error images, before anything is scored."""
    from napari_unet.cli.error_images import existing

    if folder is None or overwrite:
        return
    if there := existing((case.name for case in cases), folder):
        stop(
            f"Expected a new file, got the existing {there[0]}; choose another folder for "
            "--errors, or give --overwrite.",
            FILES,
        )


def score(
    cases: list[Case], errors: Path | None, *, each_plane: bool, quiet: bool
) -> list[ImageScore]:
    """Score all cases, with a sentence on stderr for each that fails; write error images."""
    from napari_unet.cli.error_images import write_error_image
    from napari_unet.cli.progress import fraction_of, work_bar
    from napari_unet.cli.scoring import score_cases

    def draw(case: Case, comparison: Comparison) -> None:
        if errors is not None:
            write_error_image(errors, case.name, comparison.image)

    rows: list[ImageScore] = []
    with work_bar(len(cases), quiet=quiet) as show:
        for row in score_cases(
            cases,
            lambda case, step: show(case.name, len(rows) + fraction_of(step)),
            each_plane=each_plane,
            done=draw,
        ):
            rows.append(row)
            if row.error is not None:
                complain(f"{row.name}: {sentence(row.error)}")
    return rows


def conclude(rows: list[ImageScore], *, per_image: bool, as_json: bool) -> None:
    """Print the scores; end with status 1 if any image has none."""
    scored = [row for row in rows if row.scores is not None]
    if not rows:
        complain("Expected at least one image to score, got none; check the folders.")
    if scored and as_json:
        print_json(scored)
    elif scored:
        print_scores(scored, per_image=per_image)
    if len(scored) < max(len(rows), 1):
        raise typer.Exit(FILES)


def print_json(rows: list[ImageScore]) -> None:
    """Print all scores as one JSON object."""
    import json

    from napari_unet.cli.scoring import facts, pool, pool_kinds

    def told(scores: Scores, kinds: Mapping[Kind, int]) -> dict[str, object]:
        return facts(scores) | {"kinds": {kind.words: n for kind, n in kinds.items()}}

    images = [
        {"name": row.name, **told(row.scores, row.kinds)} for row in rows if row.scores is not None
    ]
    pooled = told(pool(rows), pool_kinds(rows))
    print(json.dumps({"pooled": pooled, "images": images}, indent=2))


def print_scores(rows: list[ImageScore], *, per_image: bool) -> None:
    """Print a table of scores and one of kinds, all images together in the last row of each."""
    from napari_unet.cli.scoring import pool, pool_kinds
    from napari_unet.cli.tables import print_table
    from napari_unet.nuclei.errors import Kind

    name = "1 image" if len(rows) == 1 else f"{len(rows)} images, pooled"
    shown = rows if per_image else []
    lines = [as_cells(row.name, row.scores) for row in shown if row.scores is not None]
    print_table(HEADER, [*lines, as_cells(name, pool(rows))])
    print()
    counts = [(row.name, row.kinds) for row in shown] + [(name, pool_kinds(rows))]
    cells = [(each, *(str(kinds[kind]) for kind in Kind)) for each, kinds in counts]
    print_table(("image", *(kind.words for kind in Kind)), cells)


def as_cells(name: str, scores: Scores) -> tuple[str, ...]:
    """Return one row of the table."""
    aps = (scores.ap50, scores.ap75, scores.mean_ap, scores.mean_ap_95)
    shown = (*aps, scores.f1, scores.pq, scores.dice)
    return (
        name,
        str(scores.n_predicted),
        str(scores.n_truth),
        *(f"{score:.3f}" for score in shown),
    )
