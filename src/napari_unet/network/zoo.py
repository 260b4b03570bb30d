"""A model as a package of the BioImage Model Zoo, bioimage.io."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import torch
from numpy.typing import NDArray

from napari_unet.images.atomic import overwriting
from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import as_bytes, network_input
from napari_unet.images.synthetic import nuclei_field
from napari_unet.network.card import Card
from napari_unet.network.exchange import MapsNetwork, write_torchscript
from napari_unet.network.files import file_hash
from napari_unet.network.model import Model
from napari_unet.network.packages import MODEL

FORMAT = "0.5.4"  # of the description
HALO = 5  # of what the network pools to: our own tiles leave out nearly as much
TEST_SIDE = 256  # px
UNNAMED = "Unknown"
DESCRIPTION = "rdf.yaml"
CITED = (
    ("Ronneberger, Fischer, Brox, U-Net, MICCAI 2015", "10.1007/978-3-319-24574-4_28"),
    ("Caicedo et al., 2018 Data Science Bowl, Nature Methods 2019", "10.1038/s41592-019-0612-7"),
)


def write_package(
    model: Model, path: Path, authors: Sequence[str] = (), licence: str | None = None
) -> None:
    """Write a zip with description, TorchScript weights, test image and maps, cover and readme.

    The model file itself is in it too, so that napari-unet can take the model in again.

    Parameters
    ----------
    model : Model
        Runs on the CPU for this.
    path : Path
        The zip.
    authors : sequence of str
        Names of who made the model.
    licence : str, optional
        SPDX identifier of what it is given away under; none is stated if not given.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder)
        write_parts(model, parts)
        # JSON is YAML, and needs no library.
        text = json.dumps(describe(model, parts, authors, licence), indent=2)
        (parts / DESCRIPTION).write_text(text, encoding="utf-8")
        with overwriting(path) as temporary, zipfile.ZipFile(temporary, "w") as package:
            for part in sorted(parts.iterdir()):
                package.write(part, part.name, zipfile.ZIP_DEFLATED)


def write_parts(model: Model, folder: Path) -> None:
    """Write all files of a package but its description into a folder."""
    image, _ = nuclei_field(shape=(TEST_SIDE, TEST_SIDE))
    pixels = np.repeat(np.asarray(image, np.float32)[None], 3, axis=0)
    ready = network_input(np.moveaxis(pixels, 0, -1), model.card.normalisation)
    # In full precision, as the zoo runs it; `Model.predict` takes a faster one where there is one.
    with torch.inference_mode():
        maps = MapsNetwork(model.to("cpu").network)(torch.from_numpy(ready)[None])[0].numpy()
    write_torchscript(model, folder / "weights.pt")
    _write_model(model, folder / MODEL)
    np.save(folder / "test_input.npy", pixels[None])
    np.save(folder / "test_output.npy", maps[None])
    iio.imwrite(folder / "cover.png", cover(pixels, maps))
    (folder / "README.md").write_text(readme(model.card), encoding="utf-8")


def _write_model(model: Model, path: Path) -> None:
    """Write the model file: the one that it came from, by whose hash its children know it."""
    source = model.path
    if source is not None and source.is_file() and file_hash(source) == model.sha256:
        shutil.copyfile(source, path)
    else:
        replace(model).save(path)


def cover(pixels: NDArray[np.float32], maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the image beside its nucleus map, (y, 2x) uint8."""
    grey = network_input(pixels[0], Normalisation())[0]
    return np.hstack([as_bytes(grey), as_bytes(maps[0])])


def readme(card: Card) -> str:
    """Return what a user of the package should know, as Markdown."""
    facts = card.training
    scores = "".join(f"- {name}: {value:.3f}\n" for name, value in sorted(card.scores.items()))
    return f"""# {card.name}

A U-Net ({card.config.variant}) that finds cell nuclei; made with napari-unet.

- Input: one plane, three channels; repeat a grey image three times. Intensities are brought to
  one range by the steps in the description.
- Output: the maps {", ".join(card.config.maps)}, each from 0 to 1.
- The nuclei it knows best are {card.diameter:.0f} pixels wide: rescale other images first.
- Trained on: {facts.get("data", "not noted")}
- Licence of that data: {facts.get("licence", "not noted")}
- Limits: {facts.get("limits", "not noted")}

Nuclei come out of the maps by regrowing seeds, which napari-unet does (`napari_unet.instances`).

## Validation

{scores or "No scores are noted in the model's file."}
Compare the labels of images that it was not trained on with the truth:
`napari-unet evaluate labels/ truth/`.
"""


def describe(
    model: Model, folder: Path, authors: Sequence[str], licence: str | None
) -> dict[str, Any]:
    """Return the description of a package whose other files lie in a folder.

    References
    ----------
    https://bioimage-io.github.io/spec-bioimage-io, model description 0.5.
    """
    card = model.card
    torch_version = torch.__version__.partition("+")[0]
    return {
        "type": "model",
        "format_version": FORMAT,
        "name": _allowed(f"napari-unet {model.name}"),
        "description": f"U-Net for cell nuclei of about {card.diameter:.0f} pixels: "
        f"{', '.join(card.config.maps)} maps.",
        "authors": [{"name": name} for name in authors or [UNNAMED]],
        "cite": [{"text": text, "doi": doi} for text, doi in CITED],
        "license": licence,
        "tags": ["unet2d", "pytorch", "nuclei", "segmentation", "2d", "napari-unet"],
        "documentation": "README.md",
        "covers": ["cover.png"],
        "attachments": [_file(folder / MODEL)],
        "inputs": [_input(card, folder / "test_input.npy")],
        "outputs": [_output(card, folder / "test_output.npy")],
        "weights": {
            "torchscript": {**_file(folder / "weights.pt"), "pytorch_version": torch_version}
        },
        "config": {"napari_unet": {"sha256": model.sha256, "diameter": card.diameter}},
    }


def _input(card: Card, test: Path) -> dict[str, Any]:
    multiple = card.config.multiple
    size = {"min": (2 * HALO + 1) * multiple, "step": multiple}
    return {
        "id": "pixels",
        "description": "One plane, its intensities of any range; grey repeated three times.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": ["red", "green", "blue"]},
            *({"type": "space", "id": axis, "size": size} for axis in "yx"),
        ],
        "preprocessing": _preprocessing(card.normalisation),
        "data": {"type": "float32"},
        "test_tensor": _file(test),
    }


def _preprocessing(how: Normalisation) -> list[dict[str, Any]]:
    """Return the steps that do what `images.planes.network_input` does with a plane."""
    scaled: dict[str, Any]
    if how.per == "type":
        # The zoo hands every image over as float32; pictures of 8 bits are the usual ones here.
        scaled = {"id": "scale_linear", "kwargs": {"gain": 1 / 255}}
    else:
        percentiles = {"min_percentile": how.low, "max_percentile": how.high}
        scaled = {"id": "scale_range", "kwargs": {"axes": ["channel", "y", "x"], **percentiles}}
    return [scaled, {"id": "clip", "kwargs": {"min": 0.0, "max": how.ceiling}}]


def _output(card: Card, test: Path) -> dict[str, Any]:
    halo = HALO * card.config.multiple
    return {
        "id": "maps",
        "description": f"{', '.join(card.config.maps)}, each from 0 to 1.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": list(card.config.maps)},
            *(
                {"type": "space", "id": axis, "halo": halo}
                | {"size": {"tensor_id": "pixels", "axis_id": axis}}
                for axis in "yx"
            ),
        ],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": _file(test),
    }


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": file_hash(path)}


def _allowed(name: str) -> str:
    """Return a name without the signs that the zoo does not take.

    Examples
    --------
    >>> _allowed("plate 7, day 2")
    'plate 7_ day 2'
    """
    return "".join(c if c.isascii() and (c.isalnum() or c in "_+- ()") else "_" for c in name)
