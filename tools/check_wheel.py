"""Build the source archive and, from it, the wheel; fail if the wheel lacks what a user needs.

Both are built once more, from the source archive, elsewhere and by someone with other rights to
files: the bytes have to be the same.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = (
    "napari_unet/__init__.py",
    "napari_unet/napari.yaml",
    "napari_unet/py.typed",
    "napari_unet/weights/nuclei.safetensors",
    "napari_unet/weights/nuclei-fast.safetensors",
    "*.dist-info/entry_points.txt",
    "*.dist-info/licenses/LICENSE",
)
ENTRY_POINTS = (
    "napari-unet = napari_unet.cli:main",
    "napari-unet-nuclei = napari_unet:napari.yaml",
)
# The shipped weights have 8 MB and compress little; the code is small beside them.
LARGEST = 10_000_000


def build(source: Path, folder: Path) -> Path:
    """Build into a folder, and return the wheel."""
    # Without isolation: the environment already holds hatchling, and this works without a network.
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The wheel cannot be built:\n{done.stdout}{done.stderr}")
    return next(folder.glob("*.whl"))


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def build_again(archive: Path, folder: Path) -> Path:
    """Unpack a source archive and build what is in it."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "source", filter="data")
    mask = os.umask(0o077)
    try:
        return build(next((folder / "source").iterdir()), folder / "dist")
    finally:
        os.umask(mask)


def faults(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next((n for n in names if n.endswith("/entry_points.txt")), None)
        declared = archive.read(entry_points).decode() if entry_points else ""
    found = [f"{need} is missing" for need in NEEDED if not any(fnmatch(n, need) for n in names)]
    found += [f"entry point '{line}' is missing" for line in ENTRY_POINTS if line not in declared]
    found += [f"{n} does not belong in it" for n in names if not is_ours(n)]
    if wheel.stat().st_size > LARGEST:
        found.append(f"{wheel.stat().st_size} bytes are more than {LARGEST}")
    return found


def is_ours(name: str) -> bool:
    return name.startswith("napari_unet/") or ".dist-info/" in name


def checked_wheel(folder: Path) -> Path:
    """Build both archives into a folder, look into them, and return the wheel."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = tomllib.loads(settings)["project"]["version"]
    wheel = build(ROOT, folder)
    found = faults(wheel)
    with tempfile.TemporaryDirectory() as elsewhere:
        build_again(next(folder.glob("*.tar.gz")), Path(elsewhere))
        if hashes(folder) != hashes(Path(elsewhere, "dist")):
            found.append("building again made other bytes")
    if f"-{version}-" not in wheel.name:
        found.append(f"its name does not carry version {version}")
    if found:
        sys.exit(f"{wheel.name}: " + "; ".join(found) + ".")
    size = wheel.stat().st_size / 1e6
    print(f"{wheel.name}: {size:.1f} MB, complete, and the same when it is built again", flush=True)
    return wheel


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        checked_wheel(Path(made))
