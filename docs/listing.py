"""Listings of the documents: modules in the order of the import contract, decisions in the order they were taken.

``cog`` calls this (``make docs``), so the table is right whenever ``make check`` passes.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def modules(root: Path = ROOT) -> str:
    """A Markdown table: each file of ``skinlens/``, last station of the journey first, and what its docstring says."""
    lines = ["| module | what it is for |", "|---|---|"]
    for path in sorted_by_layer(root):
        lines.append(f"| `{path.relative_to(root).as_posix()}` | {first_words(path.read_text(encoding='utf-8'))} |")
    return "".join(f"{line}\n" for line in lines)


def sorted_by_layer(root: Path) -> Iterator[Path]:
    """The package first, then layer by layer; within a package its own file before the others."""
    yield root / "skinlens" / "__init__.py"
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    for name in (name for layer in layers(settings) for name in layer):
        module = root / "skinlens" / f"{name}.py"
        if module.exists():
            yield module
        yield from sorted((root / "skinlens" / name).rglob("*.py"))


def layers(settings: dict[str, object]) -> Iterator[list[str]]:
    """The modules of each layer that the contract names, from the highest to the lowest."""
    match settings:
        case {"tool": {"importlinter": {"contracts": [{"layers": [*names]}, *_]}}}:
            yield from ([name.strip() for name in re.split(r"[|:]", str(line))] for line in names)
        case _:
            raise ValueError("pyproject.toml: the first contract of import-linter should be the one with the layers")


def first_words(source: str) -> str:
    """The first sentence of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(source)) or ""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    sentence = re.match(r".*?[.](?=\s+[A-Z`]|\s*$)|.*", paragraph)
    words = sentence[0] if sentence else ""
    return words.rstrip(":").replace("``", "`").replace("|", "\\|")


def decisions(root: Path = ROOT) -> str:
    """A Markdown table of the decision records: number and title, linked."""
    lines = ["| | decision |", "|---|---|"]
    for path in sorted((root / "docs" / "decisions").glob("[0-9]*.md")):
        number, _, title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").partition(". ")
        lines.append(f"| {number} | [{title}]({path.name}) |")
    return "".join(f"{line}\n" for line in lines)
