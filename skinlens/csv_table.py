"""CSV tables: the one place that writes them, with text that a spreadsheet would run as a formula made harmless.

A cell that begins with an equals sign, plus, minus, at sign, tab or line break is read by spreadsheets as a formula,
also when it stands in quotes. What people type (a patient ID, a note, a name) can begin so.
"""

import csv
import io
from collections.abc import Callable, Iterable
from typing import Literal

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms, which some spreadsheets take for the same signs."""


def neutralized(cell: object) -> object:
    """A cell as it is written: a text that would be a formula gets an apostrophe before it, a number stays one."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_STARTS) else cell


def row_writer(
    file: io.TextIOBase, quoting: Literal[0, 1, 2, 3] = csv.QUOTE_MINIMAL
) -> Callable[[Iterable[object]], None]:
    """Function that writes a row to an open text file, for tables that are too long to be held; None is empty."""
    plain = csv.writer(file, quoting=quoting)

    def write(row: Iterable[object]) -> None:
        plain.writerow(["" if cell is None else neutralized(cell) for cell in row])

    return write


def csv_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """A table in UTF-8 with a byte order mark, by which spreadsheets know it; lines end with CR LF, None is empty."""
    text = io.StringIO(newline="")
    # All texts in quotes: where a spreadsheet separates by semicolons, one in a cell begins no new cell.
    write = row_writer(text, quoting=csv.QUOTE_NONNUMERIC)
    for row in (header, *rows):
        write(row)
    return text.getvalue().encode("utf-8-sig")
