"""Numbers are read with a decimal comma and with a point, and never made of something else."""

import ast
from pathlib import Path

import pytest

from skinlens.ui.forms import numbers
from skinlens.ui.forms.numbers import Expected

WIDTH = Expected(2, 200, "mm")
MONTHS = Expected(1, 60, whole=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12,5", 12.5), ("12.5", 12.5), (" 12 ", 12.0), ("12,5 mm", 12.5), ("2", 2.0), ("200", 200.0), ("2,375", 2.375)],
)
def test_comma_and_point_are_one(text: str, value: float) -> None:
    assert WIDTH.read(text) == (value, "")


def test_nothing_is_no_number_and_no_problem() -> None:
    assert WIDTH.read("  ") == (None, "")


@pytest.mark.parametrize("text", ["1.234,5", "12,5,5", "1e2", "12;5", "1 2", "twelve", "12,", "٣", "inf", "nan", "0x1"])
def test_what_is_no_number_is_said_with_what_is_expected(text: str) -> None:
    value, problem = WIDTH.read(text)
    assert value is None
    assert problem == (
        f"“{text}” cannot be read. Expected: a number from 2 to 200\u00a0mm, decimals after a comma or a point."
    )


@pytest.mark.parametrize("text", ["1,5", "1.5", "12,0"])
def test_a_whole_number_takes_no_decimals(text: str) -> None:
    assert MONTHS.read("15") == (15.0, "")
    value, problem = MONTHS.read(text)
    assert value is None
    assert problem == f"“{text}” cannot be read. Expected: a whole number from 1 to 60, digits alone."


def test_a_number_out_of_range_is_named() -> None:
    value, problem = WIDTH.read("1,5")
    assert value is None
    assert problem.startswith("1.5\u00a0mm is out of range. Expected: a number from 2 to 200\u00a0mm")


@pytest.mark.parametrize("text", ["1,000", "1.000"])
def test_what_could_be_thousands_is_asked_for_again(text: str) -> None:
    value, problem = Expected(0, 10_000).read(text)
    assert value is None
    assert problem == f"“{text}” could be 1000 or 1. Type 1000, or fewer decimals."


def test_a_number_reads_back_as_it_is_shown() -> None:
    for value in (0.1, 12.5, 14.0, 1961.0, 123456.75):
        assert Expected(0, 10**6).read(numbers.shown(value)) == (value, "")
    assert numbers.shown(None) == ""


def test_no_page_has_a_field_that_makes_125_of_12_comma_5() -> None:
    for path in Path(numbers.__file__).parent.rglob("*.py"):
        used = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert "number_input" not in used, path
