from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from napari_unet.learning.own_llvm import load_triton

pytestmark = pytest.mark.skipif(
    not hasattr(os, "RTLD_DEEPBIND"), reason="this system has no such way to load a library"
)


@pytest.mark.parametrize("ending", ["", "raise ImportError"])
def test_triton_takes_symbols_of_its_own_and_others_are_loaded_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    code = f"import sys\nsys.flags_of_triton = sys.getdlopenflags()\n{ending}\n"
    (tmp_path / "triton.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "triton", None)  # is put back, whatever is there by then
    del sys.modules["triton"]
    monkeypatch.setattr(sys, "flags_of_triton", 0, raising=False)
    before = sys.getdlopenflags()
    load_triton()
    assert sys.flags_of_triton == before | os.RTLD_DEEPBIND  # type: ignore[attr-defined]
    assert sys.getdlopenflags() == before
