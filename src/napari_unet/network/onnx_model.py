"""A network of another program with its card: predict, save, load (onnxruntime)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from napari_unet.images.atomic import overwriting
from napari_unet.network import PRECISIONS
from napari_unet.network.card import Card, card_to_json
from napari_unet.network.exchange import check_installed
from napari_unet.network.files import HEADER, check_name, check_new, file_hash, opened
from napari_unet.network.memory import speaks_of_memory
from napari_unet.network.model import Model, check_pixels
from napari_unet.network.packaged import ONNX, PackagedConfig, stepped

FLOAT = "tensor(float)"
QUIET = 4  # of onnxruntime's levels: what goes wrong is raised
BRANCH = "If"  # of the nodes that hold other nodes, the one that runs them at most once


@dataclass
class OnnxModel:
    """A network of another program that turns pixels into maps, as a `Model` does.

    It runs on the processor, in float32, and cannot learn.

    Parameters
    ----------
    weights : bytes
        The network as ONNX, with all its weights in it.
    card : Card
        Its `config` is a `PackagedConfig`.
    sha256 : str
        Of the file it came from; empty if it was never saved.
    path : Path, optional
        That file.

    Raises
    ------
    ImportError
        If the libraries that run it are not installed.
    ValueError
        If it is no such network.
    """

    weights: bytes = field(repr=False)
    card: Card
    sha256: str = ""
    path: Path | None = None
    precision: str = field(default=PRECISIONS[1], init=False)
    _session: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the network ready to run."""
        self._session = _session_of(self.weights)

    @property
    def name(self) -> str:
        """What it is called now: its file can be renamed, the card says how it was made."""
        return self.card.name if self.path is None else self.path.stem

    @property
    def config(self) -> PackagedConfig:
        """What its network takes and gives."""
        if not isinstance(self.card.config, PackagedConfig):
            raise ValueError("Expected the card of a package, got another; load its file.")
        return self.card.config

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return torch.device("cpu")

    def to(self, device: str | None = None, precision: str | None = None) -> OnnxModel:
        """Return it as it is, if that is what is asked for.

        Raises
        ------
        ValueError
            If it is to run elsewhere, or in another precision.
        """
        if device not in (None, "auto", "cpu") or precision not in (None, *PRECISIONS[:2]):
            raise ValueError(
                f"Expected auto or cpu and float32 for {self.name!r}, a network of another "
                f"program, got {device or 'cpu'} and {precision or 'float32'}; choose auto or cpu, "
                "or another model."
            )
        return self

    def predict(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the maps of one plane or tile.

        It is mirrored at its rim as far as the network's halo reaches, and seen in parts where the
        network takes one size alone. No pixel of a halo is in the maps.

        Parameters
        ----------
        pixels : (3, y, x) float32
            Normalised intensities; any size of at least one pixel.

        Returns
        -------
        (maps, y, x) float32
            In 0..1.

        Raises
        ------
        ValueError
            If the pixels have another shape, or the network gives something else than maps.
        MemoryError
            If there is not enough memory.
        """
        check_pixels(pixels, 3)
        config, size = self.config, (pixels.shape[1], pixels.shape[2])
        seen = config.size_for((size[0] + 2 * config.halo[0], size[1] + 2 * config.halo[1]))
        core = (seen[0] - 2 * config.halo[0], seen[1] - 2 * config.halo[1])
        whole = tuple(-(-n // step) * step for n, step in zip(size, core, strict=True))
        around = [(halo, halo + m - n) for halo, m, n in zip(config.halo, whole, size, strict=True)]
        padded = np.pad(self._own_channels(pixels), [(0, 0), *around], mode="symmetric")
        maps = np.empty((len(config.maps), *whole), np.float32)
        for y, x in product(range(0, whole[0], core[0]), range(0, whole[1], core[1])):
            found = self.run(padded[:, y : y + seen[0], x : x + seen[1]])
            inner = found[:, config.halo[0] :, config.halo[1] :][:, : core[0], : core[1]]
            maps[:, y : y + core[0], x : x + core[1]] = inner
        return maps[:, : size[0], : size[1]]

    def run(self, pixels: NDArray[np.float32], seconds: float | None = None) -> NDArray[np.float32]:
        """Return the maps (maps, y, x) of pixels (its channels, y, x) that have a size it takes.

        Parameters
        ----------
        pixels : (its channels, y, x) float32
            Normalised intensities.
        seconds : float, optional
            After which it is stopped.

        Raises
        ------
        ValueError
            If it does not run, or not in time, or gives something else than maps.
        MemoryError
            If there is not enough memory.
        """
        config, size = self.config, pixels.shape[1:]
        made = self._made(laid_out(stepped(pixels, config.before), config.axes), seconds)
        counts = {"b": 1, "c": len(config.channels), "y": size[0], "x": size[1]}
        expected = tuple(counts[axis] for axis in config.output_axes)
        if made.shape != expected:
            raise ValueError(_failed(self.name, f"it gives {made.shape} instead of {expected}"))
        maps = stepped(maps_in(np.asarray(made, np.float32), config.output_axes), config.after)
        # A step can hide that a number is not finite, and can make one.
        if not np.isfinite(made).all() or not np.isfinite(maps).all():
            raise ValueError(_failed(self.name, "it gives numbers that are not finite"))
        return maps[list(config.channels)].clip(0, 1)

    def _made(self, given: NDArray[np.float32], seconds: float | None) -> NDArray[np.float32]:
        """Return what the network itself makes of its input."""
        with _stopping(seconds) as options:
            try:
                inputs = {self._session.get_inputs()[0].name: given}
                made: NDArray[np.float32] = self._session.run(None, inputs, options)[0]
            # onnxruntime has an exception of its own for every kind of failure.
            except Exception as error:
                if speaks_of_memory(str(error)):
                    raise MemoryError(_short(error)) from error
                is_late = options.terminate
                reason = f"it takes longer than {seconds:g} seconds" if is_late else _short(error)
                raise ValueError(_failed(self.name, reason)) from error
            return made

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a ``.safetensors`` file, as `Model.save` does.

        Raises
        ------
        FileExistsError
            If the file is there and `overwrite` is not set.
        OSError
            If it cannot be written.
        ValueError
            If the name has another ending.
        """
        path = Path(path)
        check_name(path)
        check_new(path, overwrite=overwrite)
        with overwriting(path, is_new=not overwrite) as temporary:
            tensors = {ONNX: np.frombuffer(self.weights, np.uint8)}
            save_file(tensors, temporary, {HEADER: card_to_json(self.card)})
        self.sha256, self.path = file_hash(path), path
        return path

    def _own_channels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return pixels (3, y, x) with as many channels as the network takes."""
        if self.config.in_channels == len(pixels):
            return pixels
        # A grey plane is the same in all its channels.
        if pixels.strides[0] == 0:
            return pixels[:1]
        return np.asarray(pixels.mean(axis=0, dtype=np.float64, keepdims=True), np.float32)


AnyModel = Model | OnnxModel
"""What segments: a name, a card, a file and its hash, a device and precision, and `predict`."""


def load_onnx_file(path: str | Path, shown: str | None = None) -> OnnxModel:
    """Return the network of another program in a file of `OnnxModel.save`, which is checked first.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If the libraries that run it are not installed.
    ValueError
        If it is no such file, or damaged.
    """
    path = Path(path)
    with opened(path, "np", shown) as (card, file):
        if list(file.keys()) != [ONNX] or file.get_slice(ONNX).get_dtype() != "U8":
            raise ValueError("its weights do not fit its network")
        return OnnxModel(file.get_tensor(ONNX).tobytes(), card, file_hash(path), path)


def laid_out(pixels: NDArray[np.float32], axes: str) -> NDArray[np.float32]:
    """Return pixels (c, y, x) in other axes, with one more for b.

    Examples
    --------
    >>> laid_out(np.zeros((1, 4, 6), np.float32), "byxc").shape
    (1, 4, 6, 1)
    >>> laid_out(np.zeros((1, 4, 6), np.float32), "xy").shape
    (6, 4)
    """
    names, pixels = ("cyx", pixels) if "c" in axes else ("yx", pixels[0])
    turned = pixels.transpose([names.index(axis) for axis in axes if axis != "b"])
    turned = np.expand_dims(turned, axes.index("b")) if "b" in axes else turned
    return np.ascontiguousarray(turned)


def maps_in(made: NDArray[np.float32], axes: str) -> NDArray[np.float32]:
    """Return an output of these axes as (c, y, x): the way back of `laid_out`."""
    planes = np.take(made, [0], axes.index("b")).squeeze(axes.index("b")) if "b" in axes else made
    names = axes.replace("b", "")
    turned = planes.transpose([names.index(axis) for axis in "cyx" if axis in names])
    return turned if "c" in names else turned[None]


def _session_of(weights: bytes) -> Any:
    """Return what runs a network of ONNX, once it is known to be one in a single piece."""
    check_installed("onnx", "onnxruntime")
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        model = onnx.ModelProto.FromString(weights)
        # Where weights are in other files, these could be any of the computer.
        if any(
            tensor.data_location == tensor.EXTERNAL for tensor in _messages(model, "TensorProto")
        ):
            raise ValueError("its weights are in another file")
        if any(map(_can_repeat, _messages(model, "NodeProto"))):
            raise ValueError("it has loops, of which nobody knows when they end")
        # Put in where they are named, some that name others twice each become any number of nodes.
        if model.functions:
            raise ValueError("it has functions of its own")
        session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    # Both have exceptions of their own for every kind of damage.
    except Exception as error:
        if speaks_of_memory(str(error)):
            raise MemoryError(_short(error)) from error
        raise ValueError(f"its network of ONNX cannot be used: {_short(error)}") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [put.type for put in (*inputs, *outputs[:1])] != [FLOAT, FLOAT] or not outputs:
        raise ValueError("its network of ONNX is not one of one float32 input and output")
    return session


@contextmanager
def _stopping(seconds: float | None) -> Iterator[Any]:
    """Yield options of a run that is stopped after some seconds, or never."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    if seconds is None:
        yield options
        return
    timer = threading.Timer(seconds, setattr, (options, "terminate", True))
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()


def _can_repeat(node: Any) -> bool:
    """Tell whether a node runs others as often as a number says, which can be any."""
    holds = any(a.HasField("g") or a.graphs for a in node.attribute)
    return holds and node.op_type != BRANCH


def _messages(message: Any, kind: str) -> Iterator[Any]:
    """Yield all parts of a kind in a network of ONNX, wherever they are in it."""
    if message.DESCRIPTOR.name == kind:
        yield message
    for described, value in message.ListFields():
        if described.message_type is not None:
            for part in value if isinstance(value, list) or hasattr(value, "add") else [value]:
                yield from _messages(part, kind)


def _failed(name: str, reason: str) -> str:
    return (
        f"Expected maps from {name!r}, a network of another program, got none ({reason}); choose "
        "another model."
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:200]
