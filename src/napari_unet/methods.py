"""How a result was made: in words for a paper, and as programs that make it again.

Everything is said from the facts that a result carries; nothing is loaded, run or looked up.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]

PLUGIN = "napari-unet-nuclei"
WRITTEN = {
    "torch": "PyTorch {} (Paszke et al., 2019)",
    "numpy": "NumPy {}",
    "scikit-image": "scikit-image {} (van der Walt et al., 2014)",
    "napari": "napari {} (Sofroniew et al.)",
}
UNET = (
    "Ronneberger O, Fischer P, Brox T (2015). U-Net: convolutional networks for biomedical image "
    "segmentation. MICCAI 2015, LNCS 9351, 234-241. doi:10.1007/978-3-319-24574-4_28"
)
BOWL = (
    "Caicedo JC et al. (2019). Nucleus segmentation across imaging experiments: the 2018 Data "
    "Science Bowl. Nature Methods 16, 1247-1253. doi:10.1038/s41592-019-0612-7"
)
LIBRARIES = (
    "van der Walt S et al. (2014). scikit-image: image processing in Python. PeerJ 2, e453. "
    "doi:10.7717/peerj.453",
    "Paszke A et al. (2019). PyTorch: an imperative style, high-performance deep learning "
    "library. NeurIPS 32, 8024-8035. arXiv:1912.01703",
    "Sofroniew N et al. napari: a multi-dimensional image viewer for Python. Zenodo. "
    "doi:10.5281/zenodo.3555620",
)
LINKED = {
    "auto": "in 3-D",
    "volume": "in 3-D",
    "overlap": "plane by plane and linked by their overlap",
    "none": "in each plane for itself",
}
NO_FILE = (
    "The command reads TIFF, PNG, JPEG and BMP files, and this image was not opened from one, or "
    "is shown in another shape; copy Python instead."
)
A_PART = "The command segments whole files, and this result is of a part; copy Python instead."
OTHER_THRESHOLDS = (
    "The command takes the thresholds of the model, and this result has others; copy Python "
    "instead."
)


def methods_text(facts: Facts, n_corrected: int = 0) -> str:
    """Return a paragraph for the methods of a paper, with its references.

    Parameters
    ----------
    facts : mapping
        What a result says of the run that made it.
    n_corrected : int
        Nuclei that were added, removed or reshaped by hand since.

    Raises
    ------
    KeyError
        If a fact is missing.
    """
    sentences = [_what(facts), _region(facts), _pixels(facts), _network(facts), _labels(facts)]
    sentences += [_linking(facts), _where(facts), _by_hand(n_corrected)]
    references = [UNET, *([BOWL] if facts["from_built_in"] else []), *LIBRARIES]
    return "\n".join([" ".join(filter(None, sentences)), "", "References", *references, ""])


def python_script(
    facts: Facts, *, model: str, file: str | None = None, n_corrected: int = 0
) -> str:
    """Return a script that makes the labels again, as they were before anything was corrected.

    Parameters
    ----------
    facts, n_corrected
        As for `methods_text`.
    model : str
        Name or file by which the model is found now.
    file : str, optional
        Where the image is, if that can be read.

    Raises
    ------
    KeyError
        If a fact is missing.
    """
    remarks = [_made(facts), _by_hand(n_corrected, " They are not in these labels."), _mixed(facts)]
    lines = [f"# {remark}" for remark in remarks if remark]
    lines += _imports(facts, file)
    lines += [
        "",
        *_reading(facts, file),
        "",
        f"model = nu.load_model({model!r}, device={facts['device_choice']!r})",
        f"if model.sha256 != {facts['model_sha256']!r}:",
        "    raise ValueError('Expected the model that made the labels, got another one.')",
        "",
        *_segmenting(facts),
        "print(labels.max(), 'nuclei')",
        "",
    ]
    return "\n".join(lines)


def command_line(facts: Facts, *, model: str, file: str, windows: bool = os.name == "nt") -> str:
    """Return the command that makes the labels again, for a shell.

    Parameters
    ----------
    facts, model, file
        As for `python_script`.
    windows : bool
        Whether the shell is that of Windows.

    Raises
    ------
    KeyError
        If a fact is missing.
    """
    settings = facts["settings"]
    options = {
        "model": model,
        "axes": facts["axes"],
        "channel": settings["channel"],
        "diameter": settings["diameter"] if facts["diameter_is_given"] else None,
        "link": settings["link"],
        "quality": settings["quality"],
        "anisotropy": settings["anisotropy"] if "Z" in facts["axes"] else None,
        "tile": settings["tile"],
        "device": facts["device_choice"],
    }
    words = ["napari-unet", "segment", file]
    for name, value in options.items():
        words += [] if value is None else [f"--{name}", str(value)]
    return subprocess.list2cmdline(words) if windows else shlex.join(words)


def why_no_command(facts: Facts, file: str | None) -> str:
    """Return in one sentence why no command makes these labels; empty if one does.

    Raises
    ------
    KeyError
        If a fact is missing.
    """
    if file is None:
        return NO_FILE
    if _is_part(facts):
        return A_PART
    has_own = facts["settings"]["instances"] != facts["instances_of_model"]
    return OTHER_THRESHOLDS if has_own else ""


def _what(facts: Facts) -> str:
    channel = facts["settings"]["channel"]
    of = f"axes {facts['axes']}" + ("" if channel is None else f", channel {channel}")
    network = "a U-Net" if facts["network"] == "unet" else f"a U-Net variant ({facts['network']})"
    return (
        f"Nuclei in {facts['image']!r} ({of}) were segmented with {PLUGIN} "
        f"{facts['versions'][PLUGIN]} and its model {facts['model']!r} (SHA-256 "
        f"{facts['model_sha256']}), {network} (Ronneberger et al., 2015){_training(facts)}."
    )


def _training(facts: Facts) -> str:
    """Return what the model learned from, as far as that is known."""
    parts = []
    if facts["from_built_in"]:
        parts.append("trained on images of the 2018 Data Science Bowl (Caicedo et al., 2019)")
    if facts["parent"]:
        n = facts["n_learned"]
        on = "" if n is None else f" on {n} corrected {'nucleus' if n == 1 else 'nuclei'}"
        parts.append(f"fine-tuned from the model {facts['parent']!r}{on}")
    return f", {' and '.join(parts)}" if parts else ""


def _region(facts: Facts) -> str:
    if not _is_part(facts):
        return ""
    text = f"Of the image, [{_slices(facts['region'])}] of {tuple(facts['shape'])} was segmented."
    return " ".join(filter(None, (text, _mixed(facts))))


def _pixels(facts: Facts) -> str:
    settings = facts["settings"]
    low, high, per = (settings["normalisation"][name] for name in ("low", "high", "per"))
    # "type" takes the range of the intensities' type, and no percentiles.
    scaled = (
        "by the range of their type" if per == "type"
        else f"from their percentiles {low:g} and {high:g} of each {per} to 0 and 1"
    )  # fmt: skip
    how = "given" if facts["diameter_is_given"] else "estimated"
    return (
        f"Intensities were scaled {scaled}. The diameter of a typical nucleus was {how} as "
        f"{settings['diameter']:.1f} px; the model is made for {settings['model_diameter']:.1f} px."
    )


def _network(facts: Facts) -> str:
    settings = facts["settings"]
    turned = ", as the mean over eight flips and turns" if settings["quality"] == "best" else ""
    return (
        "The network predicted maps of nuclei, their borders and the depth inside them, in tiles "
        f"of {settings['tile']} px that overlap by {settings['overlap']} px{turned}."
    )


def _labels(facts: Facts) -> str:
    given = ", ".join(f"{name} {value}" for name, value in facts["settings"]["instances"].items())
    return f"Seeds found in the maps were regrown into the nuclei ({given.replace('_', ' ')})."


def _linking(facts: Facts) -> str:
    link, axes = facts["settings"]["link"], facts["axes"]
    parts = []
    if "Z" in axes:
        apart = f"{facts['settings']['anisotropy']:g} px apart"
        parts.append(f"In stacks, nuclei were found {LINKED[link]}, with planes {apart}.")
    if "T" in axes and link != "none":
        parts.append("Over time, nuclei were linked by their overlap.")
    return " ".join(parts)


def _where(facts: Facts) -> str:
    return (
        f"This was computed on {facts['date'][:10]} on {facts['device']} with {_versions(facts)}."
    )


def _versions(facts: Facts) -> str:
    """Return the versions of what a result was made with, each cited."""
    others = {name: number for name, number in facts["versions"].items() if name != PLUGIN}
    return ", ".join(
        WRITTEN.get(name, f"{name} {{}}").format(number) for name, number in others.items()
    )


def _by_hand(n_corrected: int, more: str = "") -> str:
    if not n_corrected:
        return ""
    were = "1 nucleus was" if n_corrected == 1 else f"{n_corrected} nuclei were"
    return f"Afterwards, {were} corrected by hand.{more}"


def _mixed(facts: Facts) -> str:
    is_mixed = facts.get("has_earlier_labels", False)
    return "Labels outside of this part are those of earlier runs." if is_mixed else ""


def _made(facts: Facts) -> str:
    made_with = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"Nuclei in {facts['image']!r} as segmented on {facts['date']} on {facts['device']}: "
        f"{made_with}."
    )


def _imports(facts: Facts, file: str | None) -> list[str]:
    """Return the first lines of a script."""
    reading = [] if file is None else ["from napari_unet.images.files import read_image"]
    numpy = ["import numpy as np", ""] if file is None or _is_part(facts) else []
    return [*numpy, "import napari_unet as nu", *reading]


def _reading(facts: Facts, file: str | None) -> list[str]:
    """Return the lines of a script that read the image."""
    shape = tuple(facts["shape"])
    if file is None:
        return [
            f"# Load the array of the image layer {facts['image']!r} here: shape {shape}, type "
            f"{facts['dtype']}.",
            f"# In napari's console, np.save('image.npy', viewer.layers[{facts['image']!r}].data)",
            "# writes it; for an image of several resolutions, .data[0] instead of .data.",
            "image = np.load('image.npy')",
        ]
    return [
        f"image = read_image({file!r}).data",
        f"if image.shape != {shape}:",
        f"    raise ValueError(f'Expected the shape {shape}, got {{image.shape}}.')",
    ]


def _segmenting(facts: Facts) -> list[str]:
    """Return the lines of a script that make the labels."""
    if not _is_part(facts):
        return [f"labels = {_call('image', facts)}"]
    kept = [axis not in "CS" for axis in facts["axes"]]
    shape = tuple(n for n, is_kept in zip(facts["shape"], kept, strict=True) if is_kept)
    region = [part for part, is_kept in zip(facts["region"], kept, strict=True) if is_kept]
    return [
        f"part = image[{_slices(facts['region'])}]",
        f"labels = np.zeros({shape}, np.int32)",
        f"labels[{_slices(region)}] = {_call('part', facts)}",
    ]


def _call(image: str, facts: Facts) -> str:
    """Return the call that segments an image or a part of one."""
    settings = facts["settings"]
    diameter = settings["diameter"] if facts["diameter_is_given"] else None
    instances = [f"        {name}={value!r}," for name, value in settings["instances"].items()]
    scale = {"Z": settings["anisotropy"], "Y": 1.0} if "Z" in facts["axes"] else None
    return "\n".join(
        [
            "nu.segment(",
            f"    {image},",
            f"    {facts['axes']!r},",
            "    model=model,",
            f"    channel={settings['channel']!r},",
            f"    scale={scale!r},",
            f"    diameter={diameter!r},"
            + ("" if diameter else f"  # estimated: {settings['diameter']:.1f} px"),
            f"    link={settings['link']!r},",
            f"    quality={settings['quality']!r},",
            f"    tile={settings['tile']!r},",
            "    instances=nu.InstanceSettings(",
            *instances,
            "    ),",
            ")",
        ]
    )


def _is_part(facts: Facts) -> bool:
    """Tell whether less than the whole image was segmented."""
    return any(
        (start or 0) > 0 or (stop is not None and stop < n)
        for (start, stop), n in zip(facts["region"], facts["shape"], strict=True)
    )


def _slices(region: Sequence[Sequence[int | None]]) -> str:
    """Return a region as it is written between brackets."""
    return ", ".join(
        ":".join("" if edge is None else str(edge) for edge in (start, stop))
        for start, stop in region
    )
