"""Numbers as people type them: with a decimal comma or a decimal point, never guessed where it could be either."""

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"-?(?:[0-9]+(?:[.,][0-9]+)?|[.,][0-9]+)")
_WHOLE = re.compile(r"-?[0-9]+")
_GROUPED = re.compile(r"-?[1-9][0-9]{0,2}[.,][0-9]{3}")
"""As thousands are written in one country, and decimals in another."""


@dataclass(frozen=True)
class Expected:
    """Range and form of a number's field."""

    low: float
    high: float
    unit: str = ""
    whole: bool = False

    @property
    def words(self) -> str:
        what = "a whole number" if self.whole else "a number"
        how = "digits alone" if self.whole else "decimals after a comma or a point"
        return f"{what} from {shown(self.low)} to {shown(self.high)}{self._unit}, {how}"

    @property
    def _unit(self) -> str:
        return f"\u00a0{self.unit}" if self.unit else ""

    def read(self, text: str) -> tuple[float | None, str]:
        """The number, and no words; or None, and what is wrong with the text, if anything stands in it."""
        typed = text.strip().removesuffix(self.unit).strip()
        if not typed:
            return None, ""
        if not (_WHOLE if self.whole else _NUMBER).fullmatch(typed):
            return None, f"“{text.strip()}” cannot be read. Expected: {self.words}."
        value = float(typed.replace(",", "."))
        if _GROUPED.fullmatch(typed) and self.low <= 1000 * value <= self.high:
            grouped = shown(1000 * value)
            return None, f"“{typed}” could be {grouped} or {shown(value)}. Type {grouped}, or fewer decimals."
        if not self.low <= value <= self.high:
            return None, f"{shown(value)}{self._unit} is out of range. Expected: {self.words}."
        return value, ""


def shown(value: float | None) -> str:
    """Text of a number for an input field; empty for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if value == round(value) else f"{value:.10g}"
