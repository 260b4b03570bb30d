from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# The networks of the tests are tiny: threads gain nothing, and cost a hundredfold where another
# program keeps the cores busy. Torch looks at this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A slow machine is no bug, and CI must fail or pass the same way twice.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the models of whoever runs the tests out of them, and the tests' own out of theirs."""
    monkeypatch.setenv("NAPARI_UNET_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let every connection fail, and the test as well; what was asked for is listed."""
    asked: list[str] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        asked.append(str(arguments))
        raise OSError("a test asked the network")

    for name in ("socket.connect", "socket.connect_ex", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(f"socket.{name}", refuse)
    yield asked
    # Whoever asks may have a use for the error.
    assert asked == []


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    """Fail before Qt does: without a display it aborts the whole run, and says little."""
    if sys.platform == "linux" and not _has_display():
        pytest.fail("GUI tests draw real windows: run them by `make test` or `tools/display`.")
    return [Path(sys.argv[0]).name]


def _has_display() -> bool:
    offscreen = os.environ.get("QT_QPA_PLATFORM") == "offscreen"
    return not offscreen and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@pytest.fixture
def bright_model(tmp_path: Path) -> Path:
    """A model file whose network sees nuclei where the pixels are bright, in one convolution."""
    import torch

    from napari_unet.network.card import Card
    from napari_unet.network.model import Model
    from napari_unet.network.unet import UNet, UNetConfig

    network = UNet(UNetConfig(filters=(3,), dropout=(0.0,), batch_norm=False, stem=1)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for layer in (m for m in network.contracting.modules() if isinstance(m, torch.nn.Conv2d)):
            layer.weight[range(3), range(3), 1, 1] = 1.0
        network.head.weight[[0, 2], 0] = 40.0
        network.head.bias[:] = torch.tensor([-20.0, -20.0, -20.0])
    model = Model(network, Card("bright", network.config, 20.0))
    return model.save(tmp_path / "bright.safetensors")


@pytest.fixture
def other_package(tmp_path: Path) -> Callable[..., Path]:
    """What writes a package of another program; see `_package_parts`."""

    def write(name: str = "other", spoil: Callable[[dict], None] | None = None, **how: Any) -> Path:
        parts = _package_parts(**how)
        if spoil is not None:
            facts = json.loads(parts["rdf.yaml"])
            spoil(facts)
            parts["rdf.yaml"] = json.dumps(facts).encode()
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as package:
            for part, content in parts.items():
                package.writestr(part, content)
        return tmp_path / f"{name}.zip"

    return write


def _package_parts(
    axes: str = "bcyx",
    output_axes: str = "bcyx",
    size: int = 96,
    step: int = 16,
    halo: int = 16,
    steps: tuple[tuple[str, dict[str, Any]], ...] = (("zero_mean_unit_variance", {}),),
    after: tuple[tuple[str, dict[str, Any]], ...] = (("sigmoid", {}),),
    n_maps: int = 2,
    is_new: bool = True,
    is_softmax: bool = False,
) -> dict[str, bytes]:
    """Return the files of a package whose network finds nuclei where a blurred image is bright.

    The network takes what `steps` make of an image, and gives logits; what it is told to do is
    worked out anew here, for the test output. With `is_softmax` its logits are of background and
    foreground.
    """
    import onnxruntime

    from napari_unet.images.synthetic import nuclei_field

    image = nuclei_field((size + 2 * step, size + step), n=12, diameter=20.0)[0]
    image = image.astype(np.float32)
    weights = _bright_network(axes, output_axes, n_maps, is_softmax=is_softmax)
    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    ready = _laid_out(_worked_out(image, steps), axes)
    made = session.run(None, {"pixels": ready})[0]
    arrays = {"in.npy": _laid_out(image, axes), "out.npy": _worked_out(made, after)}
    parts = {name: _as_npy(array) for name, array in arrays.items()}
    tensors = _new_tensors if is_new else _old_tensors
    facts = {
        "type": "model",
        "format_version": "0.5.4" if is_new else "0.4.10",
        "name": "Bright nuclei",
        "description": "Finds what is bright.",
        "version": "0.1.0",
        "authors": [{"name": "Ada Byron"}],
        "cite": [{"text": "Byron A, Bright nuclei, 2026", "doi": "10.1234/bright"}],
        "license": "CC-BY-4.0",
        "documentation": "README.md",
        "weights": {"onnx": {"source": "weights.onnx", "opset_version": 18}},
        **tensors(axes, output_axes, (size, step, halo), steps, after, n_maps),
    }
    if not is_new:
        facts |= {"timestamp": "2026-01-01T00:00:00", "covers": [], "tags": ["nuclei"]}
    others = {"README.md": b"# Bright nuclei\n", "weights.onnx": weights}
    return {"rdf.yaml": json.dumps(facts).encode(), **others, **parts}


def _bright_network(axes: str, output_axes: str, n_maps: int, *, is_softmax: bool) -> bytes:
    """Return a network of ONNX: the mean of 5x5 pixels as logits, and those of its flank."""
    from onnx import TensorProto, helper, numpy_helper

    def turned(given: str, wanted: str) -> list[int]:
        return [given.index(axis) for axis in wanted]

    numbers = {
        "kernel": np.full((1, 1, 5, 5), 1 / 25),
        "half": np.array(0.5),
        "steep": np.array(12.0),
        "narrow": np.array(0.4),
    }
    both = ["background", "nucleus"] if is_softmax else ["nucleus", "border"][:n_maps]
    nodes = [
        helper.make_node("Transpose", ["pixels"], ["plane"], perm=turned(axes, "bcyx")),
        helper.make_node("Conv", ["plane", "kernel"], ["mean"], pads=[2, 2, 2, 2]),
        helper.make_node("Sub", ["mean", "half"], ["above"]),
        helper.make_node("Mul", ["above", "steep"], ["nucleus"]),
        helper.make_node("Abs", ["above"], ["far"]),
        helper.make_node("Sub", ["narrow", "far"], ["near"]),
        helper.make_node("Mul", ["near", "steep"], ["border"]),
        helper.make_node("Neg", ["nucleus"], ["background"]),
        helper.make_node("Concat", both, ["both"], axis=1),
        helper.make_node("Transpose", ["both"], ["maps"], perm=turned("bcyx", output_axes)),
    ]
    names = {"b": "b", "y": "y", "x": "x"}
    graph = helper.make_graph(
        nodes,
        "bright",
        [
            helper.make_tensor_value_info(
                "pixels", TensorProto.FLOAT, [names.get(axis, 1) for axis in axes]
            )
        ],
        [
            helper.make_tensor_value_info(
                "maps", TensorProto.FLOAT, [names.get(axis, n_maps) for axis in output_axes]
            )
        ],
        [numpy_helper.from_array(n.astype(np.float32), name) for name, n in numbers.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    model: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return model


def _worked_out(pixels: np.ndarray, steps: tuple[tuple[str, dict[str, Any]], ...]) -> np.ndarray:
    """Return pixels after the steps of a description, by its own words."""
    for kind, how in steps:
        if kind == "zero_mean_unit_variance":
            pixels = (pixels - pixels.mean()) / pixels.std()
        elif kind == "scale_range":
            low, high = np.percentile(pixels, [how["min_percentile"], how["max_percentile"]])
            pixels = (pixels - low) / (high - low)
        elif kind == "scale_linear":
            pixels = pixels * how["gain"] + how["offset"]
        elif kind == "clip":
            pixels = pixels.clip(how["min"], how["max"])
        elif kind == "sigmoid":
            pixels = 1 / (1 + np.exp(-pixels))
    return pixels.astype(np.float32)


def _laid_out(plane: np.ndarray, axes: str) -> np.ndarray:
    """Return a plane (y, x) in axes of which b and c have one place."""
    turned = plane.T if axes.index("x") < axes.index("y") else plane
    return np.expand_dims(turned, [axes.index("b"), axes.index("c")])


def _as_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array.astype(np.float32))
    return file.getvalue()


def _new_tensors(axes, output_axes, sizes, steps, after, n_maps) -> dict[str, Any]:
    """Return input and output as the format 0.5 has them."""
    size, step, halo = sizes

    def axis(name: str, names: list[str], *, is_output: bool) -> dict[str, Any]:
        if name in "bc":
            return {"type": "batch"} if name == "b" else {"type": "channel", "channel_names": names}
        if is_output:
            side: Any = {"tensor_id": "pixels", "axis_id": name}
        else:
            side = {"min": size, "step": step} if step else size
        more = {"halo": halo} if is_output and halo else {}
        return {"type": "space", "id": name, "size": side, **more}

    def tensor(name: str, letters: str, names: list[str], file: str) -> dict[str, Any]:
        parts = [axis(letter, names, is_output=name == "maps") for letter in letters]
        data = {"type": "float32"}
        return {"id": name, "axes": parts, "test_tensor": {"source": file}, "data": data}

    def listed(kinds) -> list[dict[str, Any]]:
        return [{"id": kind, **({"kwargs": how} if how else {})} for kind, how in kinds]

    maps = ["foreground", "boundary"][:n_maps]
    return {
        "inputs": [{**tensor("pixels", axes, ["grey"], "in.npy"), "preprocessing": listed(steps)}],
        "outputs": [
            {**tensor("maps", output_axes, maps, "out.npy"), "postprocessing": listed(after)}
        ],
    }


def _old_tensors(axes, output_axes, sizes, steps, after, n_maps) -> dict[str, Any]:
    """Return input and output as the format 0.4 has them."""
    size, step, halo = sizes
    least = [size if axis in "yx" else 1 for axis in axes]
    if step:
        shape: Any = {"min": least, "step": [step if axis in "yx" else 0 for axis in axes]}
    else:
        shape = least
    scale = [0 if axis == "c" else 1 for axis in output_axes]
    offset = [n_maps / 2 if axis == "c" else 0 for axis in output_axes]
    joint = {"mode": "per_sample", "axes": "".join(axis for axis in axes if axis != "b")}
    statistics = ("zero_mean_unit_variance", "scale_range")
    before = [
        {"name": kind, "kwargs": {**(joint if kind in statistics else {}), **how}}
        for kind, how in steps
    ]
    follows = {"reference_tensor": "pixels", "scale": scale, "offset": offset}
    return {
        "inputs": [
            {
                "name": "pixels",
                "axes": axes,
                "data_type": "float32",
                "shape": shape,
                "preprocessing": before,
            }
        ],
        "outputs": [
            {
                "name": "maps",
                "axes": output_axes,
                "data_type": "float32",
                "shape": follows,
                "halo": [halo if axis in "yx" else 0 for axis in output_axes],
                "postprocessing": [
                    {"name": kind, **({"kwargs": how} if how else {})} for kind, how in after
                ],
            }
        ],
        "test_inputs": ["in.npy"],
        "test_outputs": ["out.npy"],
    }
