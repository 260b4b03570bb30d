"""A 2-D U-Net of torch-em, built anew as ONNX from its weights alone; its Python is never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unet.network.exchange import INPUT, OUTPUT, check_installed

OPSET, FORMAT = 18, 9  # of ONNX
# Of the convolutions in a block.
PLACES, NORMALISED_PLACES = (0, 2), (1, 4)


def onnx_of_state(state: Mapping[str, NDArray[np.float32]], *, is_sigmoid: bool) -> bytes:
    """Return a U-Net of torch-em as ONNX, which takes and gives float32 (b, c, y, x).

    Depth, filters and whether it normalises are seen from the names and shapes of its weights.

    Parameters
    ----------
    state : mapping of str to array of float32
        The state dict of a ``UNet2d`` with instance normalisation, or with none.
    is_sigmoid : bool
        Whether it ends in a sigmoid, which no weight shows.

    Raises
    ------
    ImportError
        If ONNX is not installed.
    ValueError
        If it is the state dict of another network.

    References
    ----------
    https://github.com/constantinpape/torch-em, torch_em/model/unet.py.
    """
    check_installed("onnx")
    graph = _Graph(state)
    try:
        maps = _unet(graph)
        if graph.weights:
            raise KeyError(min(graph.weights))
    except KeyError as error:
        raise ValueError(
            f"its state dict is not that of a UNet2d of torch-em, by {error}, and the Python code "
            "of other networks is never run here"
        ) from error
    return graph.written(graph.node("Sigmoid", maps) if is_sigmoid else maps)


def _unet(graph: _Graph) -> str:
    """Add all layers to a graph, and return the name of what comes out."""
    is_normalised = "base.block.1.weight" in graph.weights
    depth = sum(name.startswith("decoder.samplers.") for name in graph.weights) // 2
    pixels, across = INPUT, []
    for level in range(depth):
        across.append(_block(graph, f"encoder.blocks.{level}", pixels, is_normalised))
        pixels = graph.node("MaxPool", across[-1], kernel_shape=[2, 2], strides=[2, 2])
    pixels = _block(graph, "base", pixels, is_normalised)
    for level, skipped in enumerate(reversed(across)):
        up = graph.convolution(graph.doubled(pixels), f"decoder.samplers.{level}.conv")
        both = graph.node("Concat", up, skipped, axis=1)
        pixels = _block(graph, f"decoder.blocks.{level}", both, is_normalised)
    return graph.convolution(pixels, "out_conv")


def _block(graph: _Graph, name: str, pixels: str, is_normalised: bool) -> str:
    for place in NORMALISED_PLACES if is_normalised else PLACES:
        layer = f"{name}.block.{place}"
        seen = graph.normalised(pixels, layer) if is_normalised else pixels
        pixels = graph.node("Relu", graph.convolution(seen, layer))
    return pixels


class _Graph:
    """Nodes of ONNX, one after the other, with the weights that none of them has taken yet."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        self.weights = dict(weights)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, **how: Any) -> str:
        """Add a node, and return the name of its output."""
        from onnx import helper

        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **how))
        return name

    def constant(self, array: NDArray[np.float32]) -> str:
        """Add an array, and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def convolution(self, pixels: str, layer: str) -> str:
        """Add a convolution that keeps the size, and return the name of its output."""
        rim = [side // 2 for side in self.kernel(layer)[2:]]
        arrays = [self.constant(self.weights.pop(f"{layer}.{part}")) for part in ("weight", "bias")]
        return self.node("Conv", pixels, *arrays, pads=rim * 2)

    def kernel(self, layer: str) -> tuple[int, ...]:
        """Return the shape of a convolution's weights: channels out and in, y, x."""
        shape = self.weights[f"{layer}.weight"].shape
        if len(shape) != 4:
            raise KeyError(f"{layer}.weight")
        return shape

    def normalised(self, pixels: str, layer: str) -> str:
        """Add what brings each channel that a layer takes to mean 0 and variance 1."""
        n_channels = self.kernel(layer)[1]
        scale, offset = np.ones(n_channels, np.float32), np.zeros(n_channels, np.float32)
        arrays = self.constant(scale), self.constant(offset)
        return self.node("InstanceNormalization", pixels, *arrays, epsilon=1e-5)

    def doubled(self, pixels: str) -> str:
        """Add what doubles y and x by bilinear interpolation."""
        factors = self.constant(np.array([1, 1, 2, 2], np.float32))
        how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return self.node("Resize", pixels, "", factors, **how)

    def written(self, maps: str) -> bytes:
        """Return all of it as a file of ONNX, of which an output is given away."""
        from onnx import TensorProto, helper

        self.nodes.append(helper.make_node("Identity", [maps], [OUTPUT]))
        given, made = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", None, "y", "x"])
            for name in (INPUT, OUTPUT)
        )
        graph = helper.make_graph(self.nodes, "torch-em", [given], [made], self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=FORMAT)
        return bytes(model.SerializeToString())
