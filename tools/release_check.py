"""Check a release as others get it: its archives, and its wheel alone in an empty environment.

The first click and the walk through all docks are done with PyQt6, and again when PySide6 has taken
its place.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from check_wheel import ROOT, checked_wheel

PLUGIN = "napari-unet-nuclei"
DISPLAY = ROOT / "tools" / "display"
# Python reads this file at its start, in every process below.
OFFLINE = """
import sys

def refuse(event, args):
    if event == "socket.getaddrinfo" and args[0] not in (None, "localhost", "127.0.0.1"):
        raise OSError(f"Expected no use of the network, got a connection to {args[0]}.")
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] != "127.0.0.1":
        raise OSError(f"Expected no use of the network, got a connection to {args[1]}.")

sys.addaudithook(refuse)
"""


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
    """Run a command; end with its exit status if it fails."""
    print("\n$", *command, flush=True)
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, check=False)
    if done.returncode:
        sys.exit(f"The release is not ready: this failed with exit status {done.returncode}.")


def check_metadata(dist: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir()))
    run(sys.executable, "-m", "validate_pyproject", ROOT / "pyproject.toml")


def check_installed(wheel: Path, folder: Path) -> None:
    """Install the wheel into an empty environment, and use it there, without a network."""
    environment, empty = folder / "environment", folder / "empty"
    install(environment, "gui", wheel, folder)
    offline = folder / "offline"
    offline.mkdir()
    (offline / "sitecustomize.py").write_text(OFFLINE, encoding="utf-8")
    empty.mkdir()
    env = settings(folder) | {"PYTHONPATH": str(offline)}
    programs = environment / "bin"
    run(programs / "napari-unet", "demo", "--no-window", cwd=empty, env=env)
    run(DISPLAY, programs / "npe2", "validate", "--imports", PLUGIN, cwd=empty, env=env)
    use_windows(programs, "PyQt6", empty, env)
    run(programs / "python", "-m", "pip", "uninstall", "--yes", "PyQt6", env=settings(folder))
    install(environment, "pyside6", wheel, folder)
    use_windows(programs, "PySide6", empty, env)


def use_windows(programs: Path, binding: str, empty: Path, env: Mapping[str, str]) -> None:
    """Click once as a newcomer does, and then through all docks."""
    python = (DISPLAY, programs / "python")
    run(*python, ROOT / "tools" / "first_click.py", binding, cwd=empty, env=env)
    walk = (ROOT / "docs" / "walk.py", "--themes", "dark", "--pictures", empty / binding)
    run(*python, *walk, cwd=empty, env=env)


def install(environment: Path, extras: str, wheel: Path, folder: Path) -> None:
    """Install the wheel and what its extras name."""
    run(ROOT / "tools" / "environment", environment, extras, wheel, env=settings(folder))


def settings(folder: Path) -> dict[str, str]:
    """Return the variables of a newcomer: nothing of ours is found, nothing of theirs touched."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {
        "NAPARI_CONFIG": str(folder / "settings.yaml"),
        "NAPARI_UNET_HOME": str(folder / "home"),
        "PYTHON": sys.executable,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dist = folder / "dist"
        wheel = checked_wheel(dist)
        check_metadata(dist)
        check_installed(wheel, folder)
    print(f"\n{wheel.name} is ready.")


if __name__ == "__main__":
    main()
