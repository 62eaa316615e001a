"""Hooks of the documents' site: what lies outside of ``docs/`` is named, not linked."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?!decisions/|[a-z-]+\.md)[^)]*\)")
"""A Markdown link that leaves ``docs/``: its target is a file of the project, which the site does not hold."""


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Take the links away that the site cannot follow."""
    depth = page.file.src_uri.count("/")
    return OUTSIDE.sub(r"\1", markdown) if depth == 0 else markdown
