"""JPEG files: segments, passes, and what of them the decoder needs (ISO/IEC 10918-1 annex B)."""

import re
import struct
from collections.abc import Iterator

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.color_spaces import adobe_rgb
from skinlens.imaging.intake.container import MAX_ENTRIES, ParsedImage, ends_in_zeros
from skinlens.imaging.intake.exif import read_exif
from skinlens.imaging.intake.sniffing import (
    END_MARK_MISSING,
    ENDS_EARLY,
    MAX_DECODE_MB,
    TOO_MUCH_MEMORY,
    check_size,
    damaged,
    not_read,
    too_many,
)

START_OF_SCAN = 0xDA
MAX_SCANS = 200
"""Passes of a progressive JPEG, each over the whole picture. Encoders write about 10; more than 190 cannot add detail
(three components of 64 coefficients)."""


_CODINGS = {
    0xC3: "lossless JPEG",
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical JPEG"),
    0xCB: "lossless JPEG",
    0xF7: "JPEG-LS",
}
"""Kinds of JPEG that no decoder here reads, by the marker of the frame."""
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_ARITHMETIC = frozenset({0xC9, 0xCA})
_PROGRESSIVE = frozenset({0xC2, 0xCA})


def walk_jpeg(data: bytes) -> ParsedImage:
    segments, exif, profile, position = [data[:2]], b"", dict[int, bytes](), 2
    notes, coding, frame, is_progressive = list[str](), "", b"", False
    reduction = 1
    for _ in range(MAX_ENTRIES):
        if not _starts_segment(data, position):
            position = _next_marker(data, position)
            notes = ["Stray bytes between the parts of the file were left out."]
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position = _end_of_padding(data, position)
            continue
        if marker == START_OF_SCAN:  # from here on pixels
            break
        if marker == 0xD9:
            raise damaged("JPEG", "it holds no picture")
        (length,) = struct.unpack_from(">H", data, position + 2)
        segment = data[position : position + 2 + length]
        if length < 2 or len(segment) < 2 + length:
            raise damaged("JPEG", ENDS_EARLY)
        body = segment[4:]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile[body[12]] = body[14:]
        elif marker in _FRAMES or marker in _CODINGS:
            frame, coding, is_progressive = body, _check_frame(marker, body), marker in _PROGRESSIVE
            reduction = _reduction(body) if is_progressive else 1
        # Of the application segments only JFIF and Adobe say how the colors are coded; comments say nothing.
        if not (0xE1 <= marker <= 0xEF or marker == 0xFE) or marker == 0xEE:
            segments.append(segment)
        position += 2 + length
    else:
        raise too_many("JPEG", "segments", MAX_ENTRIES)
    scans = _Scans(data, position)
    coded = data[position : scans.end]
    if not scans.has_end and ends_in_zeros(coded, _PADDING):
        coded = coded.rstrip(b"\0")  # a copy that broke off, or padding: without it, the decoder can tell
    segments.append(coded)
    if not scans.complete(frame, progressive=is_progressive):
        raise damaged("JPEG", ENDS_EARLY)
    if not scans.has_end:
        notes.append(END_MARK_MISSING)
    joined = b"".join(profile[number] for number in sorted(profile))
    facts = read_exif(exif)
    return ParsedImage(
        "JPEG",
        b"".join(segments),
        facts.orientation,
        joined or None,
        adobe_rgb() if facts.is_adobe_rgb else None,
        notes=tuple(notes),
        coding=coding,
        reduction=reduction,
        lacks_end=not scans.has_end,
    )


def scan_segments(data: bytes, markers: re.Pattern[bytes] | None = None) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker, content, and coded pixels behind it, of each segment up to the end mark, which has neither.

    What lies between the segments or behind the end is passed over. ``markers``: those of a coding that has others than
    JPEG. Raises UnreadableImage and ``struct.error``.
    """
    markers = markers or _MARKER
    position, has_pixels = 2, False
    for _ in range(MAX_ENTRIES):
        match = markers.search(data, position)
        if match is None:
            return
        marker, position = data[match.start() + 1], match.end()
        if marker == 0xD9:
            yield marker, b"", b""
            return
        (length,) = struct.unpack_from(">H", data, position)
        body = data[position + 2 : position + length]
        if length < 2 or len(body) < length - 2:
            if has_pixels:
                return
            raise damaged("JPEG", ENDS_EARLY)
        position += length
        coded = b""
        if marker == START_OF_SCAN:
            follows = markers.search(data, position)
            coded = data[position : follows.start() if follows else len(data)]
            position += len(coded)
            has_pixels = True
        yield marker, body, coded
    raise too_many("JPEG", "segments", MAX_ENTRIES)


def _starts_segment(data: bytes, position: int) -> bool:
    return data[position] == 0xFF and not (data[position + 1] <= 1 or 0xD0 <= data[position + 1] <= 0xD8)


def _next_marker(data: bytes, position: int) -> int:
    match = _MARKER.search(data, position)
    if match is None:
        raise damaged("JPEG", "its header is not in order")
    return match.start()


def _check_frame(marker: int, body: bytes) -> str:
    """The name of a coding that not every decoder reads; UnreadableImage for one that none here reads."""
    if marker in _CODINGS:
        raise not_read("JPEG", _CODINGS[marker])
    if body[0] != 8:
        raise not_read("JPEG", f"JPEG of {body[0]} bits a sample")
    return "JPEG with arithmetic coding" if marker in _ARITHMETIC else ""


def _reduction(frame: bytes) -> int:
    """How much smaller a progressive picture must be read: its coefficients, two bytes each, are all kept at once.

    Raises UnreadableImage where they would fill the memory by themselves.
    """
    height, width = struct.unpack_from(">HH", frame, 1)
    factors = [(byte >> 4, byte & 15) for byte in frame[7::3]] or [(1, 1)]
    widest, highest = max(h for h, _ in factors), max(v for _, v in factors)
    check_size(width, height)
    coefficients = sum(h * v for h, v in factors) * width * height // max(1, widest * highest)
    for reduction in (1, 2):
        if 2 * coefficients + _BYTES_OF_A_PIXEL * width * height // reduction**2 < MAX_DECODE_MB * 1_000_000:
            return reduction
    raise UnreadableImage(TOO_MUCH_MEMORY)


_BYTES_OF_A_PIXEL = 4 + 3 + 1
"""As Pillow has it, as it comes out, and some for the rest."""


class _Scans:
    """The passes over the picture, of which the first starts here, up to the end mark or the end of the file.

    What follows there is no part of the photo: a second picture, a film clip of the camera.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self.has_end, self.end = False, len(data)
        self._heads: list[bytes] = []
        while match := _MARKER.search(data, position):
            marker, position = data[match.start() + 1], match.end()
            if marker == 0xD9:
                self.has_end, self.end = True, position
                return
            length = int.from_bytes(data[position : position + 2], "big")
            if marker == START_OF_SCAN:
                self._heads.append(data[position + 2 : position + length])
            if len(self._heads) > MAX_SCANS:
                raise too_many("JPEG", "passes over the picture", MAX_SCANS)
            position += max(2, length)

    def complete(self, frame: bytes, *, progressive: bool) -> bool:
        """Whether the passes bring every coefficient of each component of the frame to its last bit."""
        left = {(component, k) for component in frame[6::3] for k in range(64)}
        for head in self._heads:
            count = head[0]
            first, last, precision = head[1 + 2 * count : 4 + 2 * count] if progressive else (0, 63, 0)
            for component in head[1 : 1 + 2 * count : 2]:
                if precision & 15 == 0:
                    left -= {(component, k) for k in range(first, min(last, 63) + 1)}
        return not left


_PADDING = 16
"""Zero bytes behind the last pass that are none of its own."""
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""Markers that end a run of coded pixels: not a stuffed 0xFF, not a restart."""


def _end_of_padding(data: bytes, position: int) -> int:
    """Position of the last 0xFF in a run of fill bytes: the one that begins a marker."""
    match = _NO_PADDING.search(data, position)
    if match is None:
        raise damaged("JPEG", ENDS_EARLY)
    return match.start() - 1


_NO_PADDING = re.compile(rb"[^\xff]")
