"""Model files read without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from napari_unet.network.card import card_to_json
from napari_unet.network.files import HEADER, file_hash, known_hash, read_card
from napari_unet.network.model import load_model_file


def test_a_card_is_that_of_the_loaded_model(bright_model: Path) -> None:
    assert read_card(bright_model) == load_model_file(bright_model, "cpu").card


def test_reading_histories_does_not_load_torch(bright_model: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from napari_unet.network import history, keeping; "
        "from napari_unet.network.library import find_model; "
        "version = history.read_version(find_model(sys.argv[1])); "
        "print(version.card.name, 'torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, bright_model], check=True, capture_output=True
    )
    assert result.stdout.split() == [b"bright", b"False"]


@pytest.mark.parametrize("header", [None, "[1, 2]", "{}"])
def test_a_file_with_no_card_is_refused(bright_model: Path, header: str | None) -> None:
    save_file(load_file(bright_model), bright_model, header and {HEADER: header})
    with pytest.raises(ValueError, match=r"^Expected a model of napari-unet, got .*bright"):
        read_card(bright_model)


def test_a_network_of_other_inputs_is_refused(bright_model: Path) -> None:
    text = card_to_json(read_card(bright_model)).replace('"in_channels": 3', '"in_channels": 5')
    save_file(load_file(bright_model), bright_model, {HEADER: text})
    with pytest.raises(ValueError, match="its network maps 5 channels"):
        read_card(bright_model)


def test_a_file_cut_off_is_refused(bright_model: Path) -> None:
    bright_model.write_bytes(bright_model.read_bytes()[:-1])
    with pytest.raises(ValueError, match="Expected a model of napari-unet"):
        read_card(bright_model)


def test_a_hash_is_computed_anew_when_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "a", []

    def counted(path: Path) -> str:
        seen.append(path)
        return file_hash(path)

    monkeypatch.setattr("napari_unet.network.files.file_hash", counted)
    path.write_bytes(b"one")
    assert known_hash(path) == known_hash(path) == file_hash(path)
    assert seen == [path]
    path.write_bytes(b"two!")
    assert known_hash(path) == file_hash(path)
    assert seen == [path, path]
