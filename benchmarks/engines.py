"""A model's network by other engines than torch itself, on this processor, in turn.

    python benchmarks/engines.py [--model nuclei] [--side 1024] [--rounds 15]

Times one tile from pixels (3, y, x) float32 to maps (3, y, x) float32 by `Model.predict`, by
`torch.compile` (needs a C++ compiler), and by ONNX Runtime and OpenVINO, which take the network as
`napari-unet export` writes it (extra `zoo`). An engine that is not installed is left out. "largest
difference" is that of the maps to those of float32; "weight" is what the engine's package takes on
disk; "ready" is what loading and the first tile take. Nothing else may run on the machine.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_unet.api import model_settings
from napari_unet.images.planes import network_input
from napari_unet.images.synthetic import nuclei_field
from napari_unet.network.device import precision
from napari_unet.network.exporting import export_for_others
from napari_unet.network.library import load_model
from napari_unet.network.model import Model

Engine = Callable[[NDArray[np.float32]], NDArray[np.float32]]
DIAMETER = 22.0  # px
DENSITY = 7e-4  # nuclei per pixel


def by_compiling(model: Model) -> Engine:
    network = torch.compile(model.network)
    dtype = precision(model.device)

    def predict(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        image = torch.from_numpy(pixels)[None].contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            return network(image)[0].contiguous().float().sigmoid().numpy()

    return predict


def by_onnxruntime(path: Path) -> Engine:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {"pixels": pixels[None]})[0][0]


def by_openvino(path: Path, kind: str) -> Engine:
    import openvino

    wanted = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": kind}
    wanted["INFERENCE_NUM_THREADS"] = torch.get_num_threads()
    compiled = openvino.Core().compile_model(path, "CPU", wanted)
    return lambda pixels: compiled(pixels[None])[0][0]


def engines(model: Model, path: Path) -> Iterator[tuple[str, str, str, Callable[[], Engine]]]:
    """Give name, package and precision of each engine, and what makes it ready."""
    own = str(precision(model.device)).removeprefix("torch.")
    single = replace(model, precision="float32")
    yield "torch, as shipped", "torch", own, lambda: model.predict
    yield "torch", "torch", "float32", lambda: single.predict
    yield "torch.compile", "torch", own, lambda: by_compiling(model)
    yield "ONNX Runtime", "onnxruntime", "float32", lambda: by_onnxruntime(path)
    yield "OpenVINO", "openvino", "float32", lambda: by_openvino(path, "f32")
    yield "OpenVINO", "openvino", "bfloat16", lambda: by_openvino(path, "bf16")


def weight(package: str) -> float:
    """Give the MB that a package takes on disk."""
    files = importlib.metadata.files(package) or []
    return sum(it.size or 0 for it in files) / 1e6


def made_ready(
    model: Model, path: Path, pixels: NDArray[np.float32]
) -> Iterator[tuple[str, str, str, Engine, float]]:
    for name, package, kind, make in engines(model, path):
        started = time.perf_counter()
        try:
            engine = make()
            engine(pixels)
        except ImportError:
            continue
        yield name, package, kind, engine, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    model = load_model(options.model, "cpu")
    shape = (options.side, options.side)
    image, _ = nuclei_field(shape, n=round(DENSITY * options.side**2), diameter=DIAMETER)
    pixels = np.array(network_input(image, model_settings(model).normalisation))
    expected = replace(model, precision="float32").predict(pixels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.onnx")
        export_for_others(model, path)
        ready = list(made_ready(model, path, pixels))
        seconds: list[list[float]] = [[] for _ in ready]
        for _ in range(options.rounds):
            for (*_, engine, _), row in zip(ready, seconds, strict=True):
                started = time.perf_counter()
                engine(pixels)
                row.append(time.perf_counter() - started)
        print(f"{model.name}, {options.side} px, {torch.get_num_threads()} threads\n")
        print("| engine | precision | Mpx/s | to the first | largest difference | ready s | MB |")
        print("|---|---|---|---|---|---|---|")
        rates = [pixels[0].size / 1e6 / statistics.median(row) for row in seconds]
        for (name, package, kind, engine, loading), rate in zip(ready, rates, strict=True):
            apart = float(np.abs(engine(pixels) - expected).max())
            line = f"| {name} | {kind} | {rate:.2f} | {rate / rates[0]:.2f} | {apart:.3f} "
            print(line + f"| {loading:.1f} | {weight(package):.0f} |")


if __name__ == "__main__":
    main()
