"""Tokens of the search index: without case and accents, each sign of unspaced scripts by itself.

FTS5 finds words by their beginning, and takes for a word what stands between blanks. Chinese, Japanese, Thai, Lao,
Khmer and Burmese are written without blanks; there each sign becomes a word, and what is typed is a phrase.
"""

import unicodedata

_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai and Lao, Burmese, Khmer
    *((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF)),  # radicals, kana
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # Han
)
_PLAIN = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ß": "ss",
        "\u0131": "i",
        "ħ": "h",
        "ŧ": "t",
    }
)
"""Letters that Unicode does not take apart, as they are typed on a keyboard that lacks them."""


def searchable(text: str) -> str:
    """The text as it is put into the index, and what is looked for in it."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_PLAIN)
    return "".join(f" {sign} " if _is_unspaced(sign) else _without_accents(sign) for sign in folded)


def _is_unspaced(sign: str) -> bool:
    return any(first <= ord(sign) <= last for first, last in _UNSPACED)


def _without_accents(sign: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(part))
