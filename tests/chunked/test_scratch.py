"""The files of a run in blocks."""

from __future__ import annotations

import pytest

from napari_unet.chunked import scratch


def test_a_run_of_a_program_with_other_files_is_not_gone_on_with(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(scratch, "LAYOUT", scratch.LAYOUT - 1)
        scratch.begin(tmp_path / "run", {"axes": "ZYX"}, resume=False)
        scratch.begin(tmp_path / "run", {"axes": "ZYX"}, resume=True)
    with pytest.raises(ValueError, match=r"another layout of files .* or delete the folder\."):
        scratch.begin(tmp_path / "run", {"axes": "ZYX"}, resume=True)
