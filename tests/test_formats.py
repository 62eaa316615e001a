"""Numbers for a reader are formatted in ``skinlens.formatting`` and nowhere else: no percentage or interval by hand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for folder in ("skinlens", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != ROOT / "skinlens" / "formatting.py" and "__pycache__" not in path.parts
]
PERCENT_SPEC = re.compile(r"^[<>=^+\d,.]*%$")
GROUPED_SPEC = re.compile(r"^,(?:d|\.0f)?$")
NUMBER_SPEC = re.compile(r"[\d.,][fg]$")


def by_hand(source: str) -> Iterator[int]:
    """Lines of a module on which a percentage or an interval is put together from a number."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield from (node.lineno for found in _parts(node.values) if found)


def _parts(values: list[ast.expr]) -> Iterator[bool]:
    for place, value in enumerate(values):
        if not isinstance(value, ast.FormattedValue):
            continue
        after = "".join(one.value for one in values[place + 1 : place + 2] if isinstance(one, ast.Constant))
        spec = _spec(value)
        yield bool(PERCENT_SPEC.search(spec))
        yield bool(GROUPED_SPEC.search(spec))
        yield bool(re.match(r"[ \u00a0]%", after)) and not _is_formatted(value)
        second = values[place + 2] if place + 2 < len(values) else None
        if NUMBER_SPEC.search(spec) and after in {"–", " to ", "-"} and isinstance(second, ast.FormattedValue):
            yield bool(NUMBER_SPEC.search(_spec(second)))


def _spec(value: ast.FormattedValue) -> str:
    return ast.unparse(value.format_spec)[2:-1] if value.format_spec else ""


def _is_formatted(value: ast.FormattedValue) -> bool:
    """Whether another function of ``formatting`` made the digits."""
    made = value.value
    return isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id in {"number", "signed"}


@pytest.mark.parametrize(
    "line",
    [
        'f"{n:,}"',
        'f"{n:,.0f} MB"',
        'f"{100 * x:.0f} %"',
        'f"{x:.1%}"',
        'f"{x}\\u00a0%"',
        'f"({low:.2f}–{high:.2f})"',
        'f"{low:.3f} to {high:.3f}"',
    ],
)
def test_what_is_put_together_by_hand_is_found(line: str) -> None:
    assert list(by_hand(line)) == [1]


@pytest.mark.parametrize(
    "line", ['f"{percent(x)}"', 'f"{day:%Y-%m-%d}"', 'f"width:{x:.2f}%"', 'f"{number(x)} %"', 'f"{a} to {b}"']
)
def test_what_is_no_figure_is_left_alone(line: str) -> None:
    assert list(by_hand(line)) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_percentage_or_interval_is_formatted_by_hand(path: Path) -> None:
    assert list(by_hand(path.read_text(encoding="utf-8"))) == []
