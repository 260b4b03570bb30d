"""``napari-unet models rename``, ``delete``, ``restore``, ``export`` and what is taken in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_unet.cli.failures import refused
from napari_unet.cli.options import Overwrite, open_unet

Own = Annotated[str, typer.Argument(help="One of your own models, by name.")]


def rename(old: Own, new: Annotated[str, typer.Argument(help="A name that no model has.")]) -> None:
    """Give one of your models another name.

    Its file's content stays, and with it the ancestry of the models tuned from it.

    Example: napari-unet models rename "nuclei v1" "plate 7"
    """
    from napari_unet.network import keeping

    with refused():
        path = keeping.rename(old, new)
    print(f"{old} is now {path.stem}")


def delete(name: Own) -> None:
    """Move one of your models into the trash.

    It can be restored from there. Models that were tuned from it stay.

    Example: napari-unet models delete "nuclei v1"
    """
    from napari_unet.network import keeping

    with refused():
        keeping.delete(name)
    print(f"{name} is in the trash; napari-unet models restore brings it back")


def restore(name: Annotated[str, typer.Argument(help="A deleted model, by name.")]) -> None:
    """Bring a deleted model back under its name.

    Example: napari-unet models restore "nuclei v1"
    """
    from napari_unet.network import keeping

    with refused():
        path = keeping.restore(name)
    print(path)


def export(
    name: Annotated[str, typer.Argument(help="Model, by name.")],
    path: Annotated[Path, typer.Argument(help="New .safetensors file, or a folder.")],
    overwrite: Overwrite = False,
) -> None:
    """Copy a model to a file or into a folder.

    Example: napari-unet models export "nuclei v1" plate7.safetensors
    """
    from napari_unet.network import keeping

    with refused():
        copy = keeping.export(name, path, overwrite=overwrite)
    print(copy)


def import_(
    path: Annotated[
        Path,
        typer.Argument(
            help="A .safetensors file of napari-unet, or a package of bioimage.io (.zip or folder)."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Of the model; that of the file if not given.")
    ] = None,
    diameter: Annotated[
        float | None,
        typer.Option(
            help="Of the nuclei that a network of another program knows best, in pixels; measured "
            "on the test image of its package if not given.",
            min=2,
            max=1000,
        ),
    ] = None,
) -> None:
    """Take in a model from elsewhere.

    It is checked as a whole first. Where its name is taken, it gets a version. Of a package that
    another program wrote, the weights must be ONNX or those of a UNet2d of torch-em; that takes
    the extra "zoo".

    Example: napari-unet models import plate7.safetensors --name "plate 7"
    """
    from napari_unet.network import keeping
    from napari_unet.network.library import models_folder

    if name is not None:
        with refused():
            keeping.file_for(name, models_folder())
    print(keeping.import_model(path, name, diameter))


def import_state(
    path: Annotated[Path, typer.Argument(help="A state dict that torch.save wrote.")],
    like: Annotated[
        str | None,
        typer.Option(
            help="A model with a network of the same shape, by name or file; the built-in one if "
            "not given.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the model; that of the file if not given.")
    ] = None,
) -> None:
    """Take in the weights that torch saved of a network of this plugin.

    Diameter, normalisation and thresholds are those of the model that it is like. Of the file,
    tensors alone are read: nothing in it is run.

    Example: napari-unet models import-state weights.pt --like nuclei --name "plate 7"
    """
    from napari_unet.network import keeping
    from napari_unet.network.state_files import model_from_state

    model = model_from_state(path, open_unet(like, "cpu"))
    with refused():
        kept = keeping.keep(model, name or path.stem)
    print(kept)


COMMANDS = (rename, delete, restore, export, import_, import_state)
