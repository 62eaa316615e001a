"""What stands in a picture file besides its pixels, read before any decoder sees the file.

Each format's outer structure is walked here: it yields orientation, colour profile and number of frames, and a copy of
the file from which text, EXIF, XMP, thumbnails and animation are gone. Pillow decodes that copy. So metadata cannot
survive, and none of Pillow's warnings (all of which come from metadata and animation) can fire; silencing them
instead would change the process's warning filters under the other threads.

References: ISO/IEC 10918-1 annex B, PNG third edition, RFC 9649 (WebP), TIFF 6.0, CIPA DC-008 (EXIF).
"""

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from skinlens.errors import UnreadableImage
from skinlens.intake.refusals import MAX_PROFILE_BYTES, check_size, damaged, too_many

Format = Literal["JPEG", "PNG", "WebP", "TIFF", "BMP", "HEIC"]


@dataclass(frozen=True)
class Container:
    """One picture file taken apart."""

    format: Format
    picture: bytes
    """The file without metadata: what the decoder is given."""
    orientation: int = 1
    """EXIF orientation, 1–8, still to be applied."""
    icc_profile: bytes | None = None
    frames: int = 1
    """Pictures or pages in the file, of which the first is read."""
    bits: int = 8
    """Bits per sample; it matters for greyscale deeper than 8, which Pillow hands over unscaled."""
    notes: tuple[str, ...] = ()


MAX_ENTRIES = 100_000
"""Segments, chunks or directory lines of one file. Photos have some tens; a large PNG in small chunks some thousands.
Walking as many takes about a tenth of a second."""
MAX_SCANS = 200
"""Passes of a progressive JPEG, each over the whole picture. Encoders write about 10; more than 190 cannot add detail
(three components of 64 coefficients)."""


def take_apart(kind: Format, data: bytes) -> Container:
    """Walk the structure of ``data``, a file of the given kind; UnreadableImage if it breaks off or makes no sense."""
    try:
        return _WALKERS[kind](data)
    except (IndexError, struct.error) as error:
        raise damaged(kind, "it ends before the picture is complete") from error


# ------------------------------------------------------------------------------------------------------------ JPEG


def _jpeg(data: bytes) -> Container:
    kept, exif, profile, position = [data[:2]], b"", dict[int, bytes](), 2
    for _ in range(MAX_ENTRIES):
        if data[position] != 0xFF:
            raise damaged("JPEG", "its header is not in order")
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position = _end_of_padding(data, position)
            continue
        if marker == 0xDA:  # start of scan: from here on pixels
            kept.append(data[position : _end_of_scans(data, position)])
            break
        if marker == 0xD9:
            raise damaged("JPEG", "it holds no picture")
        (length,) = struct.unpack_from(">H", data, position + 2)
        segment = data[position : position + 2 + length]
        if length < 2 or len(segment) < 2 + length:
            raise damaged("JPEG", "it ends before the picture is complete")
        body = segment[4:]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile[body[12]] = body[14:]
        # Of the application segments only JFIF and Adobe say how the colours are coded; comments say nothing.
        if not (0xE1 <= marker <= 0xEF or marker == 0xFE) or marker == 0xEE:
            kept.append(segment)
        position += 2 + length
    else:
        raise too_many("JPEG", "segments", MAX_ENTRIES)
    joined = b"".join(profile[number] for number in sorted(profile))
    return Container("JPEG", b"".join(kept), exif_orientation(exif), joined or None)


def _end_of_scans(data: bytes, position: int) -> int:
    """Where the picture ends whose first scan starts here: behind its end marker, or at the end of the file.

    What follows there is no part of the photo: a second picture, a film clip of the camera.
    """
    scans = 0
    while found := _MARKER.search(data, position):
        marker, position = data[found.start() + 1], found.end()
        if marker == 0xD9:
            return position
        scans += marker == 0xDA
        if scans > MAX_SCANS:
            raise too_many("JPEG", "passes over the picture", MAX_SCANS)
        if position + 2 <= len(data):
            position += max(2, int.from_bytes(data[position : position + 2], "big"))
    return len(data)


_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""Markers that end a run of coded pixels: not a stuffed 0xFF, not a restart."""


def _end_of_padding(data: bytes, position: int) -> int:
    """Where the last 0xFF of a run stands: the one that belongs to a marker."""
    found = _NO_PADDING.search(data, position)
    if found is None:
        raise damaged("JPEG", "it ends before the picture is complete")
    return found.start() - 1


_NO_PADDING = re.compile(rb"[^\xff]")

# ------------------------------------------------------------------------------------------------------------- PNG


def _png(data: bytes) -> Container:
    kept, notes, position = [data[:8]], list[str](), 8
    orientation, frames, profile, depth, colour_type = 1, 1, None, 8, 0
    seen = set[bytes]()
    for _ in range(MAX_ENTRIES):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunk = data[position : position + 12 + length]
        if len(chunk) < 12 + length:
            raise damaged("PNG", "it ends before the picture is complete")
        body = chunk[8:-4]
        if kind == b"IHDR":
            depth, colour_type = body[8], body[9]
        elif kind == b"eXIf" and kind not in seen:  # one is allowed; a second would cost time and say nothing
            orientation = exif_orientation(body)
        elif kind == b"iCCP" and kind not in seen:
            profile = _inflate(body.partition(b"\0")[2][1:])
        elif kind == b"acTL":
            frames = max(1, struct.unpack_from(">I", body)[0])
        if kind == b"tRNS" and colour_type in (0, 2) and depth != 8:
            # Pillow compares this colour at 8 bits, so it would hit the wrong pixels.
            notes.append("The file marks one colour as transparent; that mark was ignored.")
        elif kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(chunk)
        if kind == b"IEND":
            break
        seen.add(kind)
        position += 12 + length
    else:
        raise too_many("PNG", "chunks", MAX_ENTRIES)
    return Container("PNG", b"".join(kept), orientation, profile, frames, depth, tuple(notes))


def _inflate(compressed: bytes) -> bytes:
    """The profile in an iCCP chunk; what cannot be unpacked is handed on as it is, to be refused as a profile."""
    try:
        return zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES)
    except zlib.error:
        return compressed


# ------------------------------------------------------------------------------------------------------------ WebP


def _webp(data: bytes) -> Container:
    orientation, frames, profile, position, entries = 1, 0, None, 12, 0
    end = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    seen = set[bytes]()
    while position + 8 <= end:
        if (entries := entries + 1) > MAX_ENTRIES:
            raise too_many("WebP", "chunks", MAX_ENTRIES)
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        # libwebp allocates the whole canvas while it opens the file, so the size is checked before.
        if kind == b"VP8X":
            check_size(1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
        elif kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", body, 6)
            check_size(width & 0x3FFF, height & 0x3FFF)
        elif kind == b"VP8L":
            (packed,) = struct.unpack_from("<I", body, 1)
            check_size(1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF))
        elif kind == b"EXIF" and kind not in seen:
            orientation = exif_orientation(body)
        elif kind == b"ICCP":
            profile = body
        frames += kind == b"ANMF"
        seen.add(kind)
        position += 8 + length + length % 2
    return Container("WebP", data, orientation, profile, max(1, frames))


# ------------------------------------------------------------------------------------------------------------ TIFF

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SUBFILE, _BITS, _PHOTOMETRIC, _ORIENTATION, _ICC, _DNG_VERSION = 254, 258, 262, 274, 34675, 50706
_COMPRESSION, _SAMPLES = 259, 277
_STRIPS, _TILES = (273, 279), (324, 325)
"""Where the pixels stand: tags of their offsets and of their byte counts."""
_ONE_NUMBER = frozenset({256, 257, 259, 262, 266, 277, 278, 284, 317, 322, 323})
"""Tags the decoder needs that hold one number: dimensions, coding, layout."""
_MANY_NUMBERS = frozenset({258, 320, 338, 339, 347, 529, 530, 532, *_STRIPS, *_TILES})
"""Tags the decoder needs that hold lists: bits per sample, strips, tiles, palette, tables of JPEG-in-TIFF."""
_COMPRESSIONS = frozenset({1, 5, 7, 8, 32773, 32946})
"""None, LZW, JPEG, Deflate (two codes), PackBits. The others are those of fax machines and of obsolete cameras."""
_MAX_STRIPS = 100_000
_MAX_PAGES = 1_000
_MAX_SAMPLES = 6
_MAX_LINES = 1_000
"""Lines of one directory. Photos have 10 to 40, microscopes' up to some hundred."""


@dataclass(frozen=True)
class _Entry:
    """One line of a TIFF directory. What it points to is read when it is asked for, and only then.

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
        return self.count * _TYPE_BYTES[self.kind]

    @property
    def complete(self) -> bool:
        return self.start + self.size <= len(self.data)

    @property
    def value(self) -> bytes:
        """What the entry points to, or holds; shorter than ``count`` says if the file breaks off."""
        return bytes(self.data[self.start : self.start + self.size])


def _byte_order(data: bytes) -> str:
    return "<" if data[:2] == b"II" else ">"


def _directory(data: bytes, offset: int) -> tuple[dict[int, _Entry], int]:
    """The entries of one directory by tag, and the offset of the next directory (0: there is none)."""
    order, whole = _byte_order(data), memoryview(data)
    (lines,) = struct.unpack_from(order + "H", data, offset)
    if lines > _MAX_LINES:
        raise too_many("TIFF", "directory lines", _MAX_LINES)
    entries: dict[int, _Entry] = {}
    for line in range(lines):
        position = offset + 2 + 12 * line
        tag, kind, count, pointer = struct.unpack_from(order + "HHII", data, position)
        size = count * _TYPE_BYTES.get(kind, 0)
        if size and tag not in entries:
            start = pointer if size > 4 else position + 8
            entries[tag] = _Entry(data[position : position + 12], kind, count, whole, start)
    (following,) = struct.unpack_from(order + "I", data, offset + 2 + 12 * lines)
    return entries, following


def _numbers(data: bytes, entries: dict[int, _Entry], tag: int) -> tuple[int, ...]:
    """The numbers of a tag that holds unsigned 16-bit or 32-bit ones; empty if it is missing or of another kind."""
    entry = entries.get(tag)
    if entry is None or not entry.complete or entry.kind not in (3, 4) or entry.count > _MAX_STRIPS:
        return ()
    return struct.unpack(f"{_byte_order(data)}{entry.count}{'H' if entry.kind == 3 else 'I'}", entry.value)


def _number(data: bytes, entries: dict[int, _Entry], tag: int, default: int) -> int:
    return next(iter(_numbers(data, entries, tag)), default)


def exif_orientation(exif: bytes) -> int:
    """Orientation 1–8 from an EXIF block, with or without its ``Exif`` prefix; 1 where it says nothing sensible."""
    data = exif.removeprefix(b"Exif\0\0")
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    try:
        entries, _ = _directory(data, struct.unpack_from(_byte_order(data) + "I", data, 4)[0])
    except (struct.error, UnreadableImage):
        return 1
    return _orientation(data, entries)


def _orientation(data: bytes, entries: dict[int, _Entry]) -> int:
    value = _number(data, entries, _ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def _tiff(data: bytes) -> Container:
    order = _byte_order(data)
    entries, following = _directory(data, struct.unpack_from(order + "I", data, 4)[0])
    bits = _number(data, entries, _BITS, 1)
    if _DNG_VERSION in entries or _number(data, entries, _SUBFILE, 0) & 1:
        raise UnreadableImage(
            "The file is a camera raw file, whose first picture is only a small preview; "
            "a finished photo was expected. Export it as TIFF, PNG or JPEG from the camera's software, and upload that."
        )
    if bits > 8 and _number(data, entries, _PHOTOMETRIC, 1) == 0:
        raise UnreadableImage(
            f"The TIFF file stores a negative with {bits} bits a sample, which SkinLens does not read; "
            "brightness rising with the value was expected. Save the photo as an 8-bit TIFF or PNG, and upload that."
        )
    if _number(data, entries, _COMPRESSION, 1) not in _COMPRESSIONS:
        raise UnreadableImage(
            "The TIFF file is packed in a way that SkinLens does not read; no compression, LZW, Deflate, PackBits or "
            f"JPEG was expected, and method {_number(data, entries, _COMPRESSION, 1)} was found. "
            "Save the photo as PNG or JPEG, and upload that."
        )
    kept = {tag: entry for tag, entry in sorted(entries.items()) if tag in _ONE_NUMBER | _MANY_NUMBERS}
    _check_directory(data, kept)
    return Container(
        "TIFF",
        _with_directory(data, [entry.raw for entry in kept.values()]),
        orientation=_orientation(data, entries),
        icc_profile=_profile(entries),
        frames=_count_pages(data, following),
        bits=bits,
    )


def _profile(entries: dict[int, _Entry]) -> bytes | None:
    """The colour profile; empty, and so refused as a profile, if it breaks off or is larger than any."""
    entry = entries.get(_ICC)
    if entry is None:
        return None
    return entry.value if entry.complete and entry.size <= MAX_PROFILE_BYTES else b""


def _check_directory(data: bytes, entries: dict[int, _Entry]) -> None:
    """Refuse a directory with which Pillow would warn, or libtiff look outside the file."""
    for tag, entry in entries.items():
        if not entry.complete:
            raise damaged("TIFF", "it ends before the picture is complete")
        if entry.count > _MAX_STRIPS or (tag in _ONE_NUMBER and entry.count != 1):
            raise damaged("TIFF", "its directory contradicts itself")
    if sum(entry.size for entry in entries.values()) > len(data):
        raise damaged("TIFF", "its directory contradicts itself")
    starts = [_numbers(data, entries, tag) for tag in (_STRIPS[0], _TILES[0])]
    counts = [_numbers(data, entries, tag) for tag in (_STRIPS[1], _TILES[1])]
    if list(map(len, starts)) != list(map(len, counts)) or _number(data, entries, _SAMPLES, 1) > _MAX_SAMPLES:
        raise damaged("TIFF", "its directory contradicts itself")
    if any(start + count > len(data) for start, count in zip(sum(starts, ()), sum(counts, ()), strict=True)):
        raise damaged("TIFF", "it ends before the picture is complete")


def _with_directory(data: bytes, lines: list[bytes]) -> bytes:
    """The TIFF file ``data`` whose only directory is a new one, behind its end, that has these lines."""
    order = _byte_order(data)
    padded = data + b"\0" * (len(data) % 2)
    header = padded[:4] + struct.pack(order + "I", len(padded))
    return header + padded[8:] + struct.pack(order + "H", len(lines)) + b"".join(lines) + bytes(4)


def _count_pages(data: bytes, following: int) -> int:
    """Pages of the file, given where its second directory stands; a chain that breaks or loops ends there."""
    order, seen = _byte_order(data), set[int]()
    while following and following not in seen and len(seen) < _MAX_PAGES:
        seen.add(following)
        try:
            (lines,) = struct.unpack_from(order + "H", data, following)
            (following,) = struct.unpack_from(order + "I", data, following + 2 + 12 * lines)
        except struct.error:
            break
    return 1 + len(seen)


# Nothing to take out: Pillow reads only the header of a BMP, and libheif neither warns nor hands metadata on.
_WALKERS: dict[Format, Callable[[bytes], Container]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "TIFF": _tiff,
    "BMP": lambda data: Container("BMP", data),
    "HEIC": lambda data: Container("HEIC", data),
}
