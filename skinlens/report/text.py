"""Text of any script before it is typeset: printable characters, and the direction of a paragraph.

Shaping, line breaks and the order of mixed directions are the typesetter's. What no font has (Sinhala, Gujarati, some
emoji, …) is drawn as ``PLACEHOLDER``, never left out, and ``not_printed`` tells it as soon as it is typed.
"""

import re
import unicodedata
from typing import NamedTuple

from skinlens.report.faces import has_glyph

PLACEHOLDER = "\ufffd"
JOINERS = "\u200c\u200d"


class Paragraph(NamedTuple):
    """One paragraph without line ends."""

    words: str
    right_to_left: bool


def paragraphs(text: str) -> list[Paragraph]:
    """The text as it is printed, line by line; an empty text is one empty paragraph."""
    return [Paragraph(line, is_right_to_left(line)) for line in clean(text).split("\n")]


def is_right_to_left(text: str) -> bool:
    """Whether the first letter is written from right to left (rules P2 and P3 of Unicode's UAX #9)."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((direction != "L" for direction in directions if direction in {"L", "R", "AL"}), False)


def clean(text: str) -> str:
    """Text that can be typeset: composed (NFC), all line ends alike, tabs as spaces, no formatting characters, at most
    one blank line in a row, and ``PLACEHOLDER`` for what no font has.
    """
    text = re.sub(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]", "\n", text).replace("\t", "    ")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    # What stands between two marks goes before they are put in order, or cleaning once more would order them again.
    composed = unicodedata.normalize("NFC", "".join(character for character in text if _is_kept(character)))
    printable = "".join(
        character if character == "\n" or character in JOINERS or has_glyph(character) else PLACEHOLDER
        for character in composed
    )
    return re.sub(r"\n(?:[^\S\n]*\n){2,}", "\n\n", printable).strip("\n")


def unprintable(text: str) -> int:
    """Number of characters of the text that come out as ``PLACEHOLDER``."""
    return clean(text).count(PLACEHOLDER)


def not_printed(text: str) -> str:
    """The characters of the text that come out as ``PLACEHOLDER``, each once, in their order."""
    characters = (
        character
        for character in unicodedata.normalize("NFC", text)
        if _is_kept(character) and character not in f"\r\n\t{JOINERS}"
    )
    return "".join(dict.fromkeys(character for character in characters if unprintable(character)))


def _is_kept(character: str) -> bool:
    """Formatting characters and variation selectors show nothing themselves; joiners do their work in shaping."""
    return character in JOINERS or not (
        unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0000"
    )
