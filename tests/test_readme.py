"""What PyPI and the napari hub show of the README."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what fills the metadata of a build, for an address of the sources."""
    spec = importlib.util.spec_from_file_location("readme", ROOT / "tools" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def made(source: str) -> dict[str, Any]:
        monkeypatch.setenv("SOURCE_URL", source)
        given: dict[str, Any] = {"version": "1.2"}
        module.Readme(str(ROOT), {}).update(given)
        return given

    return made


def test_pictures_and_pages_are_named_by_their_whole_address(metadata: Any) -> None:
    given = metadata("https://example.org/a/b/")
    text = given["readme"]["text"]
    assert "](https://example.org/a/b/raw/v1.2/docs/images/dock.gif)" in text
    assert "](https://example.org/a/b/blob/v1.2/docs/tour.md)" in text
    assert "](docs/" not in text
    assert given["urls"]["Source"] == "https://example.org/a/b"


def test_without_an_address_the_readme_is_left_as_it_is(metadata: Any) -> None:
    given = metadata("")
    assert given["readme"]["text"] == (ROOT / "README.md").read_text(encoding="utf-8")
    assert "urls" not in given
