"""How a result was made, as programs that make it again: a script and a command.

Every setting is named, so that a default that changes later changes nothing. As in `methods`, all
is said from the facts that a result carries.
"""

from __future__ import annotations

import os
import shlex
import subprocess

from napari_unet.methods import Facts, by_hand, is_part, mixed, slices

NO_FILE = (
    "The command reads TIFF, PNG, JPEG and BMP files, and this image was not opened from one, or "
    "is shown in another shape; copy Python instead."
)
A_PART = "The command segments whole files, and this result is of a part; copy Python instead."
OTHER_THRESHOLDS = (
    "The command takes the thresholds of the model, and this result has others; copy Python "
    "instead."
)


def python_script(
    facts: Facts, *, model: str, file: str | None = None, n_corrected: int = 0
) -> str:
    """Return a script that makes the labels again, as they were before anything was corrected.

    Parameters
    ----------
    facts, n_corrected
        As for `methods.methods_text`.
    model : str
        Name or file by which the model is found now.
    file : str, optional
        Where the image is, if that can be read.

    Raises
    ------
    KeyError
        If a fact is missing.
    """
    remarks = [_made(facts), by_hand(n_corrected, " They are not in these labels."), mixed(facts)]
    lines = [f"# {remark}" for remark in remarks if remark]
    lines += _imports(facts, file)
    lines += [
        "",
        *_reading(facts, file),
        "",
        f"model = nu.load_model({model!r}, device={facts['device_choice']!r}, "
        f"precision={facts.get('precision_choice')!r})",
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
        "views": settings["views"] if "Z" in facts["axes"] else None,
        "anisotropy": settings["anisotropy"] if "Z" in facts["axes"] else None,
        "tile": settings["tile"],
        "device": facts["device_choice"],
        # Results of before it could be chosen say nothing of it.
        "precision": facts.get("precision_choice"),
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
    if is_part(facts):
        return A_PART
    has_own = facts["settings"]["instances"] != facts["instances_of_model"]
    return OTHER_THRESHOLDS if has_own else ""


def _made(facts: Facts) -> str:
    made_with = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"Nuclei in {facts['image']!r} as segmented on {facts['date']} on {facts['device']}: "
        f"{made_with}."
    )


def _imports(facts: Facts, file: str | None) -> list[str]:
    """Return the first lines of a script."""
    reading = [] if file is None else ["from napari_unet.images.files import read_image"]
    numpy = ["import numpy as np", ""] if file is None or is_part(facts) else []
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
    if not is_part(facts):
        return [f"labels = {_call('image', facts)}"]
    kept = [axis not in "CS" for axis in facts["axes"]]
    shape = tuple(n for n, is_kept in zip(facts["shape"], kept, strict=True) if is_kept)
    region = [part for part, is_kept in zip(facts["region"], kept, strict=True) if is_kept]
    return [
        f"part = image[{slices(facts['region'])}]",
        f"labels = np.zeros({shape}, np.int32)",
        f"labels[{slices(region)}] = {_call('part', facts)}",
    ]


def _call(image: str, facts: Facts) -> str:
    """Return the call that segments an image or a part of one."""
    settings = facts["settings"]
    diameter = settings["diameter"] if facts["diameter_is_given"] else None
    instances = [f"        {name}={value!r}," for name, value in settings["instances"].items()]
    distance = settings["anisotropy"] if "Z" in facts["axes"] else None
    scale = None if distance is None else {"Z": distance, "Y": 1.0}
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
            f"    views={settings['views']!r},",
            f"    tile={settings['tile']!r},",
            "    instances=nu.InstanceSettings(",
            *instances,
            "    ),",
            ")",
        ]
    )
