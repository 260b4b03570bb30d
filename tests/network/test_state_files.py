from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_unet.network import state_files
from napari_unet.network.library import load_model
from napari_unet.network.model import Model
from napari_unet.network.state_files import model_from_state


@pytest.fixture
def like(bright_model: Path) -> Model:
    return load_model(bright_model, "cpu")


def test_weights_of_torch_become_a_model_like_another(like: Model, tmp_path: Path) -> None:
    path = tmp_path / "plate 7.pt"
    state = {name: weight + 1 for name, weight in like.network.state_dict().items()}
    torch.save(state, path)
    before = {name: weight.clone() for name, weight in like.network.state_dict().items()}
    model = model_from_state(path, like)
    weights = model.network.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in state.items())
    assert all(torch.equal(w, like.network.state_dict()[name]) for name, w in before.items())
    assert (model.name, model.card.line) == ("plate 7", "plate 7")
    assert (model.card.diameter, model.card.parent) == (like.card.diameter, None)
    assert load_model(model.save(tmp_path / "kept.safetensors"), "cpu").card == model.card


class Evil:
    """What runs code when a pickle of it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def as_evil_pickle(path: Path, _: Model) -> None:
    path.write_bytes(pickle.dumps(Evil(path.parent / "marker")))


def as_evil_state(path: Path, _: Model) -> None:
    torch.save({"head.weight": Evil(path.parent / "marker")}, path)


def as_whole_network(path: Path, like: Model) -> None:
    torch.save(like.network, path)


def as_list(path: Path, like: Model) -> None:
    torch.save([*like.network.state_dict().values()], path)


def as_cut_off(path: Path, like: Model) -> None:
    torch.save(like.network.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-300])


def as_zip(path: Path, _: Model) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data", "weights")


def state_with(change: Callable[[dict], dict]) -> Callable[[Path, Model], None]:
    return lambda path, like: torch.save(change(like.network.state_dict()), path)


BAD_FILES = {
    "pickle": as_evil_pickle,
    "state that runs code": as_evil_state,
    "whole network": as_whole_network,
    "list": as_list,
    "cut off": as_cut_off,
    "zip": as_zip,
    "text": lambda path, _: path.write_text("weights"),
    "empty": lambda path, _: path.touch(),
    "texts": state_with(lambda state: state | {"head.bias": "heavy"}),
    "a weight too few": state_with(lambda state: {"head.bias": state["head.bias"]}),
    "a weight too many": state_with(lambda state: state | {"extra": torch.zeros(1)}),
    "a number as name": state_with(lambda state: state | {3: torch.zeros(1)}),
    "another shape": state_with(lambda state: state | {"head.bias": torch.zeros(9)}),
    "whole numbers": state_with(lambda state: state | {"head.bias": torch.zeros(3, dtype=int)}),
    "NaN": state_with(lambda state: state | {"head.bias": torch.full((3,), torch.nan)}),
}


@pytest.mark.parametrize("write", BAD_FILES.values(), ids=BAD_FILES)
def test_what_are_no_fitting_weights_is_refused(like: Model, tmp_path: Path, write) -> None:
    path = tmp_path / "bad.pt"
    write(path, like)
    with pytest.raises(ValueError, match=r"^Expected the weights of .* got .*bad\.pt") as caught:
        model_from_state(path, like)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "marker").exists()


def test_a_file_of_too_many_bytes_is_not_read(like, tmp_path, monkeypatch) -> None:
    torch.save(like.network.state_dict(), tmp_path / "large.pt")
    monkeypatch.setattr(state_files, "LARGEST_FILE", 100)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="more than 1 GiB"):
        model_from_state(tmp_path / "large.pt", like)


def test_a_missing_file_is_named(like: Model, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pt"):
        model_from_state(tmp_path / "none.pt", like)
