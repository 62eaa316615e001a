"""A sentence that several places say is in the catalog ``skinlens.wording``, and is written there once."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
CATALOG = ROOT / "skinlens" / "wording"
LEAST = 25
"""Letters from which a text that occurs twice is a sentence and no name."""
NO_SENTENCE = re.compile(
    r"\b(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN|CREATE|LIMIT|PRAGMA|NULL|COLLATE)\b|[<>]|%\{"
)
"""SQL, markup, and the forms of charts."""


def texts(source: str) -> Iterator[str]:
    """Texts of a module that are no docstrings, and the pieces of those into which something is put."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            said = " ".join(node.value.split()).strip(" .,:;*").lower()
            if len(said) >= LEAST and said.count(" ") > 1 and not NO_SENTENCE.search(node.value):
                yield said


@cache
def written() -> dict[str, tuple[str, ...]]:
    """Each text → the files in which it is written; test data and scripts of the documents included."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in ("skinlens", "docs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for said in texts(path.read_text(encoding="utf-8")):
                found[said].add(path.relative_to(ROOT).as_posix())
    return {said: tuple(sorted(files)) for said, files in found.items()}


def test_texts_are_compared_without_their_layout() -> None:
    source = '"""A docstring of more than twenty-five letters."""\nA = f"{x}: not a\\n diagnosis of any kind. {y}"\n'
    assert list(texts(source)) == ["not a diagnosis of any kind"]


def test_the_catalog_is_found() -> None:
    mine = [said for said, files in written().items() if any(name.startswith("skinlens/wording/") for name in files)]
    assert len(mine) > 40
    assert "the maps show what influenced the model, not where the disease is" in mine


def test_no_sentence_of_the_catalog_is_written_elsewhere() -> None:
    catalog = {said for path in sorted(CATALOG.glob("*.py")) for said in texts(path.read_text(encoding="utf-8"))}
    again = [
        f"{files}: {said}"
        for said, files in written().items()
        for one in catalog
        if one in said and any(not name.startswith("skinlens/wording/") for name in files)
    ]
    assert again == []


def worded(source: str) -> list[str]:
    """Texts of two words or more that are neither docstrings nor within brackets: array shapes, values of a list."""
    tree = ast.parse(source)
    exempt = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    brackets = (node for node in ast.walk(tree) if isinstance(node, ast.Subscript))
    exempt |= {id(node) for bracket in brackets for node in ast.walk(bracket)}
    said = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in exempt]
    return [text for text in said if isinstance(text, str) and " " in text.strip()]


def test_records_hold_data_and_no_words_for_a_reader() -> None:
    assert worded('"""A doc string."""\nA: Array["h w"] = f"in {x} or two months"\n') == [" or two months"]
    for name in ("records", "clinical"):
        assert worded((ROOT / "skinlens" / f"{name}.py").read_text(encoding="utf-8")) == []


def test_no_sentence_is_written_in_two_modules() -> None:
    assert {said: files for said, files in written().items() if len(files) > 1} == {}
