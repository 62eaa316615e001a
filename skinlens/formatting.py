"""Formatting of numbers, shares and times: the same on the screen and in print."""

import math
from typing import Literal

Unit = Literal["mm", "inch"]
"""Of lengths, as the settings have it."""


def duration(duration_ms: float) -> str:
    """Milliseconds below a second, tenths of a second from there on."""
    return f"{duration_ms:.0f} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"


def percent(prob: float) -> str:
    """One digit after the point; what would round to 0 or 100 says so."""
    if 0 < prob < 0.0005:
        return "<\u00a00.1\u00a0%"
    if 0.9995 < prob < 1:
        return ">\u00a099.9\u00a0%"
    return f"{100 * prob:.1f}\u00a0%"  # never parted at the end of a line


_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth",
          10: "tenth", 11: "eleventh", 12: "twelfth", 13: "thirteenth", 14: "fourteenth", 15: "fifteenth",
          16: "sixteenth"}  # fmt: skip


def part(share: float) -> str:
    """The nearest unit fraction as a noun: "fifth" for 0.2, "eleventh" for 17 of 192. From a half to a sixteenth."""
    return _PARTS[round(1 / share)]


def number(value: float) -> str:
    """As many digits as a reader needs: whole from 100 up, three significant ones below."""
    if not math.isfinite(value):
        return "not measurable"
    return f"{value:.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


MM_PER_INCH = 25.4
UNIT_WORDS: dict[Unit, str] = {"mm": "mm", "inch": "inches"}
"""Behind the label of a field for a length."""


def from_mm(mm: float, unit: Unit) -> float:
    """A length as a field in that unit holds it."""
    return mm / MM_PER_INCH if unit == "inch" else mm


def to_mm(value: float, unit: Unit) -> float:
    """What was entered in that unit, in millimeters, to a thousandth of one."""
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
        return "not measurable"
    return f"{mm / MM_PER_INCH:.2f}\u00a0in" if unit == "inch" else f"{mm:.1f}\u00a0mm"


def area(mm2: float, unit: Unit = "mm") -> str:
    """An area of some square millimeters, as ``length`` gives a length."""
    if not math.isfinite(mm2):
        return "not measurable"
    return f"{mm2 / MM_PER_INCH**2:.3f}\u00a0in²" if unit == "inch" else f"{mm2:.1f}\u00a0mm²"
