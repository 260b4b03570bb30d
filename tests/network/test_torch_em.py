"""Packages whose network is a state dict of torch-em, which is built anew without its Python."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_unet.api import predict
from napari_unet.images.synthetic import nuclei_field
from napari_unet.network.keeping import import_model
from napari_unet.network.library import load_model
from napari_unet.network.packaged import ONNX

NEVER_RUN = b"raise SystemExit('the Python code of a package was run')\n"
DIAMETER = 20.0


class Block(nn.Module):
    """Two convolutions of torch-em, each after a normalisation if there is one."""

    def __init__(self, taken: int, given: int, norm: Callable[[int], nn.Module] | None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n in (taken, given):
            layers += [norm(n)] if norm else []
            layers += [nn.Conv2d(n, given, 3, padding=1), nn.ReLU(inplace=True)]
        self.block = nn.Sequential(*layers)

    def forward(self, pixels):
        return self.block(pixels)


class Sampler(nn.Module):
    """What doubles the size in torch-em."""

    def __init__(self, taken: int, given: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(taken, given, 1)

    def forward(self, pixels):
        how = {"scale_factor": 2, "mode": "bilinear", "align_corners": False}
        return self.conv(nn.functional.interpolate(pixels, **how))


class UNet2d(nn.Module):
    """The U-Net of torch-em by its documentation, with the names of its weights."""

    def __init__(self, depth=2, filters=4, norm=nn.InstanceNorm2d, n_maps=2) -> None:
        super().__init__()
        sizes = [filters * 2**level for level in range(depth + 1)]
        down, up = [1, *sizes[:-1]], sizes[::-1]
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.blocks = nn.ModuleList(Block(down[i], sizes[i], norm) for i in range(depth))
        self.base = Block(sizes[-2], sizes[-1], norm)
        pairs = list(pairwise(up))
        self.decoder.samplers = nn.ModuleList(Sampler(*pair) for pair in pairs)
        self.decoder.blocks = nn.ModuleList(Block(*pair, norm) for pair in pairs)
        self.out_conv = nn.Conv2d(filters, n_maps, 1)

    def forward(self, pixels):
        across = []
        for block in self.encoder.blocks:
            across.append(block(pixels))
            pixels = nn.functional.max_pool2d(across[-1], 2)
        pixels = self.base(pixels)
        for sampler, block in zip(self.decoder.samplers, self.decoder.blocks, strict=True):
            pixels = block(torch.cat([sampler(pixels), across.pop()], dim=1))
        return self.out_conv(pixels)


@pytest.fixture
def package(other_package, tmp_path):
    """What writes a package with the state dict of a network, and the maps it makes."""

    def write(
        network: nn.Module,
        state: Any = None,
        told: dict[str, Any] | None = None,
        *,
        is_new: bool = True,
    ) -> Path:
        kept = network.state_dict() if state is None else state
        told = {"final_activation": "Sigmoid", "postprocessing": None} if told is None else told
        source = {"source": "weights.pt"}
        if is_new:
            code = {"callable": "UNet2d", "source": "unet.py", "kwargs": told}
            entry = {**source, "architecture": code}
        else:
            entry = {**source, "architecture": "unet.py:UNet2d", "kwargs": told}
        path = other_package(
            spoil=lambda facts: facts.update(weights={"pytorch_state_dict": entry}),
            is_new=is_new,
            after=(),
        )
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        image = np.load(io.BytesIO(parts["in.npy"]))
        maps = maps_of(network, (image - image.mean()) / image.std())
        parts |= {"unet.py": NEVER_RUN, "weights.pt": saved(kept), "out.npy": as_npy(maps)}
        del parts["weights.onnx"]
        with zipfile.ZipFile(path, "w") as file:
            for name, content in parts.items():
                file.writestr(name, content)
        return path

    return write


def network(**how: Any) -> UNet2d:
    torch.manual_seed(1)
    made = UNet2d(**how).eval()
    with torch.no_grad():
        # Maps that vary, so that a wrong layer shows.
        made.out_conv.weight *= 8 if how.get("norm", True) else 40
    return made


def maps_of(network: nn.Module, pixels: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.from_numpy(pixels.astype(np.float32))).sigmoid().numpy()


def saved(state: Any) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def as_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize(
    "how", [{}, {"depth": 3, "filters": 2}, {"norm": None, "depth": 1}], ids=str
)
def test_the_maps_are_those_of_the_network_itself(package, how, is_new):
    theirs = network(**how)
    model = load_model(import_model(package(theirs, is_new=is_new), diameter=DIAMETER))
    assert (model.config.variant, model.device.type) == (ONNX, "cpu")
    image = nuclei_field((128, 160), n=20, diameter=DIAMETER, seed=5)[0].astype(np.float32)
    # Its halo of 16 pixels is mirrored, so that both have to see it.
    seen = np.pad((image - image.mean()) / image.std(), 16, mode="symmetric")
    expected = maps_of(theirs, seen[None, None])[0, :, 16:-16, 16:-16]
    ours = predict(image, "YX", model=model, diameter=DIAMETER) / 255
    np.testing.assert_allclose(ours, expected, atol=0.51 / 255 + 1e-4)
    assert expected.std() > 0.02


def test_a_network_that_gives_logits_is_followed_by_the_steps_of_the_description(package):
    path = package(network(), told={})
    with pytest.raises(ValueError, match="makes maps that differ by"):
        import_model(path, diameter=DIAMETER)
    after = [{"id": "sigmoid"}]
    assert import_model(described(path, after), diameter=DIAMETER).is_file()


def described(path: Path, postprocessing: list[dict[str, Any]]) -> Path:
    """A package with other steps after its network."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    facts = json.loads(parts["rdf.yaml"])
    facts["outputs"][0]["postprocessing"] = postprocessing
    parts["rdf.yaml"] = json.dumps(facts).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


def changed(**weights: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """A state dict of which some weights are others, or gone."""
    state = network().state_dict() | {n.replace("__", "."): w for n, w in weights.items()}
    return {name: weight for name, weight in state.items() if weight is not None}


REFUSED = [
    ({"inc.weight": torch.ones(1)}, "that of a UNet2d of torch-em, by 'base.block.0.weight', and"),
    (changed(out_conv__bias=None), "by 'out_conv.bias'"),
    (changed(inc__weight=torch.ones(1)), "by 'inc.weight'"),
    (changed(base__block__1__weight=torch.ones(4)), "by 'base.block.1.weight'"),
    (
        changed(out_conv__weight=torch.ones(2, 3, 1, 1)),
        "Input channels C is not equal to kernel channels",
    ),
    (changed(out_conv__weight=torch.ones(2, 4, 2, 2)), r"it gives \(1, 2, 129, 113\) instead of"),
    (changed(out_conv__bias=torch.tensor([0.0, np.nan])), "numbers that are not finite"),
    (changed(out_conv__bias=torch.tensor([0.0, 9.0])), "makes maps that differ by"),
    (UNet2d(norm=nn.BatchNorm2d).state_dict(), "by 'base.block.0.bias'"),
    ([torch.ones(1)], "its 'weights.pt' is no state dict of torch"),
    (network(), "its 'weights.pt' is no state dict of torch"),
]


@pytest.mark.parametrize(("state", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_the_weights_of_another_network_are_refused_in_a_sentence(package, state, words):
    with pytest.raises(ValueError, match=rf"Expected a package .*'other\.zip' .*{words}"):
        import_model(package(network(), state), diameter=DIAMETER)


@pytest.mark.parametrize("told", [{"final_activation": "ReLU"}, {"postprocessing": "affinities"}])
def test_a_network_that_ends_in_other_steps_is_refused(package, told):
    with pytest.raises(ValueError, match="its network ends in other steps than a sigmoid"):
        import_model(package(network(), told=told), diameter=DIAMETER)
