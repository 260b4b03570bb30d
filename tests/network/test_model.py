"""Models: predicting, saving, loading, and the files that are none."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from napari_unet.network import model as model_module
from napari_unet.network.card import Card, card_to_json
from napari_unet.network.model import Model, load_model_file
from napari_unet.network.unet import UNet, UNetConfig

CONFIG = UNetConfig(filters=(4, 8), dropout=(0.0,) * 3)


def make_model(config: UNetConfig = CONFIG, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return Model(UNet(config).eval(), Card("small", config, 20.0))


MODEL = make_model()


@pytest.fixture
def saved(tmp_path) -> Path:
    return make_model().save(tmp_path / "small.safetensors")


def pixels(*size: int) -> np.ndarray:
    return np.random.default_rng(0).random((3, *size), np.float32)


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (50, 70), (64, 128)])
@pytest.mark.parametrize("config", [CONFIG, UNetConfig.classic(), UNetConfig()])
def test_the_maps_are_as_large_as_the_image(size, config):
    maps = make_model(config).predict(pixels(*size))
    assert maps.shape == (len(config.maps), *size)
    assert maps.dtype == np.float32
    assert 0 <= maps.min() <= maps.max() <= 1


@settings(max_examples=20)
@given(st.integers(1, 80), st.integers(1, 80))
def test_any_size_can_be_predicted(height, width):
    assert MODEL.predict(pixels(height, width)).shape == (3, height, width)


def test_the_maps_are_the_sigmoids_of_the_logits():
    image = pixels(64, 64)
    with torch.inference_mode():
        expected = MODEL.network(torch.from_numpy(image)[None])[0].sigmoid()
    np.testing.assert_allclose(
        replace(MODEL, precision="float32").predict(image), expected, atol=1e-6
    )


def test_the_same_image_gives_the_same_maps_however_it_lies_in_memory():
    image = pixels(64, 72)  # needs no padding
    expected = MODEL.predict(image)
    read_only = image.copy()
    read_only.flags.writeable = False
    backwards = image[:, ::-1].copy()[:, ::-1]
    for other in (read_only, backwards, np.asfortranarray(image), image.astype(np.float64)):
        np.testing.assert_array_equal(MODEL.predict(other), expected)


@pytest.mark.parametrize("shape", [(64, 64), (1, 64, 64), (1, 3, 64, 64)])
def test_pixels_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"Expected pixels of the shape \(3, y, x\), got"):
        MODEL.predict(np.zeros(shape, np.float32))


def test_a_saved_model_predicts_the_same_within_float16(tmp_path):
    model = make_model()
    loaded = load_model_file(model.save(tmp_path / "a.safetensors"), "cpu")
    image = pixels(70, 90)
    np.testing.assert_allclose(loaded.predict(image), model.predict(image), atol=5e-3)
    assert loaded.card == model.card
    assert not loaded.network.training


def test_weights_come_back_as_float16_rounds_them_and_can_be_trained(saved):
    loaded = load_model_file(saved, "cpu").network
    expected = make_model().network.state_dict()
    for name, weight in loaded.state_dict().items():
        assert torch.equal(weight, expected[name].half().to(weight.dtype))
        assert weight.dtype == expected[name].dtype
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_loading_and_saving_again_changes_nothing(saved, tmp_path):
    again = load_model_file(saved, "cpu").save(tmp_path / "again.safetensors")
    assert again.read_bytes() == saved.read_bytes()


def test_a_weight_too_large_for_float16_is_kept(tmp_path):
    model = make_model()
    with torch.no_grad():
        model.network.head.bias[0] = 1e5
    loaded = load_model_file(model.save(tmp_path / "a.safetensors"), "cpu")
    assert loaded.network.head.bias[0] == 1e5


def test_the_hash_is_that_of_the_file(tmp_path):
    model = make_model()
    assert model.sha256 == ""
    path = model.save(tmp_path / "a.safetensors")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.sha256 == load_model_file(path, "cpu").sha256 == digest


def test_a_model_is_called_as_its_file_and_until_it_has_one_as_its_card_says(tmp_path):
    model = make_model()
    assert (model.name, model.path) == ("small", None)
    path = model.save(tmp_path / "plate 7.safetensors")
    assert (model.name, model.card.name) == ("plate 7", "small")
    loaded = load_model_file(path.rename(tmp_path / "plate 8.safetensors"), "cpu")
    assert (loaded.name, loaded.sha256) == ("plate 8", model.sha256)


def test_loading_leaves_the_random_numbers_alone(saved):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    load_model_file(saved, "cpu")
    assert torch.equal(torch.rand(4), expected)


def test_a_loaded_model_does_not_hold_on_to_its_file(saved):
    model = load_model_file(saved, "cpu")
    expected = model.predict(pixels(64, 64))
    saved.write_bytes(bytes(saved.stat().st_size))
    np.testing.assert_array_equal(model.predict(pixels(64, 64)), expected)


def test_an_existing_file_is_replaced_only_if_asked(saved):
    before = saved.read_bytes()
    other = make_model(seed=1)
    with pytest.raises(FileExistsError, match="choose another name or allow overwriting"):
        other.save(saved)
    assert saved.read_bytes() == before
    other.save(saved, overwrite=True)
    assert saved.read_bytes() != before


def test_an_interrupted_save_leaves_the_old_file(saved, monkeypatch):
    def fail_half_way(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    before = saved.read_bytes()
    monkeypatch.setattr(model_module, "save_file", fail_half_way)
    with pytest.raises(OSError, match="disk full"):
        make_model(seed=1).save(saved, overwrite=True)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("name", ["model.pt", "model", "model.safetensors.gz"])
def test_a_name_of_another_kind_is_not_written(tmp_path, name):
    with pytest.raises(ValueError, match=r"ends in \.safetensors"):
        make_model().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    model = make_model()
    with torch.no_grad():
        model.network.head.weight[0] = torch.inf
    with pytest.raises(ValueError, match=r"finite weights, got others in head\.weight"):
        model.save(tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


class Evil:
    """What runs code when a pickle of it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def as_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(path.parent / "marker")))


def as_torch_file(path: Path) -> None:
    torch.save(make_model().network.state_dict(), path)


def as_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data", "weights")


def as_text(path: Path) -> None:
    path.write_text("weights, promised\n" * 100)


def as_empty_file(path: Path) -> None:
    path.touch()


def as_folder(path: Path) -> None:
    path.mkdir()


def as_huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def as_huge_tensor(path: Path) -> None:
    header = {"a": {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 2**64 - 1]}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def written(weights=lambda weights: weights, config=CONFIG, header=None):
    """Return a writer of a model file with other weights, another network or another header."""

    def write(path: Path) -> None:
        half = {name: weight.half() for name, weight in MODEL.network.state_dict().items()}
        text = card_to_json(Card("bad", config, 20.0)) if header is None else header
        save_file(weights(half), path, {"napari_unet": text} if text else None)

    return write


def with_nan(weights):
    weights["head.weight"][0, 0] = torch.nan
    return weights


BAD_FILES = {
    "pickle": as_pickle,
    "torch file": as_torch_file,
    "zip": as_zip,
    "text": as_text,
    "empty": as_empty_file,
    "folder": as_folder,
    "huge header": as_huge_header,
    "huge tensor": as_huge_tensor,
    "no header": written(header=""),
    "header of another kind": written(header="[1, 2]"),
    "missing weight": written(lambda w: {k: v for k, v in w.items() if k != "head.bias"}),
    "weight too many": written(lambda w: w | {"extra": torch.zeros(1)}),
    "wrong shape": written(lambda w: w | {"head.bias": torch.zeros(5)}),
    "whole numbers": written(lambda w: w | {"head.bias": torch.zeros(12, dtype=torch.int32)}),
    "complex": written(lambda w: w | {"head.bias": torch.zeros(12, dtype=torch.complex64)}),
    "NaN": written(with_nan),
    "other network": written(config=UNetConfig()),
    "absurd network": written(config=UNetConfig(filters=(4096,) * 8, dropout=(0.0,) * 15)),
    "other input": written(config=UNetConfig(in_channels=5)),
    "other maps": written(config=UNetConfig(maps=("cat", "dog"))),
}


@pytest.mark.parametrize("write", BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path, write):
    path = tmp_path / "bad.safetensors"
    write(path)
    with pytest.raises(ValueError, match=r"^Expected a model.* got .*bad\.safetensors") as caught:
        load_model_file(path, "cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "marker").exists()


def test_a_file_cut_off_anywhere_is_refused(saved):
    whole = saved.read_bytes()
    for length in (4, 8, 100, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="Expected a model"):
            load_model_file(saved, "cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
def test_an_absurd_network_takes_no_memory(tmp_path):
    import resource

    path = tmp_path / "bad.safetensors"
    BAD_FILES["absurd network"](path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="do not fit"):
        load_model_file(path, "cpu")
    # Its smallest layer alone would take 600 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.h5", "model"])
def test_a_file_of_another_kind_is_not_opened(tmp_path, name):
    as_pickle(tmp_path / name)
    with pytest.raises(ValueError, match="other kinds can run code"):
        load_model_file(tmp_path / name)
    assert not (tmp_path / "marker").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors.*check the path"):
        load_model_file(tmp_path / "none.safetensors")


def test_a_file_larger_than_any_model_is_not_opened(saved, monkeypatch):
    monkeypatch.setattr("napari_unet.network.files.LARGEST_FILE", 100)
    with pytest.raises(ValueError, match="at most 1 GiB"):
        load_model_file(saved)


def test_float32_and_bfloat16_weights_are_read_too(tmp_path):
    for dtype in (torch.float32, torch.bfloat16):
        path = tmp_path / f"{str(dtype)[6:]}.safetensors"
        written(lambda weights, dtype=dtype: {k: v.to(dtype) for k, v in weights.items()})(path)
        # Batch normalisation counts its batches in whole numbers.
        tensors = load_file(path)
        counters = {k: v.long() for k, v in tensors.items() if k.endswith("num_batches_tracked")}
        save_file(tensors | counters, path, {"napari_unet": card_to_json(MODEL.card)})
        weights = load_model_file(path, "cpu").network.state_dict()
        assert weights["head.weight"].dtype == torch.float32


def test_loading_a_model_does_not_load_torchs_compiler(saved):
    code = (
        "import sys\nfrom napari_unet.network.model import load_model_file\n"
        "load_model_file(sys.argv[1], 'cpu')\nprint('torch._dynamo.convert_frame' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(saved)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_header_larger_than_any_model_has_is_refused(saved):
    content = saved.read_bytes()
    saved.write_bytes(struct.pack("<Q", 2**20 + 1) + content[8:])
    with pytest.raises(ValueError, match="header has more than 1 MiB"):
        load_model_file(saved, "cpu")
