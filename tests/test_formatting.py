"""Figures as a reader sees them."""

import pytest

from skinlens.formatting import (
    counted,
    decimal,
    duration,
    estimate,
    grouped,
    length,
    megabytes,
    number,
    part,
    percent,
    points,
    rounded_percent,
    signed,
    span,
)


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


@pytest.mark.parametrize(
    ("share", "digits", "words"), [(0.253, 0, "25\u00a0%"), (0.253, 1, "25.3\u00a0%"), (None, 0, "–")]
)
def test_a_share_that_need_not_be_told_from_certainty(share: float | None, digits: int, words: str) -> None:
    assert rounded_percent(share, digits) == words


def test_a_change_has_its_sign() -> None:
    assert [points(0.041), points(-0.041)] == ["+4.1 points", "−4.1 points"]
    assert [signed(3.4), signed(-3.4), signed(-0.4)] == ["+3", "-3", "0"]
    assert [signed(-0.04, 1), signed(0.25, 1), points(-0.0001)] == ["0.0", "+0.2", "0.0 points"]


def test_nothing_has_no_minus() -> None:
    assert [decimal(-0.004, 2), grouped(-0.3), number(-0.0), rounded_percent(-0.001)] == ["0.00", "0", "0", "0\u00a0%"]
    assert estimate({"value": 0.0, "low": -0.0004, "high": 0.0004}) == "0.000 (0.000–0.000)"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        ("0.680", "0.745", "0.680–0.745"),
        ("1,200", "1,300", "1,200–1,300"),
        ("-0.010", "0.020", "-0.010 to 0.020"),
        ("1.0\u00a0%", "2.0\u00a0%", "1.0\u00a0% to 2.0\u00a0%"),
    ],
)
def test_a_dash_never_stands_before_a_minus_or_between_units(low: str, high: str, words: str) -> None:
    assert span(low, high) == words


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ((0.712, 0.68, 0.745), "0.712 (0.680–0.745)"),
        ((0.012, -0.01, 0.034), "0.012 (-0.010 to 0.034)"),
        ((0.5, None, None), "0.500"),
        ((0.5, float("nan"), float("nan")), "0.500"),
        ((None, None, None), "not measurable"),
        (None, "not measured"),
    ],
)
def test_an_estimate_has_its_interval_in_brackets(figure: tuple[float | None, ...] | None, words: str) -> None:
    assert estimate(dict(zip(("value", "low", "high"), figure, strict=True)) if figure else None) == words


def test_a_difference_has_its_sign_at_both_ends() -> None:
    assert estimate({"value": 0.012, "low": -0.01, "high": 0.034}, sign=True) == "+0.012 (-0.010 to +0.034)"


def test_counts_sizes_and_decimals() -> None:
    assert [counted(1, "photo"), counted(0, "photo"), counted(1234, "visit")] == ["1 photo", "0 photos", "1,234 visits"]
    assert counted(2, "photo or map", "photos or maps") == "2 photos or maps"
    assert [grouped(1234567), megabytes(14_250_000), decimal(0.71249), decimal(None)] == [
        "1,234,567",
        "14.2 MB",
        "0.712",
        "–",
    ]
    assert [duration(12.34, 1), duration(1234.0, 1)] == ["12.3 ms", "1.23 s"]
