"""``napari-unet finetune``: teach a model with corrected labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unet.cli.failures import FILES, INTERRUPTED, refused, stop
from napari_unet.cli.options import (
    Axes,
    Channel,
    Device,
    Diameter,
    Overwrite,
    Quiet,
    check_axes,
    check_model_output,
    given,
    open_unet,
)

if TYPE_CHECKING:
    from napari_unet.learning.finetune import FineTune
    from napari_unet.network.model import Model

REJECTED = 3  # exit status: learned, but not better, so nothing was written


def finetune(
    model: Annotated[str, typer.Argument(help="Model to start from, by name or file.")],
    images: Annotated[Path, typer.Argument(help="Image file, or folder of them.")],
    labels: Annotated[Path, typer.Argument(help="Corrected labels, file or folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model.")],
    known: Annotated[
        Path | None,
        typer.Option(
            help="Where the labels are right, file or folder: not 0 there; everywhere if not "
            "given.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Time to learn.", show_default="60")
    ] = None,
    keep_anyway: Annotated[
        bool, typer.Option("--keep-anyway", help="Write the model even if it is not better.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was to write this model.")
    ] = False,
    axes: Axes = None,
    channel: Channel = None,
    diameter: Diameter = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Teach a model with corrected labels.

    Files of folders are matched by their stems. The model given stays as it is. The new one is
    written only if it gets the corrected nuclei better and has not forgotten the others;
    otherwise the exit status is 3. A run that was stopped goes on with the same options and
    --resume.

    Example: napari-unet finetune nuclei images/ corrected/ -o plate7.safetensors
    """
    from napari_unet.learning.checkpoint import checkpoint_beside

    check_axes(axes)
    check_model_output(output, may_exist=overwrite)
    parent = open_unet(model, device)
    examples = read_examples(images, labels, known)
    choices = given(seconds=seconds, channel=channel, diameter=diameter, axes=axes)
    checkpoint = checkpoint_beside(output)
    choices |= {"checkpoint": checkpoint, "resume": resume}
    try:
        tuned = learn(parent, examples, choices, quiet=quiet)
    except KeyboardInterrupt:
        is_saved = checkpoint.exists()
        ending = "go on with the same options and --resume." if is_saved else "nothing was written."
        stop(f"Stopped; {ending}", INTERRUPTED)
    conclude(tuned, output, keep_anyway=keep_anyway, quiet=quiet)


def read_examples(images: Path, labels: Path, known: Path | None) -> dict[str, Any]:
    """Read what belongs together: lists of images, their axes and names, labels, known."""
    from napari_unet.batch import read_input
    from napari_unet.images.files import read_image, read_labels

    try:
        sets = matched([images, labels] if known is None else [images, labels, known])
        files = [read_input(path) for path in sets[0]]
        masks = None if known is None else [read_image(path).data != 0 for path in sets[2]]
        return {
            "images": [file.data for file in files],
            "axes": [file.axes for file in files],
            "labels": [read_labels(path) for path in sets[1]],
            "known": masks,
            "names": [path.name for path in sets[0]],
        }
    except (ValueError, OSError) as error:
        stop(error, FILES)


def matched(places: list[Path]) -> list[list[Path]]:
    """Return the files of each place in one order; those of folders by their stems.

    Raises
    ------
    ValueError, FileNotFoundError
        If a file has no counterpart.
    """
    from napari_unet.cli.scoring import by_stem

    if not any(place.is_dir() for place in places):
        return [[place] for place in places]
    files = [by_stem(place) for place in places]
    for place, found in zip(places, files, strict=True):
        if odd := sorted(set().union(*files) - found.keys()):
            raise ValueError(f"Expected a file named {odd[0]!r} in {place}, got none; add it.")
    return [[found[stem] for stem in sorted(found)] for found in files]


def learn(
    parent: Model, examples: dict[str, Any], choices: dict[str, Any], *, quiet: bool
) -> FineTune:
    """Run the fine-tune with a bar."""
    from napari_unet.api import fine_tune
    from napari_unet.cli.progress import work_bar

    with refused(), work_bar(1, quiet=quiet) as show:
        return fine_tune(
            parent,
            **examples | choices,
            progress=lambda step: show(f"loss {step.mean_loss:.3f}", step.fraction),
        )


def conclude(tuned: FineTune, output: Path, *, keep_anyway: bool, quiet: bool) -> None:
    """Write the model if it is better or wanted all the same, and say what it is worth."""
    if tuned.objection and not keep_anyway:
        advice = "Nothing was written; --keep-anyway writes it."
        stop(f"{tuned.comparison} {tuned.objection} {advice}", REJECTED)
    model = replace(tuned.model, card=replace(tuned.model.card, name=output.stem))
    model.save(output, overwrite=True)
    if not quiet:
        print(f"{output}: {tuned.comparison}")
