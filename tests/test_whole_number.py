"""Whole numbers in text from outside, and that nothing else of a browser or a program is turned into one."""

import re

import pytest

from skinlens import whole_number
from skinlens.paths import ROOT


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("0012", 12), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5000, None), ("", None), ("-1", None)]
    + [("\N{FULLWIDTH DIGIT ONE}", None), ("\N{SUPERSCRIPT TWO}", None)]
    + [(text, None) for text in ("+1", " 1", "1_000", "1.0", "x", "1\n")],
)
def test_a_whole_number_is_read_and_all_else_is_none(text: str, expected: int | None) -> None:
    assert whole_number.of_text(text) == expected


def test_no_digits_from_outside_are_turned_into_a_number_elsewhere() -> None:
    """``text.isdigit() and int(text)`` forgets that there may be thousands of digits."""
    sources = [path for folder in ("api", "accounts", "ui") for path in (ROOT / "skinlens" / folder).rglob("*.py")]
    assert len(sources) > 50
    named = re.compile(r"\.is(?:digit|decimal|numeric)\(\)")
    assert not [path.name for path in sources if named.search(path.read_text(encoding="utf-8"))]
