"""Hook of mkdocs: docstrings name functions by Sphinx's roles, which Markdown does not know."""

from __future__ import annotations

import re
from typing import Any


def on_page_content(html: str, **_: Any) -> str:
    """Return a page without the roles before what they mark, which is code anyway."""
    return re.sub(r":(?:func|class|meth|mod):(?=<code>)", "", html)
