"""The field of view as it is typed and shown, in the unit of the settings, and as it is stored, in millimeters."""

from skinlens.clinical import FIELD_WIDTH_MM
from skinlens.formatting import Unit, from_mm, to_mm
from skinlens.ui.forms.numbers import Expected, shown

_DIGITS = 3
"""Of inches: fine enough for a fortieth of a millimeter."""
_SYMBOLS: dict[Unit, str] = {"mm": "mm", "inch": "in"}


def expected(unit: Unit) -> Expected:
    """Range of the field in that unit."""
    low, high = (_rounded(limit, unit) for limit in FIELD_WIDTH_MM)
    return Expected(low, high, _SYMBOLS[unit])


def text(mm: float | None, unit: Unit) -> str:
    """Text in the field; empty where it is not known."""
    return "" if mm is None else shown(_rounded(mm, unit))


def in_mm(typed: float | None, unit: Unit, *known_mm: float | None) -> float | None:
    """The millimeters of a number of the field: those of a known length, unrounded, where that is shown as it."""
    if typed is None:
        return None
    return next((mm for mm in known_mm if text(mm, unit) == shown(typed)), to_mm(typed, unit))


def _rounded(mm: float, unit: Unit) -> float:
    return mm if unit == "mm" else round(from_mm(mm, unit), _DIGITS)
