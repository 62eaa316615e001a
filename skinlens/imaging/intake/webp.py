"""WebP files: chunks, and the size before libwebp allocates it (RFC 9649)."""

import struct

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.color_spaces import adobe_rgb
from skinlens.imaging.intake.container import MAX_ENTRIES, ParsedImage, ends_in_zeros
from skinlens.imaging.intake.exif import Exif, read_exif
from skinlens.imaging.intake.sniffing import ENDS_EARLY, MAX_DECODE_MB, TOO_MUCH_MEMORY, check_size, damaged, too_many

_BYTES_OF_A_PIXEL = 4 * 4 + 4 + 2
"""Libwebp keeps two canvases and Pillow two copies, then it comes out; and some for the rest."""
_ROOM = (MAX_DECODE_MB - 60) * 1_000_000
_PADDING = 64
"""Zero bytes at the end of coded pixels that are none."""


def walk_webp(data: bytes) -> ParsedImage:
    facts, frames, profile, position, entries = Exif(), 0, None, 12, 0
    end = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    seen = set[bytes]()
    while position + 8 <= end:
        if (entries := entries + 1) > MAX_ENTRIES:
            raise too_many("WebP", "chunks", MAX_ENTRIES)
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        # libwebp allocates the whole canvas while it opens the file, so the size is checked before.
        if kind == b"VP8X":
            _check(1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
        elif kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", body, 6)
            _check(width & 0x3FFF, height & 0x3FFF)
        elif kind == b"VP8L":
            (packed,) = struct.unpack_from("<I", body, 1)
            _check(1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF))
        elif kind == b"EXIF" and kind not in seen:
            facts = read_exif(body)
        elif kind == b"ICCP":
            profile = body
        if kind in (b"VP8 ", b"VP8L") and ends_in_zeros(body, _PADDING):
            raise damaged("WebP", ENDS_EARLY)  # libwebp makes a picture of it, the rest of one color
        frames += kind == b"ANMF"
        seen.add(kind)
        position += 8 + length + length % 2
    space = adobe_rgb() if facts.is_adobe_rgb else None
    return ParsedImage("WebP", data, facts.orientation, profile, space, max(1, frames))


def _check(width_px: int, height_px: int) -> None:
    """Refuse a canvas too large to decode: libwebp does not say whether memory ran out or the file is damaged."""
    check_size(width_px, height_px)
    if _BYTES_OF_A_PIXEL * width_px * height_px > _ROOM:
        raise UnreadableImage(TOO_MUCH_MEMORY)
