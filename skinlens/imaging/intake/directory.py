"""Directories of TIFF files and of EXIF blocks, which are TIFF files without a picture (TIFF 6.0, CIPA DC-008)."""

import struct
from dataclasses import dataclass

from skinlens.imaging.intake.sniffing import too_many

ORIENTATION = 274
MAX_NUMBERS = 100_000
"""Of one line. The longest lists are those of strips: one for each row of the picture."""
_MAX_LINES = 1_000
"""Lines of one directory. Photos have 10 to 40, microscopes' up to some hundred."""
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SHORT, _LONG, _OFFSET = 3, 4, 13


@dataclass(frozen=True)
class Entry:
    """One line of a directory. What it points to is read when it is asked for, and only then.

    A file of 1 MB can have 65,535 lines that each point at all of it.
    """

    raw: bytes
    """The 12 bytes as they stand in the file, in the file's byte order."""
    kind: int
    count: int
    data: memoryview
    """Of the whole file."""
    start: int

    @property
    def size(self) -> int:
        return self.count * TYPE_BYTES[self.kind]

    @property
    def complete(self) -> bool:
        return self.start + self.size <= len(self.data)

    @property
    def value(self) -> bytes:
        """Value that the entry points to, or holds; shorter than ``count`` says if the file breaks off."""
        return bytes(self.data[self.start : self.start + self.size])


@dataclass(frozen=True)
class Directory:
    """The lines of one directory by their tags, and where the next one stands (0: there is none)."""

    order: str
    """``<`` or ``>``, as struct has it."""
    entries: dict[int, Entry]
    following: int

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The unsigned 16-bit or 32-bit numbers of a tag; none if it is missing, broken or of another kind."""
        entry = self.entries.get(tag)
        if (
            entry is None
            or not entry.complete
            or entry.kind not in (_SHORT, _LONG, _OFFSET)
            or entry.count > MAX_NUMBERS
        ):
            return ()
        return struct.unpack(f"{self.order}{entry.count}{'H' if entry.kind == _SHORT else 'I'}", entry.value)

    def number(self, tag: int, default: int) -> int:
        return next(iter(self.numbers(tag)), default)

    @property
    def orientation(self) -> int:
        """1–8; 1 where it says nothing sensible."""
        value = self.number(ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1


def byte_order(data: bytes) -> str:
    return "<" if data[:2] == b"II" else ">"


def first_offset(data: bytes) -> int:
    """Offset of the first directory, in bytes."""
    return int(struct.unpack_from(byte_order(data) + "I", data, 4)[0])


def read_directory(data: bytes, offset: int) -> Directory:
    """The directory at an offset. Raises struct.error where the file breaks off, UnreadableImage if it is too long."""
    order, whole = byte_order(data), memoryview(data)
    (lines,) = struct.unpack_from(order + "H", data, offset)
    if lines > _MAX_LINES:
        raise too_many("TIFF", "directory lines", _MAX_LINES)
    entries: dict[int, Entry] = {}
    for line in range(lines):
        position = offset + 2 + 12 * line
        tag, kind, count, pointer = struct.unpack_from(order + "HHII", data, position)
        size = count * TYPE_BYTES.get(kind, 0)
        if size and tag not in entries:
            start = pointer if size > 4 else position + 8
            entries[tag] = Entry(data[position : position + 12], kind, count, whole, start)
    (following,) = struct.unpack_from(order + "I", data, offset + 2 + 12 * lines)
    return Directory(order, entries, following)
