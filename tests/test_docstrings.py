"""The first sentence of a docstring names the thing: no question, and no clause or preposition in place of a noun."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path for folder in ("skinlens", "docs", "benchmarks", "deploy") for path in (ROOT / folder).rglob("*.py")
)
QUESTIONS = ("What", "How", "Is", "Are", "Does", "Did", "Who", "Why", "Would", "When", "Where", "Which", "Whose")
POINTERS = ("All that", "That", "Those", "The same", "So many", "It", "Its", "Their", "If", "Also", "And")
PREPOSITIONS = (
    *("Of", "From", "By", "In", "As", "For", "At", "On", "With", "Without", "Within", "Over", "Between", "Behind"),
    *("After", "Before", "While", "Until"),
)
RIDDLE = re.compile(rf"(?:{'|'.join(QUESTIONS + POINTERS + PREPOSITIONS)})(?![\w-])")


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
        'def g():\n    """Of one lesion."""\n\n'
        'class C:\n    """Row of a table."""\n\n    def h(self):\n        """In-memory copy."""\n'
    )
    found = first_sentences(source)
    assert found == ["Do the maps agree?", "What is stored.", "Of one lesion.", "Row of a table.", "In-memory copy."]
    assert [bool(RIDDLE.match(one)) or one.endswith("?") for one in found] == [True, True, True, False, False]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_first_sentence_names_the_thing(path: Path) -> None:
    found = first_sentences(path.read_text(encoding="utf-8"))
    assert [one for one in found if RIDDLE.match(one) or one.endswith("?")] == []
