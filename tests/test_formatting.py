"""Figures as a reader sees them."""

import pytest

from skinlens.formatting import duration, length, number, part, percent


@pytest.mark.parametrize(
    ("value", "words"),
    [(450.0, "450"), (31.24, "31.2"), (0.00213, "0.00213"), (12345.6, "12346"), (float("nan"), "not measurable")],
)
def test_numbers_are_as_long_as_a_reader_needs(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(("value", "words"), [(7.6, "8 ms"), (999.4, "999 ms"), (1000.0, "1.0 s"), (65432.0, "65.4 s")])
def test_durations_are_in_the_unit_that_a_reader_expects(value: float, words: str) -> None:
    assert duration(value) == words


@pytest.mark.parametrize(
    ("prob", "words"), [(0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.1234, "12.3 %"), (0.9996, "> 99.9 %"), (1.0, "100.0 %")]
)
def test_a_share_never_rounds_to_certainty(prob: float, words: str) -> None:
    assert percent(prob).replace("\u00a0", " ") == words


@pytest.mark.parametrize(("share", "noun"), [(0.5, "half"), (0.2, "fifth"), (17 / 192, "eleventh"), (1 / 4, "quarter")])
def test_a_share_as_the_nearest_part(share: float, noun: str) -> None:
    assert part(share) == noun


@pytest.mark.parametrize(
    ("mm", "unit", "words"),
    [
        (6.24, "mm", "6.2\u00a0mm"),
        (12.0, "mm", "12.0\u00a0mm"),
        (0.04, "mm", "0.0\u00a0mm"),
        (25.4, "inch", "1.00\u00a0in"),
        (6.24, "inch", "0.25\u00a0in"),
        (float("nan"), "mm", "not measurable"),
        (float("inf"), "inch", "not measurable"),
    ],
)
def test_a_length_is_said_in_the_unit_that_was_chosen(mm: float, unit: str, words: str) -> None:
    assert length(mm, unit) == words
