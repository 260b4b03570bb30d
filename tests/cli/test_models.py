"""``napari-unet models``."""

from __future__ import annotations

import json


def test_models_are_listed_and_a_damaged_one_is_reported(run, tmp_path, model, monkeypatch):
    monkeypatch.setenv("NAPARI_UNET_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    mine = tmp_path / "models" / "mine.safetensors"
    mine.write_bytes(model.read_bytes())
    (tmp_path / "models" / "broken.safetensors").write_bytes(b"no model")
    result = run("models", "--json")
    assert result.exit_code == 1
    assert "broken.safetensors" in result.stderr
    facts = {row["name"]: row for row in json.loads(result.stdout)}["mine"]
    assert (facts["diameter"], facts["scores"]) == (18.0, {"mean_ap": 0.25})
    assert facts["path"] == str(mine)
    assert any(
        line.split() == ["mine", "18.0", "px", "mean_ap", "0.250", str(mine)]
        for line in run("models").stdout.splitlines()
    )
