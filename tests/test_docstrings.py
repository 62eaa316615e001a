"""The first sentence of a docstring names the thing: no question, no relative clause in the place of a noun."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "skinlens"
RIDDLE = re.compile(r"(?:What|How|Is|Are|Does|Did|Who|Why|Would|All that|That which)\b")


def first_sentences(source: str) -> list[str]:
    """Of a module and of every public class and function in it."""
    tree = ast.parse(source)
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    named = [node for node in ast.walk(tree) if isinstance(node, defined) and not node.name.startswith("_")]
    said = (" ".join((ast.get_docstring(node) or "").split()) for node in (tree, *named))
    return [re.split(r"(?<=[.?:;])\s", words)[0] for words in said if words]


def test_a_riddle_is_told_from_a_name() -> None:
    source = (
        '"""Do the maps agree?"""\n\ndef f():\n    """What is stored. Each once."""\n\n'
        'class C:\n    """Row of a table."""\n'
    )
    found = first_sentences(source)
    assert found == ["Do the maps agree?", "What is stored.", "Row of a table."]
    assert [bool(RIDDLE.match(one)) or one.endswith("?") for one in found] == [True, True, False]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_first_sentence_names_the_thing(path: Path) -> None:
    found = first_sentences(path.read_text(encoding="utf-8"))
    assert [one for one in found if RIDDLE.match(one) or one.endswith("?")] == []
