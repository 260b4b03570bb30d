"""Triton beside another LLVM than its own."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module


def load_triton() -> None:
    """Import triton, where it is installed, so that it finds its own LLVM.

    PyTorch for CUDA imports it with the first optimiser. Mesa's OpenGL, which napari may draw with,
    has loaded an LLVM of another version by then, and what triton takes from that one ends the
    program with a segmentation fault.
    """
    if not hasattr(os, "RTLD_DEEPBIND") or "triton" in sys.modules:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        with suppress(ImportError):
            import_module("triton")
    finally:
        sys.setdlopenflags(flags)
