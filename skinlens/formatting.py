"""Formatting of shares, numbers, intervals, durations, lengths and counts: the same on the screen, in print, on the
command line and in the documents. Calendar days and times are in ``clock``. What rounds to nothing has no sign: a "z"
in a format takes the minus of "-0.00" away.
"""

import math
import re
from collections.abc import Mapping
from typing import Literal

Unit = Literal["mm", "inch"]
"""Unit of lengths, as the settings have it."""

NOT_MEASURABLE = "not measurable"
NOT_MEASURED = "not measured"
NONE = "–"
"""Text of a cell in which no value can be."""


def duration(duration_ms: float, digits: int = 0) -> str:
    """Milliseconds below a second with so many digits after the point, seconds with one more from there on."""
    return f"{duration_ms:.{digits}f} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.{digits + 1}f} s"


def percent(prob: float) -> str:
    """One digit after the point; what would round to 0 or 100 says so."""
    if 0 < prob < 0.0005:
        return "<\u00a00.1\u00a0%"
    if 0.9995 < prob < 1:
        return ">\u00a099.9\u00a0%"
    return rounded_percent(prob, 1)


def rounded_percent(share: float | None, digits: int = 0) -> str:
    """A share that need not be told from 0 or 1, as "25 %"; a dash for None."""
    return NONE if share is None else f"{100 * share:z.{digits}f}\u00a0%"  # never parted at the end of a line


def points(change: float) -> str:
    """Difference of two shares in percentage points, with its sign: "+4.1 points"."""
    return f"{signed(100 * change, 1)} points".replace("-", "−")


def signed(change: float, digits: int = 0) -> str:
    """Number with its sign and so many digits after the point; no sign before what rounds to nothing."""
    said = f"{change:+z.{digits}f}"
    return said if float(said) else said[1:]


_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth",
          10: "tenth", 11: "eleventh", 12: "twelfth", 13: "thirteenth", 14: "fourteenth", 15: "fifteenth",
          16: "sixteenth"}  # fmt: skip


def part(share: float) -> str:
    """The nearest unit fraction as a noun: "fifth" for 0.2, "eleventh" for 17 of 192. From a half to a sixteenth."""
    return _PARTS[round(1 / share)]


def number(value: float) -> str:
    """A number with as many digits as a reader needs: whole from 100 up, three significant ones below."""
    if not math.isfinite(value):
        return NOT_MEASURABLE
    return f"{value:z.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point; a dash for None and NaN."""
    return NONE if value is None or math.isnan(value) else f"{value:z.{digits}f}"


def span(low: str, high: str) -> str:
    """A span from one formatted value to another: "0.68–0.74"; with "to" where either has a sign or a unit."""
    dash = all(re.fullmatch(r"[\d.,]+", end) for end in (low, high))
    return f"{low}{'–' if dash else ' to '}{high}"


def interval(value: str, low: str, high: str) -> str:
    """A formatted value with its interval: "0.712 (0.680–0.745)"."""
    return f"{value} ({span(low, high)})"


def estimate(figure: Mapping[str, float | None] | None, digits: int = 3, *, sign: bool = False) -> str:
    """An estimate (``value``, ``low``, ``high``) with its 95 % interval, as ``interval`` gives it.

    The value alone where it has no interval; None was not measured, a value of None or NaN is not measurable. ``sign``:
    a plus before what is positive, of a difference.
    """
    if figure is None:
        return NOT_MEASURED
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None or math.isnan(value):
        return NOT_MEASURABLE
    written = signed if sign else decimal
    if low is None or high is None or math.isnan(low + high):
        return written(value, digits)
    return interval(*(written(amount, digits) for amount in (value, low, high)))


def grouped(number: float) -> str:
    """Whole number with its thousands parted by commas."""
    return f"{number:z,.0f}"


def counted(number: int, noun: str, nouns: str = "") -> str:
    """A counted noun: "1 photo", "1,234 photos"; ``nouns`` is the plural where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def megabytes(size_bytes: float, digits: int = 1) -> str:
    """A size in millions of bytes."""
    return f"{size_bytes / 1e6:,.{digits}f} MB"


MM_PER_INCH = 25.4
UNIT_WORDS: dict[Unit, str] = {"mm": "mm", "inch": "inches"}
"""Behind the label of a field for a length."""


def from_mm(mm: float, unit: Unit) -> float:
    """A length as a field in that unit holds it."""
    return mm / MM_PER_INCH if unit == "inch" else mm


def to_mm(value: float, unit: Unit) -> float:
    """A length entered in that unit, in millimeters, to a thousandth of one."""
    return round(value * MM_PER_INCH, 3) if unit == "inch" else value


def entered_length(mm: float, unit: Unit = "mm") -> str:
    """A length that a clinician entered: no digit more than was typed, in hundredths where it is an inch."""
    return length(mm, unit) if unit == "inch" else f"{mm:g}\u00a0mm"


def in_both_units(mm: float) -> str:
    """A length where it is not known in which unit it was entered: "2 mm (0.08 in)"."""
    return f"{mm:g}\u00a0mm ({mm / MM_PER_INCH:.2f}\u00a0in)"


def length(mm: float, unit: Unit = "mm") -> str:
    """A length of some millimeters: tenths of a millimeter, or hundredths of an inch, which are as fine."""
    if not math.isfinite(mm):
        return NOT_MEASURABLE
    return f"{mm / MM_PER_INCH:.2f}\u00a0in" if unit == "inch" else f"{mm:.1f}\u00a0mm"


def area(mm2: float, unit: Unit = "mm") -> str:
    """An area of some square millimeters, as ``length`` gives a length."""
    if not math.isfinite(mm2):
        return NOT_MEASURABLE
    return f"{mm2 / MM_PER_INCH**2:.3f}\u00a0in²" if unit == "inch" else f"{mm2:.1f}\u00a0mm²"
