"""`benchmarks/mutation.py`: which changes of the code count as noticed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "mutation.py"
CODE = "def twice(n):\n    return 2 * n\n"
TEST = "import code_of\n\ndef test_twice():\n    assert code_of.twice(2) == 4\n"

pytestmark = pytest.mark.skipif(not shutil.which("prlimit"), reason="the program needs Linux")


@pytest.fixture
def mutation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the program without what changes the code, which tests do not install."""
    for name in ("cosmic_ray", "coverage", "parso"):
        for module in (name, f"{name}.ast", f"{name}.mutating", f"{name}.plugins", f"{name}.tree"):
            monkeypatch.setitem(sys.modules, module, MagicMock())
    spec = importlib.util.spec_from_file_location("mutation", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mutation", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def survives(mutation: ModuleType, tmp_path: Path) -> Callable[..., bool]:
    """Put a text in place of the code, and tell whether its test passes."""
    copy, path = tmp_path / "copy", Path("src/code_of.py")
    (copy / "src").mkdir(parents=True)
    (copy / path).write_text(CODE)
    (copy / "test_code_of.py").write_text(TEST)

    def survives(changed: str, tests: tuple[str, ...] = ("test_code_of.py::test_twice",)) -> bool:
        mutation.mutate_code = lambda *_: changed
        mutant = mutation.Mutant(path, 2, 2, 4, "an operator", 0, at_import=False)
        lives = mutation.survives(mutant, copy, {2: list(tests)})
        assert (copy / path).read_text() == CODE
        return bool(lives)

    return survives


@pytest.mark.parametrize(
    ("changed", "lives"),
    [
        (CODE.replace("2 * n", "n * 2"), True),
        (CODE.replace("2 * n", "3 * n"), False),
        (CODE.replace("2 * n", "2 * n +"), False),
    ],
    ids=["the same", "another result", "no code"],
)
def test_a_change_survives_where_its_tests_pass(survives, changed, lives) -> None:
    assert survives(changed) is lives


def test_a_change_that_no_test_runs_survives(survives) -> None:
    assert survives("no code", tests=())


def test_a_change_that_never_ends_is_noticed_after_the_time_for_it(
    mutation: ModuleType, survives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutation, "TIMEOUT", 1)
    assert not survives("while True:\n    pass\n")


def test_tests_that_take_too_long_have_no_status(mutation: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text("import time\n\ntime.sleep(3600)\n")
    assert mutation.run_tests(tmp_path, "test_long.py", timeout=0.1) is None


def test_nothing_is_counted_where_the_tests_fail_before_any_change(
    mutation: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mutation, "run_tests", lambda *_, **__: None)
    with pytest.raises(SystemExit, match="mend them first"):
        mutation.covering_tests(tmp_path)
