"""Whole numbers in text from outside: an address, a header, a setting. What is none, or endless, is never an error."""

MOST_DIGITS = 18
"""Of a number that Python and SQLite both take: ``int`` refuses thousands of digits, SQLite more than 63 bits."""


def of_text(text: str, most_digits: int = MOST_DIGITS) -> int | None:
    """The number that a text is, in ASCII digits without a sign; None: it is none, or has more digits than may be."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= most_digits else None
