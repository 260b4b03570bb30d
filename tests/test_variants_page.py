"""The page on how to add a network variant: each of its steps, done on a copy of the project."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGE = (ROOT / "docs" / "variants.md").read_text(encoding="utf-8")
COPIED = ("pyproject.toml", "src", "tests/conftest.py", "tests/network/test_variants.py")


def steps(language: str) -> list[str]:
    """Return the code blocks of the page in one language."""
    return [text for each, text in BLOCK.findall(PAGE) if each == language]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in COPIED:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, target)
    return tmp_path


def change(project: Path, diff: str) -> None:
    """Replace the lines that a diff takes away by those that it adds, at the one place there is."""
    name, *lines = diff.splitlines()
    path = project / name.removeprefix("--- ")
    before, after = (
        "".join(f"{line[1:]}\n" for line in lines if line[0] in signs) for signs in (" -", " +")
    )
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{path.name} has changed: {before!r}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def execute(project: Path, *arguments: str) -> str:
    """Run Python in the project, and return what it prints."""
    # Plugins of pytest that draw windows take seconds to load.
    settings = {"PYTHONPATH": str(project / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    env = os.environ | settings
    done = subprocess.run(
        [sys.executable, *arguments], cwd=project, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_variant_is_added_tested_trained_loaded_and_saved(project: Path) -> None:
    for diff in steps("diff"):
        change(project, diff)
    (tests,) = steps("sh")
    assert re.search(r"1\d passed", execute(project, *shlex.split(tests)[1:]))
    # The later block goes on with what the one before it has.
    printed = execute(project, "-c", "".join(steps("python"))).splitlines()
    assert [line.partition(",")[0] for line in printed[:2]] == ["step 1", "step 2"]
    assert printed[2:] == ["again.safetensors residual (256, 256)"]
    assert (project / "again.safetensors").exists()


def test_what_is_added_has_at_most_30_lines() -> None:
    added = [line for diff in steps("diff") for line in diff.splitlines() if line[0] == "+"]
    assert len(added) <= 30
