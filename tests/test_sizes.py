"""Sizes: how long a file and a function may be, and how many parameters a function may have."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
APP, PAGES = ROOT / "app.py", sorted((ROOT / "pages").glob("*.py"))
FOLDERS = ("benchmarks", "deploy", "docs", "examples", "skinlens", "tests")
OTHERS = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
WALKS = ["test_lesions_are_chosen_and_placed_on_the_map"]
"""Functions that are one walk through a page from top to bottom, whose steps nobody else takes."""
LINES_APP, LINES_PAGE, LINES_FILE, LINES_FUNCTION, PARAMETERS = 40, 120, 400, 60, 7


def too_long(paths: Iterable[Path], most: int) -> dict[str, int]:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    return {path.name: length for path, length in lengths.items() if length > most}


def test_too_long_counts_lines(tmp_path: Path) -> None:
    short, long = tmp_path / "short.py", tmp_path / "long.py"
    short.write_text("x = 1\n" * 40)
    long.write_text("x = 1\n" * 41)
    assert too_long([short, long], 40) == {"long.py": 41}


def test_files_keep_their_lengths() -> None:
    assert too_long([APP], LINES_APP) == {}
    assert too_long(PAGES, LINES_PAGE) == {}
    assert too_long(OTHERS, LINES_FILE) == {}


def too_large(source: str) -> Iterator[str]:
    """Yield the name of each function of a text that is too long or takes too much; ``self`` is not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            asked = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LINES_FUNCTION or len(asked) - (asked[:1] in (["self"], ["cls"])) > PARAMETERS:
                yield node.name


def test_too_large_counts_lines_and_parameters_of_functions_and_methods() -> None:
    source = "def long():\n" + "    x = 1\n" * LINES_FUNCTION
    source += "def short():\n" + "    x = 1\n" * (LINES_FUNCTION - 1)
    source += "async def many(a, b, c, d, /, e, f, *, g, h): ...\n"
    source += (
        "class C:\n    def seven(self, a, b, c, d, e, f, g): ...\n    def eight(self, a, b, c, d, e, f, g, h): ...\n"
    )
    assert list(too_large(source)) == ["long", "many", "eight"]


def test_functions_keep_their_sizes() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): names
        for path in (APP, *PAGES, *OTHERS)
        if (names := [name for name in too_large(path.read_text(encoding="utf-8")) if name not in WALKS])
    }
    assert found == {}
