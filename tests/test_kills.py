"""A few kills at random moments; ``benchmarks/kills.py`` does any number, of more jobs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "kills.py"


@pytest.mark.skipif(sys.platform != "linux", reason="a fork of a process with torch in it")
def test_a_killed_program_leaves_what_it_saved() -> None:
    command = [sys.executable, str(PROGRAM), "3", "--job", "segment", "--job", "train"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" 0 problems") == 2
