"""The Python functions: thin calls of the walk with a model from the library."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.arrays import as_array, as_image, check_fits, read_whole, unread_bytes
from napari_unet.images.axes import guess_axes, label_shape, parse_axes
from napari_unet.images.spacing import anisotropy, scale_by_axis
from napari_unet.learning.corrections import corrections
from napari_unet.learning.crops import Crop, correction_crops
from napari_unet.learning.finetune import FineTune, FineTuneSettings, FineTuning
from napari_unet.learning.fit import Step
from napari_unet.network.library import BUILT_IN, load_model, load_unet
from napari_unet.network.model import Model
from napari_unet.network.onnx_model import AnyModel
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.segmentation import (
    Progress,
    SegmentSettings,
    check_room,
    finish,
    image_diameter,
    overlap_for,
    predict_maps,
)
from napari_unet.segmentation import segment as walk

Report = Callable[[Progress], None]
SECONDS_BETWEEN_CHECKPOINTS = 10.0


def segment(
    image: Any,
    axes: str | None = None,
    *,
    model: str | Path | AnyModel = BUILT_IN,
    channel: int | None = None,
    scale: Mapping[str, float] | Sequence[float] | None = None,
    diameter: float | None = None,
    link: str = SegmentSettings.link,
    quality: str = SegmentSettings.quality,
    views: str = SegmentSettings.views,
    tile: int = SegmentSettings.tile,
    instances: InstanceSettings | None = None,
    device: str | None = None,
    precision: str | None = None,
    progress: Report | None = None,
) -> NDArray[np.int32]:
    """Segment the nuclei of an image, a stack or a movie.

    Parameters
    ----------
    image : array-like
        Intensities of any real type: NumPy, dask, zarr.
    axes : str, optional
        One letter per axis: T, Z, C, Y, X, and S for colour samples; guessed from the shape
        if not given.
    model : str, Path or Model
        A name of :func:`list_models`, a model file or a loaded model.
    channel : int, optional
        Which channel holds the nuclei, where there is an axis C; the first if not given.
    scale : mapping of str to float, or sequence of float, optional
        Voxel size by axis letter, or one per axis; only the ratio of Z to Y counts. If it is not
        given, that is estimated by the shape of the nuclei.
    diameter : float, optional
        Of a typical nucleus, in pixels of y and x; estimated if not given.
    link : {"auto", "volume", "overlap", "none"}
        How planes along Z become nuclei; see :class:`SegmentSettings`.
    quality : {"fast", "best"}
        "best" takes the mean over eight flips and quarter turns of the image,
        in eight times the time of the network.
    views : {"planes", "three"}
        "three" shows the network a stack from its sides as well; see :class:`SegmentSettings`.
    tile : int
        Side of the squares, in pixels, in which the network sees the image; smaller ones need
        less memory.
    instances : InstanceSettings, optional
        How nuclei come out of the maps; what suits the model if not given.
    device : str, optional
        "auto" (the fastest that works), "cuda", "mps" or "cpu". If not given, a loaded model
        stays where it is, and another one is loaded as for "auto".
    precision : str, optional
        "auto" (what the device is fast at), "float32", "bfloat16" or, but for the CPU, "float16".
        If not given, a loaded model stays as it is, and another one is loaded as for "auto".
    progress : callable, optional
        Called with every :class:`Progress`.

    Returns
    -------
    array of int32
        The image's shape less its axes C and S; 0 is background.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        If axes, pixels, settings or model do not fit, with what to do about it.
    """
    pixels, axes = _pixels_and_axes(image, axes)
    loaded = load_model(model, device, precision)
    settings = model_settings(
        loaded,
        channel=channel,
        diameter=diameter,
        link=link,
        quality=quality,
        views=views,
        tile=tile,
        instances=instances,
        anisotropy=anisotropy(scale_by_axis({} if scale is None else scale, axes)),
    )
    return finish(walk(pixels, axes, loaded.predict, settings), progress).labels


def predict(
    image: Any,
    axes: str | None = None,
    *,
    model: str | Path | AnyModel = BUILT_IN,
    channel: int | None = None,
    diameter: float | None = None,
    quality: str = SegmentSettings.quality,
    device: str | None = None,
    precision: str | None = None,
    progress: Report | None = None,
) -> NDArray[np.uint8]:
    """Give the maps that the network makes of an image: nucleus, border and distance.

    Parameters
    ----------
    image, axes, model, channel, quality, device, precision, progress
        As for :func:`segment`.
    diameter : float, optional
        Of a typical nucleus, in pixels; the image is taken at its own scale if not given.

    Returns
    -------
    array of uint8, (3, ...)
        0..255 stands for 0..1; the image's shape less its axes C and S after the first axis.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        As :func:`segment`.
    """
    pixels, axes = _pixels_and_axes(image, axes)
    check_room(pixels, axes)
    loaded = load_model(model, device, precision)
    settings = model_settings(loaded, channel=channel, diameter=diameter, quality=quality)
    steps = predict_maps(pixels, axes, loaded.predict, settings)
    return finish(steps, progress)


def fine_tune(
    model: str | Path | Model,
    images: Any,
    labels: Any,
    known: Any = None,
    axes: str | Sequence[str] | None = None,
    *,
    seconds: float = FineTuneSettings.seconds,
    channel: int | None = None,
    diameter: float | None = None,
    device: str | None = None,
    names: Sequence[str] | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Callable[[Step], None] | None = None,
) -> FineTune:
    """Teach a model with corrected labels, and tell whether it got better.

    Nothing is saved: `FineTune.model` is the tuned model, whose `save` does that, and
    `FineTune.objection` says why it had better not be used, if so.

    Parameters
    ----------
    model : str, Path or Model
        A name of :func:`list_models`, a model file or a loaded model; it stays as it is.
    images, labels, known : array or list of arrays
        Images, their labels, and where these are right (bool; everywhere if not given). Labels
        and known have the image's shape less its axes C and S.
    axes : str or list of str, optional
        One letter per axis, for all images or for each; guessed from the shapes if not given.
    channel, diameter, device
        As for :func:`segment`, the same for all images.
    seconds : float
        Time to learn.
    names : sequence of str, optional
        What the images are called in the new model's card; "image 1" and so on if not given.
    checkpoint : Path, optional
        A ``.safetensors`` file in which the run is saved every ten seconds; removed at its end.
    resume : bool
        Go on from that file, with the same model, images and settings.
    progress : callable, optional
        Called with every :class:`Step`.

    Returns
    -------
    FineTune

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        If arrays, axes or model do not fit, or nothing is known.
    """
    loaded = load_unet(model, device)
    settings = model_settings(loaded, channel=channel, diameter=diameter)
    examples = _examples(images, labels, known, axes)
    for example in examples:
        _check_room(*example)
    sources = names or [f"image {number}" for number in range(1, len(examples) + 1)]
    if not len(set(sources)) == len(sources) == len(examples):
        raise ValueError(
            f"Expected different names of {len(examples)} images, got {', '.join(sources)}; give "
            "one for each."
        )
    crops = [
        crop
        for source, example in zip(sources, examples, strict=True)
        for crop in _crops(loaded, *example, settings, source=source)
    ]
    run = FineTuning(loaded, crops, FineTuneSettings(seconds=seconds))
    for step in _saved(run, checkpoint, resume=resume):
        if progress is not None:
            progress(step)
    tuned = run.conclude()
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return tuned


def _saved(run: FineTuning, checkpoint: Path | None, *, resume: bool) -> Iterator[Step]:
    """Give the steps of a run that goes on from a file, and is saved in it now and then."""
    if checkpoint is None:
        yield from run.steps()
        return
    if resume:
        run.restore(checkpoint)
    saved = time.monotonic()
    for step in run.steps():
        if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            run.save(checkpoint)
            saved = time.monotonic()
        yield step


def model_settings(
    model: AnyModel, *, instances: InstanceSettings | None = None, **choices: Any
) -> SegmentSettings:
    """Give the settings that suit a model, with the user's choices among them."""
    settings = SegmentSettings(
        model_diameter=model.card.diameter,
        overlap=overlap_for(model.config.halo),
        grid=model.config.multiple,
        normalisation=model.card.normalisation,
        instances=instances or model.card.instances,
    )
    return replace(settings, **choices)


def _examples(
    images: Any, labels: Any, known: Any, axes: str | Sequence[str] | None
) -> list[tuple[Any, Any, Any, Any]]:
    """Give image, labels, known and axes of one after the other, given alone or as lists."""
    if not isinstance(images, list | tuple):
        images, labels, known = [images], [labels], None if known is None else [known]
    known = [None] * len(images) if known is None else known
    one_for_all = axes is None or isinstance(axes, str)
    each = [axes] * len(images) if one_for_all else list(axes or ())
    if not len(images) == len(labels) == len(known) == len(each):
        raise ValueError(
            f"Expected labels, known and axes for each of {len(images)} images, got "
            f"{len(labels)}, {len(known)} and {len(each)}; give lists of one length."
        )
    return list(zip(images, labels, known, each, strict=True))


def _check_room(image: Any, labels: Any, known: Any, axes: str | None) -> None:
    """Refuse an image, before anything is learned, of which there is no memory for the labels.

    They are read as a whole, as int32, and so is where they are known; the image plane by plane.
    """
    (pixels, axes), truth = _pixels_and_axes(image, axes), as_array(labels)
    plane = math.prod(pixels.shape[axis] for axis, name in enumerate(axes) if name in "YXS")
    made = math.prod(truth.shape) * sum(np.dtype(it).itemsize for it in (np.int32, bool))
    unread = unread_bytes(truth) + (0 if known is None else unread_bytes(as_array(known)))
    check_fits(pixels.shape, plane * pixels.dtype.itemsize + made + unread)


def _crops(
    model: Model,
    image: Any,
    labels: Any,
    known: Any,
    axes: str | None,
    settings: SegmentSettings,
    source: str,
) -> list[Crop]:
    """Give the crops of one image that hold all that is known."""
    pixels, axes = _pixels_and_axes(image, axes)
    truth = read_whole(labels)
    where = np.ones(truth.shape, bool) if known is None else read_whole(known).astype(bool)
    shape = label_shape(axes, pixels.shape)
    for what, array in (("labels", truth), ("known", where)):
        if array.shape != shape:
            raise ValueError(
                f"Expected {what} of the shape {shape} of {source!r}, got {array.shape}; check "
                "that they belong together."
            )
    return correction_crops(
        pixels,
        axes,
        corrections(truth, truth, where),
        diameter=settings.diameter or image_diameter(pixels, axes, model.predict, settings),
        normalisation=settings.normalisation,
        channel=settings.channel,
        source=source,
    )


def _pixels_and_axes(image: Any, axes: str | None) -> tuple[Any, str]:
    """Give an image as something with a shape, and its checked axes."""
    pixels = as_image(image)
    shape = tuple(pixels.shape)
    if not isinstance(axes, str | None):
        raise TypeError(f"Expected axes as text such as 'ZYX', got {axes!r}; leave them out.")
    return pixels, parse_axes(axes, shape) if axes else guess_axes(shape)
