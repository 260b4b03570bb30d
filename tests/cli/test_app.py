"""The commands together: help, wrong usage, the exit status, what is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

import napari_unet

COMMANDS = ("demo", "segment", "evaluate", "train", "models", "measure")
HEAVY = {"torch", "skimage", "scipy", "numpy", "pandas", "napari", "qtpy", "tifffile", "rich"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(run, command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: napari-unet {command}" in result.stdout


def test_without_a_command_the_help_lists_them_all(run):
    assert run().exit_code == 0
    assert all(f"  {command} " in run().stdout for command in COMMANDS)


def test_the_version_is_printed(run):
    assert run("--version").stdout.strip() == napari_unet.__version__


def test_help_loads_nothing_heavy(run):
    code = (
        "import sys\nfrom napari_unet.cli import main\ntry:\n    main()\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stderr.split()} & HEAVY == set()


def test_the_module_runs_and_returns_the_exit_status(run, tmp_path, model):
    command = [sys.executable, "-m", "napari_unet.cli", "segment", "no.png", "-m", str(model)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("napari-unet: no.png: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["segmnt"], "No such command 'segmnt'"),
        (["segment"], "Missing argument"),
        (["segment", "a.png", "--speed", "9"], "No such option: --speed"),
        (["segment", "a.png", "--channel", "-1"], "--channel"),
        (["segment", "a.png", "--axes", "QYX"], "'Q'"),
        (["segment", "a.png", "--axes", "XY"], "Y before X"),
        (["segment", "a.png", "--device", "abacus"], "abacus"),
        (["segment", "a.png", "--model", "nonesuch"], "nonesuch"),
        (["evaluate", "a.tif"], "--model"),
        (["evaluate", "a.tif", "b.tif", "--diameter", "9"], "--diameter"),
        (["train", "data", "-o", "model.pt"], ".safetensors"),
        (["train", "data", "-o", "model.safetensors", "--steps", "0"], "--steps"),
    ],
)
def test_wrong_usage_is_one_sentence(run, assert_refused, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert_refused(run(*arguments), 2, words)
    assert list(tmp_path.iterdir()) == []
