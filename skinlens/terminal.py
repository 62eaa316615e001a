"""Terminal of a command: output that every code page can print, and SIGTERM that ends it as Ctrl+C does.

A sign that a code page lacks is written in another way, never a traceback.

A file's name may hold bytes that are no text at all; Python keeps them as lone surrogates, which no code page has.
"""

import codecs
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Say = Callable[[str], None]
"""Function that takes a line of a long command's report: ``print``, or a list's ``append``."""
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
    """Set the standard streams to replace what they cannot show: from here on no print fails for want of a sign."""
    codecs.register_error(HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=HANDLER)


class Terminated(KeyboardInterrupt):
    """Raised where SIGTERM told the process to end."""


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Context in which SIGTERM ends what runs as Ctrl+C does: what is done is kept, and what is open is closed.

    By itself it ends a process in the middle of everything, and does nothing to the first process of a container.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone may say what a signal does
        yield
        return
    own = os.getpid()

    def end(number: int, _frame: object) -> None:
        if os.getpid() == own:
            raise Terminated
        signal.signal(number, signal.SIG_DFL)  # a child that was forked ends at once
        signal.raise_signal(number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
