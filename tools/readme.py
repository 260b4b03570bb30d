"""What PyPI and the napari hub show of README.md, whose links have to be whole there.

hatchling calls this at each build. The address of the sources is not known before they are
published somewhere: the variable SOURCE_URL names it (https://github.com/OWNER/NAME, as GitHub's
own address forms are used), and without it links stay relative, as the clone has them.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = re.compile(r"(!?)(\[[^\]]*\]\()(?![a-z]+:|#)([^)\s]+)")


class Readme(MetadataHookInterface):
    """Adds README.md, and the address of the sources, to the metadata of the project."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what pyproject.toml leaves to this file."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        source = os.environ.get("SOURCE_URL", "").rstrip("/")
        if source:
            text = whole(text, source, f"v{metadata['version']}")
            metadata["urls"] = {"Source": source, "Changelog": f"{source}/blob/main/CHANGELOG.md"}
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def whole(text: str, source: str, version: str) -> str:
    """Return a page whose relative links name a version at the address of the sources.

    >>> whole("![a](docs/a.png) [b](#b) [c](docs/c.md)", "https://x.org/y", "v1")
    '![a](https://x.org/y/raw/v1/docs/a.png) [b](#b) [c](https://x.org/y/blob/v1/docs/c.md)'
    """

    def link(found: re.Match[str]) -> str:
        picture, name, place = found.groups()
        return f"{picture}{name}{source}/{'raw' if picture else 'blob'}/{version}/{place}"

    return RELATIVE.sub(link, text)
