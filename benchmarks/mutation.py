"""Changes the code in small ways, and counts the changes that no test notices.

``python benchmarks/mutation.py 10 [--seed 0] [--minutes 60]`` draws ten mutants of each
module of `images/` and `nuclei/`, and of `learning/corrections.py`: a place at random, then one
of what cosmic-ray can put there. Each is tested in a copy of the sources by those quick tests
(`TESTS`) that run its line when nothing is changed; where the line runs at import, by all that
use the module. Prints every mutant that survived, with what it changed, and a table. The order is
random, so that a run that ends after some minutes is a sample too.

Not drawn, since no run of the program could tell: annotations, texts of errors, arguments of
decorators (such as ``frozen=True``), ``strict=`` of zip, and ``is`` for ``==``.

Needs Linux and ``pip install .[test,mutation]``.
"""

from __future__ import annotations

import argparse
import difflib
import itertools
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage import CoverageData
from parso.tree import NodeOrLeaf
from scipy.stats import binomtest

ROOT = Path(__file__).parents[1]
PACKAGE = Path("src/napari_unet")
GROUPS = ("images/*.py", "nuclei/*.py", "learning/corrections.py")
# Those that open no dock, start no other program and train no network: a mutant that survives
# has to wait for all that run its line.
TESTS = (
    *(str(PACKAGE / pattern.removesuffix("/*.py")) for pattern in GROUPS),
    *("tests/images", "tests/nuclei"),
    *(f"tests/learning/test_{name}.py" for name in ("corrections", "locking", "scribbles")),
    *(f"tests/cli/test_{name}.py" for name in ("bad_files", "convert", "evaluate", "measure")),
    *("tests/cli/test_segment.py", "tests/cli/test_segment_blocks.py"),
    *(f"tests/test_{name}.py" for name in ("bad_inputs", "batch", "estimate", "filling", "jobs")),
    *(f"tests/test_{name}.py" for name in ("methods", "properties", "relabel")),
    *("tests/test_segmentation.py", "tests/test_work_list.py"),
)
CHOSEN = "not worker and not kill"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
TIMEOUT = 240  # s; all tests together take less
MEMORY = 12 * 2**30  # bytes of address space
UNSEEN = {"VariableReplacer", "VariableInserter", "NoOp"}  # need settings, or change nothing


@dataclass(frozen=True)
class Mutant:
    """One change: lines of its statement and itself, and which place of the operator it is."""

    path: Path
    statement: int
    line: int
    column: int
    operator: str
    occurrence: int
    at_import: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("n", type=int, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf, help="draw no more after this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        copy_sources(copy)
        tests = covering_tests(copy)
        found = [mutant for path in modules() for mutant in drawn(path, options.n, options.seed)]
        random.Random(options.seed).shuffle(found)
        end, survived = time.monotonic() + 60 * options.minutes, {}
        for mutant in itertools.takewhile(lambda _: time.monotonic() < end, found):
            survived[mutant] = survives(mutant, copy, tests[mutant.path])
        print_table(survived)


def modules() -> list[Path]:
    found = [path for pattern in GROUPS for path in sorted((ROOT / PACKAGE).glob(pattern))]
    return [path.relative_to(ROOT) for path in found if path.name != "__init__.py"]


def copy_sources(copy: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".*", "build", "dist", "site", "*.png")
    for name in ("src", "tests", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)


def covering_tests(copy: Path) -> dict[Path, dict[int, list[str]]]:
    """Return, for each file, the tests that run each of its lines."""
    measure = ("-p", "pytest_cov", f"--cov={PACKAGE}", "--cov-context=test", "--cov-report=")
    if run_tests(copy, "-k", CHOSEN, *measure, *TESTS, timeout=3600) != 0:
        raise SystemExit("Expected tests that pass before anything is changed; mend them first.")
    data = CoverageData(str(copy / ".coverage"))
    data.read()
    found = {path: tests_of_lines(data, copy / path) for path in modules()}
    names = {test for lines in found.values() for tests in lines.values() for test in tests}
    if run_tests(copy, "--collect-only", *listed(copy, names), timeout=TIMEOUT) != 0:
        raise SystemExit("Expected tests that pytest finds by the names it gave them.")
    return found


def tests_of_lines(data: CoverageData, path: Path) -> dict[int, list[str]]:
    return {
        line: [context.rsplit("|", 1)[0] for context in contexts if context]
        for line, contexts in data.contexts_by_lineno(str(path.resolve())).items()
    }


def listed(copy: Path, tests: Iterable[str]) -> tuple[str, ...]:
    """Return the arguments that make pytest run these tests; there may be thousands."""
    (copy / "tests.txt").write_text("\n".join(tests))
    return ("@tests.txt",)


def run_tests(copy: Path, *arguments: str, timeout: float) -> int | None:
    """Return pytest's status, or None if it took too long.

    Without the plugins that happen to be installed, since Qt and napari take seconds to load.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",  # a mutant of the same second and size would not be read
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "CI": "true",  # the same examples from hypothesis each time
        "TMPDIR": str(copy.parent),
    }
    command = ["prlimit", f"--as={MEMORY}", *PYTEST, *arguments]
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run(
            command, cwd=copy, env=environment, timeout=timeout, stdout=quiet, stderr=quiet
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def drawn(path: Path, n: int, seed: int) -> list[Mutant]:
    """Return n mutants of a file, or all if there are fewer: a place each time, then a change."""
    places: dict[tuple[int, int], list[Mutant]] = defaultdict(list)
    for mutant in mutants(path):
        places[mutant.line, mutant.column].append(mutant)
    rng = random.Random(f"{seed} {path.as_posix()}")
    rounds = [rng.sample(found, len(found)) for found in places.values()]
    chosen: list[Mutant] = []
    while len(chosen) < n and any(rounds):
        rng.shuffle(rounds)
        chosen += [found.pop() for found in rounds if found]
    return chosen[:n]


def mutants(path: Path) -> Iterator[Mutant]:
    nodes = list(ast_nodes(get_ast((ROOT / path).read_text())))
    for name in operator_names():
        short = name.split("/")[-1]
        if short in UNSEEN or (short.endswith(("_Is", "_IsNot")) and "_Is_" not in short):
            continue
        operator, occurrence = get_operator(name)(), -1
        for node in nodes:
            for (line, column), _ in operator.mutation_positions(node):
                occurrence += 1
                if not cannot_be_told(node):
                    first = statement_of(node).start_pos[0]
                    yield Mutant(path, first, line, column, name, occurrence, at_import(node))


def ancestors(node: NodeOrLeaf) -> Iterator[tuple[Any, NodeOrLeaf]]:
    """Yield every node around one, with the child of it that holds the one."""
    while node.parent is not None:
        yield node.parent, node
        node = node.parent


def cannot_be_told(node: NodeOrLeaf) -> bool:
    """Return whether a change of a node is in one of the places that are not drawn."""
    for parent, child in ancestors(node):
        # Leaving out a decorator is a change of the node itself, and not of one in it.
        if parent.type in ("raise_stmt", "tfpdef", "decorator"):
            return True
        if parent.type == "annassign" and child is parent.children[1]:
            return True
        if parent.type == "funcdef" and child is parent.annotation:
            return True
        if parent.type == "argument" and parent.children[0].get_code(False) == "strict":
            return True
    return False


def statement_of(node: NodeOrLeaf) -> NodeOrLeaf:
    blocks = ("suite", "file_input")
    return next((child for parent, child in ancestors(node) if parent.type in blocks), node)


def at_import(node: NodeOrLeaf) -> bool:
    """Return whether a node runs when its file is imported: it is in no body of a function."""
    inside = any(
        parent.type in ("funcdef", "lambdef") and child is parent.children[-1]
        for parent, child in ancestors(node)
    )
    return not inside


def survives(mutant: Mutant, copy: Path, tests: dict[int, list[str]]) -> bool:
    """Return whether the tests pass with a mutant, and print it if so."""
    own, path = f"test_{mutant.path.stem}.py", copy / mutant.path
    lines = tests if mutant.at_import else range(mutant.statement, mutant.line + 1)
    found = {test for line in lines for test in tests.get(line, [])}
    ordered = sorted(found, key=lambda test: (own not in test, test))
    before = path.read_text()
    after = mutate_code(before, get_operator(mutant.operator)(), mutant.occurrence)
    path.write_text(after)
    status = run_tests(copy, "-x", *listed(copy, ordered), timeout=TIMEOUT) if ordered else 0
    path.write_text(before)
    lives = status == 0
    if lives:
        print(f"\n{mutant.path}:{mutant.line} {mutant.operator}, {len(ordered)} tests")
        changes = difflib.ndiff(before.splitlines(), after.splitlines())
        print("\n".join(line for line in changes if line[0] in "-+"), flush=True)
    return lives


def print_table(survived: dict[Mutant, bool]) -> None:
    """Print the share of each module, of each group of them, and of all."""
    rows: dict[str, list[bool]] = defaultdict(list)
    for mutant, lives in survived.items():
        name = mutant.path.relative_to(PACKAGE)
        for row in {name.as_posix(), *filter(name.match, GROUPS), "all"}:
            rows[row].append(lives)
    print("\n| module | mutants | killed | survived | share | 95 % interval |")
    print("|---|---|---|---|---|---|")
    for row, fates in sorted(rows.items()):
        n, k = len(fates), sum(fates)
        low, high = binomtest(k, n).proportion_ci(method="wilson")
        print(f"| {row} | {n} | {n - k} | {k} | {k / n:.1%} | {low:.1%} to {high:.1%} |")


if __name__ == "__main__":
    main()
