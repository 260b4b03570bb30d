"""What README and docs point to is there, and the commands that they show are real."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

import napari_unet
from napari_unet.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
IN_LINE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)>\s]+)")
NAMED = re.compile(r"`(?:python )?((?:benchmarks|docs|src|tests|tools)/[\w./-]*\w)(?=[`\s])")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """Return a page without its code, where brackets are no links and # is no heading."""
    return IN_LINE.sub("", FENCED.sub("", text))


def anchors(text: str) -> set[str]:
    """Return what GitHub calls the headings of a page."""
    headings = (found.strip().lower() for found in HEADING.findall(FENCED.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Return the relative links and images of a page that lead nowhere."""
    links = LINK.findall(prose(page.read_text(encoding="utf-8")))
    return [link for link in links if "://" not in link and not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    place, _, anchor = link.partition("#")
    target = page.parent / place if place else page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


def commands(text: str) -> Iterator[str]:
    """Yield each line of the code blocks of a page that calls ``napari-unet``."""
    for _, block in FENCED.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if re.match(r"\s*(\$ )?(\S*/)?napari-unet\s", line):
                yield line.strip()


def parse(line: str) -> None:
    """Parse a command as the command line does, and run nothing."""
    words = shlex.split(line.removeprefix("$ "), comments=True)[1:]
    command = get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    command.make_context("napari-unet", words)


def python_calls(text: str) -> Iterator[ast.Call]:
    """Yield the calls of ``nu``'s functions in the code blocks of a page."""
    for language, block in FENCED.findall(text):
        nodes = ast.walk(ast.parse(block)) if language == "python" else ()
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("nu."):
                yield node


def bind(call: ast.Call) -> None:
    """Bind the arguments of a call to the public function of that name, and run nothing."""
    function = getattr(napari_unet, ast.unparse(call.func).removeprefix("nu."))
    signature = inspect.signature(function)
    signature.bind(*call.args, **{str(given.arg): given.value for given in call.keywords})


def missing_files(text: str) -> list[str]:
    """Return the files of the project that a page names as code and that are not there."""
    return [path for path in NAMED.findall(text) if not (ROOT / path).exists()]


SHOWN = [
    pytest.param(line, id=f"{name_of(page)}: {line}")
    for page in PAGES
    for line in commands(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_images_lead_to_files_and_headings(page: Path) -> None:
    assert broken_links(page) == []


CALLS = [
    pytest.param(call, id=f"{name_of(page)}: {ast.unparse(call)}")
    for page in PAGES
    for call in python_calls(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("call", CALLS)
def test_python_that_is_shown_fits_the_functions(call: ast.Call) -> None:
    bind(call)


@pytest.mark.parametrize("text", ["nu.segment(a, axis='YX')", "nu.measure()", "nu.segmnt(a)"])
def test_python_that_does_not_fit_is_found(text: str) -> None:
    (call,) = python_calls(f"```python\n{text}\n```\n")
    with pytest.raises((TypeError, AttributeError)):
        bind(call)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_of_the_project_that_are_named_are_there(page: Path) -> None:
    assert missing_files(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", SHOWN)
def test_commands_that_are_shown_exist_with_their_options(line: str) -> None:
    parse(line)


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# Two words, said\n", encoding="utf-8")
    page.write_text(
        "# Here\n[a](other.md) [b](other.md#two-words-said) [c](#here) [d](https://napari.org)\n"
        "`[code](none.md)` ![e](none.png) [f](other.md#three) [g](#there)\n",
        encoding="utf-8",
    )
    assert broken_links(page) == ["none.png", "other.md#three", "#there"]


def test_files_that_are_not_there_are_found() -> None:
    text = "`tests/test_docs.py` and `python benchmarks/none.py 3` and `tests/`"
    assert missing_files(text) == ["benchmarks/none.py"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("napari-unet segmnt a.tif", "segmnt"),
        ("napari-unet models comparr a b", "comparr"),
        ("napari-unet segment a.tif --axis ZYX", "--axis"),
        ("napari-unet segment", "[Mm]issing"),
        ("napari-unet measure a.tif b.tif c.tif -o d.csv", "unexpected extra argument"),
    ],
)
def test_commands_that_do_not_exist_are_found(line: str, words: str) -> None:
    with pytest.raises(Exception, match=words):
        parse(line)


def test_commands_are_found_in_code_blocks_alone() -> None:
    text = "napari-unet a\n```sh\nnapari-unet b \\\n  c  # d\npip install napari-unet-nuclei\n```\n"
    assert [shlex.split(line, comments=True) for line in commands(text)] == [
        ["napari-unet", "b", "c"]
    ]


def test_the_python_page_has_all_public_names() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: napari_unet\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(set(napari_unet.__all__) - {"__version__"})


def quoted(text: str) -> list[str]:
    """Return what a page quotes, without what `…` stands for."""
    quotes = [found.replace("\n> ", " ") for found in re.findall(r"^> ((?:.+\n)+)", text, re.M)]
    return [part.strip() for quote in quotes for part in quote.split("…")]


def test_messages_that_troubleshooting_quotes_are_in_the_code() -> None:
    parts = quoted((ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"))
    code = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")]
    said = [str(n.value) for tree in code for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    assert "which is slower." in " ".join(parts)
    assert [part for part in parts if not any(part in text for text in said)] == []


def test_quotes_are_joined_over_lines_and_parted_at_dots() -> None:
    assert quoted("a\n\n> one … two\n> three\n\nb\n") == ["one", "two three"]
