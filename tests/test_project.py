"""The rules of the project itself: who imports whom, what is light, short, safe and in step."""

from __future__ import annotations

import ast
import importlib.util
import statistics
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from npe2 import PluginManifest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import napari_unet

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_unet"
MODULES = sorted(PACKAGE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Who may import whom: down only. A room may import itself; "" is the package's `__init__`.
MODELS = {"network.library", "network.keeping", "network.history"}
ENGINE = {"images", "nuclei", "network", *MODELS, "learning", "segmentation", "chunked"}
ENGINE |= {"relabel", "estimate", "filling", "tracking", "large"}
MAY_IMPORT = {
    "images": set(),
    "nuclei": {"images"},
    "network": {"nuclei", "images"},
    "network.library": {"network", "nuclei", "images"},
    "network.keeping": {"network.library", "network", "nuclei", "images"},
    "network.history": {"network.library", "network", "nuclei", "images"},
    "learning": {"network", "nuclei", "images"},
    "segmentation": {"nuclei", "images"},
    "methods": set(),
    "programs": {"methods"},
    "chunked": {"segmentation", "nuclei", "images"},
    "relabel": {"segmentation", "nuclei", "images"},
    "estimate": {"segmentation", "nuclei", "images"},
    "filling": {"segmentation", "nuclei", "images"},
    "tracking": {"nuclei", "images"},
    "large": {"chunked", "segmentation", "tracking", *MODELS, "network", "nuclei", "images"},
    "api": ENGINE,
    "widgets": ENGINE | {"api", "methods", "programs"},
    "jobs": {"large", "images"},
    "batch": ENGINE | {"api", "jobs"},
    "work_list": {"batch", "jobs", "chunked", "images"},
    # `napari-unet demo` opens a window where there is a display.
    "demo": ENGINE | {"api", "widgets"},
    "cli": ENGINE | {"api", "jobs", "batch", "work_list", "demo", "widgets"},
    "": ENGINE | {"api"},
}
GUI = {"napari", "magicgui", "qtpy", "superqt", "pyqtgraph", "PyQt6", "PySide6"}
ONLY_IN = {
    "torch": {"network", "network.library", "learning"},
    "dask": {"chunked"},
    "distributed": {"chunked"},
    "matplotlib": {"learning", "widgets"},
    **{library: {"widgets"} for library in GUI},
}
HEAVY = {*ONLY_IN, "skimage", "scipy", "pandas", "zarr", "tifffile", "imageio", "tensorboard"}
PICKLERS = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
# What opens a socket: nothing is downloaded and nothing is sent.
NETWORK = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "asyncio", "webbrowser"}
NETWORK |= {"requests", "urllib3", "httpx", "aiohttp", "pooch", "fsspec", "huggingface_hub"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str | None:
    """Return the closest room that holds a dotted name; None for one outside the package."""
    package, _, inner = name.partition(".")
    if package != "napari_unet":
        return None
    while inner and inner not in MAY_IMPORT:
        inner = inner.rpartition(".")[0]
    return inner


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield everything imported, anywhere in the tree, by its absolute dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(relative, package)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of(path: Path) -> list[str]:
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return list(imports(parse(path), package))


def forbidden(room: str, imported: list[str]) -> list[str]:
    """Return those of the imported names that the room must not import."""
    return [name for name in imported if not is_allowed(room, name)]


def is_allowed(room: str, name: str) -> bool:
    below = room_of(name)
    if below is None:
        return room in ONLY_IN.get(name.partition(".")[0], {room})
    return below in {room, "", *MAY_IMPORT[room]}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function from its `def`, its docstring not counted."""
    return lines(function) - (lines(function.body[0]) if ast.get_docstring(function) else 0)


def lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def unsafe_loads(tree: ast.AST) -> list[str]:
    """Return the calls that could run a pickle: `torch.load` unrestricted, `allow_pickle` on."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [ast.unparse(call) for call in calls if is_unsafe(call)]


def is_unsafe(call: ast.Call) -> bool:
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    unrestricted = ast.unparse(call.func) == "torch.load" and given.get("weights_only") != "True"
    return unrestricted or given.get("allow_pickle", "False") != "False"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_down_only(path: Path) -> None:
    name = module_name(path)
    room = room_of(name)
    assert room or name == "napari_unet", f"{name} has no line in MAY_IMPORT: give it its place"
    assert forbidden(room, imports_of(path)) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("images", "from napari_unet.nuclei import metrics"),
        ("images", "from ..nuclei.metrics import evaluate"),
        ("nuclei", "def late():\n    import torch.nn"),
        ("network", "from .library import load_model"),
        ("segmentation", "from napari_unet.network.unet import UNet"),
        ("learning", "from qtpy.QtCore import Qt"),
        ("segmentation", "import dask.array as da"),
    ],
)
def test_an_import_upwards_or_out_of_its_room_is_found(room: str, source: str) -> None:
    assert forbidden(room, list(imports(ast.parse(source), f"napari_unet.{room}")))


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("nuclei", "import numpy as np\nfrom ..images.axes import planes"),
        ("network", "import torch\nfrom .unet import UNet"),
        ("widgets", "import napari\nfrom ..network import library"),
        ("learning", "from .. import __version__"),
    ],
)
def test_an_import_downwards_is_allowed(room: str, source: str) -> None:
    assert forbidden(room, list(imports(ast.parse(source), f"napari_unet.{room}"))) == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys; import napari_unet; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "napari_unet" in loaded
    assert loaded & HEAVY == set()


def test_functions_are_short() -> None:
    found = {
        f"{module_name(path)}.{function.name}": length(function)
        for path in MODULES
        for function in functions(parse(path))
    }
    assert {name: n for name, n in found.items() if n > 60} == {}
    assert statistics.median(found.values()) <= 10
    assert sum(n <= 30 for n in found.values()) >= 0.9 * len(found)


def test_a_docstring_does_not_count_as_length() -> None:
    tree = ast.parse('def two():\n    """Two\n\n    lines.\n    """\n    return 2\n')
    assert [length(function) for function in functions(tree)] == [2]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_pickle_is_ever_loaded(path: Path) -> None:
    assert {name.partition(".")[0] for name in imports_of(path)} & PICKLERS == set()
    assert unsafe_loads(parse(path)) == []


@pytest.mark.parametrize(
    "source", ["torch.load(f)", "torch.load(f, weights_only=False)", "np.load(f, allow_pickle=x)"]
)
def test_a_call_that_could_run_a_pickle_is_found(source: str) -> None:
    assert unsafe_loads(ast.parse(source)) == [source]


@pytest.mark.parametrize("source", ["torch.load(f, weights_only=True)", "np.load(f)"])
def test_a_call_that_runs_no_pickle_is_allowed(source: str) -> None:
    assert unsafe_loads(ast.parse(source)) == []


def test_no_module_imports_what_opens_a_socket() -> None:
    found = {name for path in MODULES for name in imports_of(path)}
    assert found >= {"numpy", "qtpy.QtCore.Qt"}
    assert {name for name in found if name.partition(".")[0] in NETWORK} == set()
    assert not {name for name in found if "QtNetwork" in name or "QDesktopServices" in name}


def test_the_installed_manifest_carries_the_name_of_the_distribution() -> None:
    assert PluginManifest.from_distribution(PROJECT["name"]).name == PROJECT["name"]


def test_the_manifest_at_the_root_is_a_link_to_that_of_the_package() -> None:
    link = ROOT / "napari.yaml"
    assert link.is_symlink()
    assert link.resolve() == PACKAGE / "napari.yaml"


def bounds() -> dict[str, set[SpecifierSet]]:
    """Return the versions that the package and its extras ask for, by the name of a library."""
    extras = [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
    found: dict[str, set[SpecifierSet]] = defaultdict(set)
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if requirement.name != PROJECT["name"]:
            found[requirement.name].add(requirement.specifier)
    return found


def test_a_library_has_the_same_bounds_wherever_it_is_asked_for() -> None:
    assert {name: each for name, each in bounds().items() if len(each) > 1} == {}


def test_what_constraints_pin_is_allowed() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    asked = bounds()
    for pin in (Requirement(line) for line in lines if not line.startswith("#")):
        (allowed,) = asked[pin.name]
        versions = [it.version for it in pin.specifier if it.operator == "=="]
        assert pin.specifier == allowed or (versions and allowed.contains(versions[0])), pin


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert napari_unet.__version__ == citation["version"] == PROJECT["version"]
