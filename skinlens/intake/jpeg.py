"""JPEG files: segments, passes, and what of them the decoder needs (ISO/IEC 10918-1 annex B)."""

import re
import struct

from skinlens.errors import UnreadableImage
from skinlens.intake.color_spaces import adobe_rgb
from skinlens.intake.container import MAX_ENTRIES, Container
from skinlens.intake.exif import read_exif
from skinlens.intake.refusals import MAX_DECODE_MB, TOO_MUCH_MEMORY, check_size, damaged, too_many

MAX_SCANS = 200
"""Passes of a progressive JPEG, each over the whole picture. Encoders write about 10; more than 190 cannot add detail
(three components of 64 coefficients)."""


def walk_jpeg(data: bytes) -> Container:
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
        elif marker == 0xC2:
            _check_progressive(body)
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile[body[12]] = body[14:]
        # Of the application segments only JFIF and Adobe say how the colours are coded; comments say nothing.
        if not (0xE1 <= marker <= 0xEF or marker == 0xFE) or marker == 0xEE:
            kept.append(segment)
        position += 2 + length
    else:
        raise too_many("JPEG", "segments", MAX_ENTRIES)
    joined = b"".join(profile[number] for number in sorted(profile))
    facts = read_exif(exif)
    space = adobe_rgb() if facts.is_adobe_rgb else None
    return Container("JPEG", b"".join(kept), facts.orientation, joined or None, space)


def _check_progressive(frame: bytes) -> None:
    """Refuse a progressive picture whose coefficients, two bytes each, would fill the memory: all are kept at once."""
    height, width = struct.unpack_from(">HH", frame, 1)
    factors = [(byte >> 4, byte & 15) for byte in frame[7::3]] or [(1, 1)]
    widest, highest = max(h for h, _ in factors), max(v for _, v in factors)
    check_size(width, height)
    coefficients = sum(h * v for h, v in factors) * width * height // max(1, widest * highest)
    if 2 * coefficients + _BYTES_OF_A_PIXEL * width * height > MAX_DECODE_MB * 1_000_000:
        raise UnreadableImage(TOO_MUCH_MEMORY)


_BYTES_OF_A_PIXEL = 4 + 3 + 1
"""As Pillow has it, as it comes out, and some for the rest."""


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
