"""Terminal output that every code page can print: a missing sign is written in another way, never a traceback.

A file's name may hold bytes that are no text at all; Python keeps them as lone surrogates, which no code page has.
"""

import codecs
import sys
from collections.abc import Callable, Mapping

Say = Callable[[str], None]
"""What takes a line of a long command's report: ``print``, or a list's ``append``."""
HANDLER = "skinlens"
IN_PLAIN: Mapping[str, str] = {
    "\u00a0": " ",
    "\u202f": " ",
    "–": "-",
    "—": "-",
    "−": "-",
    "’": "'",
    "“": '"',
    "”": '"',
    "…": "...",
    "×": "x",
    "²": "2",
    "≤": "<=",
    "≥": ">=",
}
"""Signs of our own sentences, for code pages that lack them."""


def speak_any_code_page() -> None:
    """From here on nothing that is printed fails for want of a sign."""
    codecs.register_error(HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=HANDLER)


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    if sign in IN_PLAIN:
        return IN_PLAIN[sign], error.start + 1
    lone = "\udc80" <= sign <= "\udcff"  # a byte of a name that is no text
    return (
        f"\\x{ord(sign) - 0xDC00:02x}" if lone else sign.encode("ascii", "backslashreplace").decode()
    ), error.start + 1
