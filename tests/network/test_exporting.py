"""Models in the formats of others, run by the others' own libraries."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input
from napari_unet.images.tiling import OVERLAP_OF_HALO
from napari_unet.network import VARIANTS
from napari_unet.network.card import Card
from napari_unet.network.config import UNetConfig
from napari_unet.network.exchange import write_onnx, write_torchscript
from napari_unet.network.exporting import export_for_others, format_of
from napari_unet.network.library import load_model
from napari_unet.network.model import Model
from napari_unet.network.variants import build_network
from napari_unet.network.zoo import HALO, write_package
from napari_unet.segmentation import SegmentSettings

TOLERANCE = 1e-3


def tiny(variant: str = "unet", stem: int = 2, **facts) -> Model:
    torch.manual_seed(0)
    config = UNetConfig(filters=(4, 8), dropout=(0.0, 0.5, 0.0), stem=stem, variant=variant)
    return Model(build_network(config).eval(), Card("tiny", config, 20.0, **facts))


def pixels(rows: int, columns: int, n: int = 1) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.random((n, 3, rows, columns), np.float32) * 2


def our_maps(model: Model, ready: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model.network(torch.from_numpy(ready)).sigmoid().numpy()


def torchscript_maps(path: Path, ready: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(path)(torch.from_numpy(ready)).detach().numpy()


def onnx_maps(path: Path, ready: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["maps"], {"pixels": ready})[0]


@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("variant", VARIANTS)
def test_torchscript_gives_our_maps_at_other_sizes(variant, stem, tmp_path):
    model = tiny(variant, stem)
    write_torchscript(model, tmp_path / "tiny.pt")
    for ready in (pixels(32, 48), pixels(64, 36, n=3)):
        maps = torchscript_maps(tmp_path / "tiny.pt", ready)
        np.testing.assert_allclose(maps, our_maps(model, ready), atol=TOLERANCE)


@pytest.mark.parametrize("variant", ["unet", "attention"])
def test_onnx_gives_our_maps_at_other_sizes(variant, tmp_path):
    model = tiny(variant)
    write_onnx(model, tmp_path / "tiny.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]
    for ready in (pixels(32, 48), pixels(64, 36, n=3)):
        maps = onnx_maps(tmp_path / "tiny.onnx", ready)
        np.testing.assert_allclose(maps, our_maps(model, ready), atol=TOLERANCE)


def test_the_built_in_model_gives_the_same_maps_as_torchscript_and_onnx(tmp_path):
    model = load_model("nuclei", "cpu")
    ready = pixels(96, 160)
    ours = our_maps(model, ready)
    assert export_for_others(model, tmp_path / "nuclei.pt") == "torchscript"
    assert export_for_others(model, tmp_path / "nuclei.onnx") == "onnx"
    np.testing.assert_allclose(
        torchscript_maps(tmp_path / "nuclei.pt", ready), ours, atol=TOLERANCE
    )
    np.testing.assert_allclose(onnx_maps(tmp_path / "nuclei.onnx", ready), ours, atol=TOLERANCE)


@pytest.fixture
def zoo(no_network, tmp_path, monkeypatch):
    """The zoo's library, which warns of what it does itself."""
    monkeypatch.setenv("BIOIMAGEIO_CACHE_PATH", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bioimageio.core

        yield bioimageio.core


def loaded(zoo, path: Path):
    description = zoo.load_model_description(path)
    assert description.validation_summary.status in ("valid-format", "passed")
    return description


def test_the_zoo_accepts_a_package_and_reproduces_its_maps(zoo, tmp_path):
    path = tmp_path / "nuclei.zip"
    authors = ["Ada Byron", "Max Born"]
    write_package(load_model("nuclei", "cpu"), path, authors, "BSD-3-Clause")
    description = loaded(zoo, path)
    assert [author.name for author in description.authors] == authors
    assert str(description.license) == "BSD-3-Clause"
    summary = zoo.test_model(description, weight_format="torchscript", devices=["cpu"])
    failed = [step for step in summary.details if step.status != "passed"]
    assert failed == []
    assert any("Reproduce test outputs" in step.name for step in summary.details)


@pytest.mark.parametrize(
    "how", [Normalisation(), Normalisation(2.0, 90.0, ceiling=1.0), Normalisation(per="type")]
)
def test_the_zoo_gives_our_maps_of_an_image_of_its_own_range(zoo, how, tmp_path):
    model = tiny(normalisation=how)
    write_package(model, tmp_path / "tiny.zip")
    image = np.random.default_rng(1).integers(0, 256, (192, 208, 3), np.uint8)
    ready = network_input(image, how)[None]
    raw = np.moveaxis(image, -1, 0)[None].astype(np.float32)
    sample = zoo.predict(model=loaded(zoo, tmp_path / "tiny.zip"), inputs={"pixels": raw})
    (maps,) = sample.members.values()
    # The zoo reflects an image at its rim, where we have it end.
    rim = HALO * model.network.config.multiple
    inner = (..., slice(rim, -rim), slice(rim, -rim))
    ours = our_maps(model, ready)
    np.testing.assert_allclose(maps.data.to_numpy()[inner], ours[inner], atol=TOLERANCE)


def test_a_package_says_what_is_known_of_the_model(tmp_path):
    model = tiny(training={"data": "plate 7"}, scores={"ap50": 0.5})
    write_package(model, tmp_path / "tiny.zip")
    with zipfile.ZipFile(tmp_path / "tiny.zip") as package:
        assert package.namelist() == [
            "README.md",
            "cover.png",
            "model.safetensors",
            "rdf.yaml",
            "test_input.npy",
            "test_output.npy",
            "weights.pt",
        ]
        readme = package.read("README.md").decode()
        facts = json.loads(package.read("rdf.yaml"))
    assert "plate 7" in readme
    assert "- ap50: 0.500" in readme
    assert facts["license"] is None
    assert {entry["doi"] for entry in facts["cite"]} >= {"10.1007/978-3-319-24574-4_28"}


def test_the_zoo_leaves_out_as_much_of_a_tile_as_we_do():
    settings = SegmentSettings()
    left_out = settings.overlap / OVERLAP_OF_HALO
    assert (HALO - 1) * settings.grid <= left_out <= HALO * settings.grid


def test_the_ending_tells_the_format():
    assert [format_of(Path(name)) for name in ("a.pt", "a.ONNX", "a.zip")] == [
        "torchscript",
        "onnx",
        "bioimageio",
    ]


@pytest.mark.parametrize(
    ("name", "format", "words"),
    [
        ("a.h5", None, r"ends in \.pt \(torchscript\)"),
        ("a.pt", "onnx", r"ends in \.onnx, got 'a\.pt'"),
        ("a.pt", "keras", "Expected one of torchscript, onnx, bioimageio"),
    ],
)
def test_another_format_is_refused(name, format, words):
    with pytest.raises(ValueError, match=words):
        format_of(Path(name), format)


def test_a_missing_library_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_unet.network.exchange.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"onnx and onnxscript to be installed.*\[zoo\]"):
        write_onnx(tiny(), tmp_path / "tiny.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_only_replaced_if_that_is_wanted(tmp_path):
    path = tmp_path / "tiny.pt"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="existing"):
        export_for_others(tiny(), path)
    assert path.read_bytes() == b"precious"
    export_for_others(tiny(), path, overwrite=True)
    assert torchscript_maps(path, pixels(32, 32)).shape == (1, 3, 32, 32)
